//! One alternation over all coefficients: project, shrink, and sum for the next spectra.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::traits::ComplexField;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::{Array2, ArrayViewMut2, Axis, NdFloat, s};
use rayon::prelude::*;

use crate::shrink::soft;

/// Coefficients that are handled at once: with some hundred bands they fit into the second cache.
const BLOCK: usize = 256;
/// Number of partial sums; a constant, so that the order of summation is one.
const PARTS: usize = 16;

/// A type of numbers that coefficients are kept in.
pub(super) trait Real: NdFloat + ComplexField + From<f32> + Into<f64> {
    /// Rounds a number to this type.
    fn round_from(x: f64) -> Self;
}

impl Real for f32 {
    fn round_from(x: f64) -> Self {
        x as f32
    }
}

impl Real for f64 {
    fn round_from(x: f64) -> Self {
        x
    }
}

/// A block of coefficients that share their thresholds.
struct Block<T> {
    group: usize,
    width: usize,
    /// `[bands, width]`, row by row.
    values: Vec<T>,
}

/// The coefficients in blocks, so that each is read from memory once an alternation.
pub(super) struct Sweep<T> {
    bands: usize,
    blocks: Vec<Block<T>>,
}

impl<T: Real> Sweep<T> {
    /// Cuts the coefficients `[bands, coefficients]`; the groups follow each other.
    pub(super) fn new(coefficients: Array2<T>, groups: &[Range<usize>]) -> Self {
        let bands = coefficients.nrows();
        let mut ranges: Vec<(usize, Range<usize>)> = Vec::new();
        for (group, range) in groups.iter().enumerate() {
            for start in range.clone().step_by(BLOCK) {
                ranges.push((group, start..range.end.min(start + BLOCK)));
            }
        }
        let cut = |(group, range): (usize, Range<usize>)| {
            let values = coefficients.slice(s![.., range.clone()]).iter().copied().collect();
            Block { group, width: range.len(), values }
        };
        Self { bands, blocks: ranges.into_par_iter().map(cut).collect() }
    }

    /// Writes the shrunk components `[rank, coefficients]` and returns the coefficients times their
    /// transpose, `[bands, rank]`.
    pub(super) fn run(
        &self,
        spectra: &Array2<f64>,
        thresholds: &Array2<T>,
        components: ArrayViewMut2<'_, T>,
    ) -> Array2<f64> {
        let rank = spectra.ncols();
        let map: Vec<T> = spectra.t().iter().map(|&x| T::round_from(x)).collect();
        let part = self.blocks.len().div_ceil(PARTS).max(1);
        // Each part has its own columns of the components.
        let mut parts = Vec::new();
        let mut rest = components;
        for blocks in self.blocks.chunks(part) {
            let width = blocks.iter().map(|block| block.width).sum();
            let (columns, tail) = rest.split_at(Axis(1), width);
            parts.push((blocks, columns));
            rest = tail;
        }
        let sums: Vec<Array2<f64>> = parts
            .into_par_iter()
            .map(|(blocks, columns)| self.part(blocks, &map, thresholds, columns))
            .collect();
        sums.into_iter().fold(Array2::zeros((self.bands, rank)), |sum, part| sum + part)
    }

    fn part(
        &self,
        blocks: &[Block<T>],
        map: &[T],
        thresholds: &Array2<T>,
        mut columns: ArrayViewMut2<'_, T>,
    ) -> Array2<f64> {
        let (bands, rank) = (self.bands, thresholds.nrows());
        let mut sum = Array2::zeros((bands, rank));
        let mut product = vec![T::zero(); bands * rank];
        let mut room = vec![T::zero(); rank * BLOCK];
        let mut start = 0;
        for block in blocks {
            let width = block.width;
            let values = MatRef::from_row_major_slice(&block.values, bands, width);
            let shrunk = &mut room[..rank * width];
            matmul(
                MatMut::from_row_major_slice_mut(shrunk, rank, width),
                Accum::Replace,
                MatRef::from_row_major_slice(map, rank, bands),
                values,
                T::one(),
                Par::Seq,
            );
            for (component, line) in shrunk.chunks_exact_mut(width).enumerate() {
                let threshold = thresholds[[component, block.group]];
                for x in line.iter_mut() {
                    *x = soft(*x, threshold);
                }
                let mut target = columns.slice_mut(s![component, start..start + width]);
                target.iter_mut().zip(&*line).for_each(|(to, &from)| *to = from);
            }
            matmul(
                MatMut::from_row_major_slice_mut(&mut product, bands, rank),
                Accum::Replace,
                values,
                MatRef::from_row_major_slice(&room[..rank * width], rank, width).transpose(),
                T::one(),
                Par::Seq,
            );
            sum.iter_mut().zip(&product).for_each(|(sum, &x): (&mut f64, &T)| *sum += x.into());
            start += width;
        }
        sum
    }
}
