//! One alternation over all coefficients: project, shrink, and sum for the next spectra.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, NdFloat, s};
use rayon::prelude::*;

use super::block::{Block, Products, Spectra};

/// Coefficients that are handled at once: with some hundred bands they fit into the second cache.
const BLOCK: usize = 256;
/// Number of partial sums; a constant, so that the order of summation is one.
const PARTS: usize = 16;
/// Part of the unit length of a spectrum that rounding may stand for.
const ROUNDING: f64 = 1e-5;

/// A type of numbers that coefficients are kept in.
pub(super) trait Real: NdFloat + From<f32> + Into<f64> {
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

/// The coefficients and their components, in blocks, so that each is read from memory once an
/// alternation.
///
/// Most components are zero after shrinkage. The bands of a coefficient stand together, so that only
/// those that are not enter the sums.
pub(super) struct Sweep<T> {
    bands: usize,
    rank: usize,
    blocks: Vec<Block<T>>,
    /// The length of the way of every spectrum since the start.
    way: Vec<f64>,
}

impl<T: Real> Sweep<T> {
    /// Cuts the coefficients `[bands, coefficients]`; the groups follow each other.
    pub(super) fn new(
        coefficients: ArrayView2<'_, T>,
        rank: usize,
        groups: &[Range<usize>],
    ) -> Self {
        let bands = coefficients.nrows();
        let mut ranges: Vec<(usize, Range<usize>)> = Vec::new();
        for (group, range) in groups.iter().enumerate() {
            for start in range.clone().step_by(BLOCK) {
                ranges.push((group, start..range.end.min(start + BLOCK)));
            }
        }
        let cut = |(group, range): (usize, Range<usize>)| {
            Block::new(group, rank, coefficients.slice(s![.., range]))
        };
        let blocks = ranges.into_par_iter().map(cut).collect();
        Self { bands, rank, blocks, way: vec![0.0; rank] }
    }

    /// Forgets what it knows from other thresholds.
    pub(super) fn forget(&mut self) {
        self.blocks.iter_mut().for_each(Block::forget);
    }

    /// Says how far each spectrum has moved since the components were computed.
    pub(super) fn moved(&mut self, distances: &[f64]) {
        for (way, distance) in self.way.iter_mut().zip(distances) {
            *way += distance + ROUNDING;
        }
    }

    /// Computes the shrunk components for some spectra and returns the coefficients times their
    /// transpose, `[bands, rank]`.
    pub(super) fn run(&mut self, spectra: &Array2<f64>, thresholds: &Array2<T>) -> Array2<f64> {
        let (bands, rank) = (self.bands, self.rank);
        let spectra = Spectra::new(spectra, &self.way);
        let part = self.blocks.len().div_ceil(PARTS).max(1);
        let sums: Vec<Vec<f64>> = self
            .blocks
            .par_chunks_mut(part)
            .map(|blocks| {
                let mut sum = vec![0.0; rank * bands];
                let mut products = Products::new(rank, bands);
                for block in blocks {
                    let thresholds = thresholds.column(block.group).to_vec();
                    block.run(&spectra, &thresholds, &mut products);
                    products.add_to(&mut sum);
                }
                sum
            })
            .collect();
        let mut total = Array2::zeros((bands, rank));
        for part in sums {
            for (mut column, part) in total.columns_mut().into_iter().zip(part.chunks_exact(bands))
            {
                column.iter_mut().zip(part).for_each(|(total, x)| *total += x);
            }
        }
        total
    }

    /// Returns the components, `[rank, coefficients]`.
    pub(super) fn components(&self) -> Array2<T> {
        let count = self.blocks.iter().map(|block| block.width).sum();
        let mut components = Array2::zeros((self.rank, count));
        let columns = self.blocks.iter().flat_map(|block| block.components.chunks_exact(self.rank));
        for (mut to, from) in components.columns_mut().into_iter().zip(columns) {
            to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
        }
        components
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers in [-1, 1) that look irregular.
    fn hashed(index: usize) -> f64 {
        let hash = (index as u32).wrapping_mul(0x9E37_79B1) ^ 0x55AA;
        f64::from((hash ^ (hash >> 15)).wrapping_mul(0x85EB_CA77)) / f64::from(1_u32 << 31) - 1.0
    }

    #[test]
    fn what_is_left_alone_changes_no_sum() {
        for (bands, rank, groups) in [
            (1, 1, vec![0..1, 1..3]),
            (20, 4, vec![0..7, 7..600]),
            (37, 19, vec![0..150, 150..300]),
        ] {
            let count = groups.last().map_or(0, |range| range.end);
            let coefficients =
                Array2::from_shape_fn((bands, count), |(b, p)| hashed(b * count + p));
            let mut spectra =
                Array2::from_shape_fn((bands, rank), |(b, i)| hashed(7 * b + 1000 * i));
            let thresholds = Array2::from_shape_fn((rank, groups.len()), |(i, g)| {
                0.5 * (i % 3 + g) as f64 * (bands as f64).sqrt()
            });
            let mut sweep = Sweep::new(coefficients.view(), rank, &groups);
            for step in 0..12 {
                let cross = sweep.run(&spectra, &thresholds);
                let mut expected = spectra.t().dot(&coefficients);
                for ((i, p), x) in expected.indexed_iter_mut() {
                    let group = groups.iter().position(|range| range.contains(&p)).expect("one");
                    *x = crate::shrink::soft(*x, thresholds[[i, group]]);
                }
                let close = |a: &Array2<f64>, b: &Array2<f64>| {
                    a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9 * (1.0 + b.abs()))
                };
                assert!(close(&sweep.components(), &expected), "{bands} {rank} {step}");
                assert!(close(&cross, &coefficients.dot(&expected.t())), "{bands} {rank} {step}");
                // Long steps first, then short ones.
                let length = 0.3 / f64::from(1 << step);
                let next = Array2::from_shape_fn(spectra.dim(), |at| {
                    spectra[at] + length * hashed(at.0 + 31 * at.1 + 977 * step)
                });
                let moves = (&next - &spectra)
                    .columns()
                    .into_iter()
                    .map(|x| x.dot(&x).sqrt())
                    .collect::<Vec<_>>();
                sweep.moved(&moves);
                spectra = next;
            }
        }
    }
}
