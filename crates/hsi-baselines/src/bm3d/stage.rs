//! The two passes over an image.

use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;

use super::Bm3d;
use super::block::{AREA, Block, SIDE, Table, Transform};
use super::group::{Matches, haar, inverse_haar};

/// Rows of reference blocks in a strip, the unit of parallel work.
const STRIP: usize = 8;

/// Runs the first pass; `sigma` is above 0 and all values are finite.
pub(crate) fn hard(options: &Bm3d, noisy: ArrayView2<'_, f32>, sigma: f32) -> Array2<f32> {
    let transform = Transform::biorthogonal();
    let limit = options.match_hard + options.match_noise * 2.0 * sigma * sigma;
    let smallest = options.threshold * sigma;
    let shrink = |group: &mut [Block], scratch: &mut Vec<Block>, _: &[Block]| {
        haar(group, scratch);
        let mut kept = 0_u32;
        for x in group.iter_mut().flatten() {
            let keep = x.abs() >= smallest;
            kept += u32::from(keep);
            *x = if keep { *x } else { 0.0 };
        }
        inverse_haar(group, scratch);
        1.0 / kept.max(1) as f32
    };
    let most = options.group_hard;
    Pass { options, transform, with_pilot: false, limit, most }.run(noisy, noisy, shrink)
}

/// Runs the second pass; `sigma` is above 0 and all values are finite.
pub(crate) fn wiener(
    options: &Bm3d,
    noisy: ArrayView2<'_, f32>,
    pilot: ArrayView2<'_, f32>,
    sigma: f32,
) -> Array2<f32> {
    let noise = (options.wiener_noise * sigma * sigma).max(f32::MIN_POSITIVE);
    let shrink = |group: &mut [Block], scratch: &mut Vec<Block>, pilot: &[Block]| {
        haar(group, scratch);
        let mut power = 0.0;
        for (block, pilot) in group.iter_mut().zip(pilot) {
            for (x, &p) in block.iter_mut().zip(pilot) {
                let gain = p * p / (p * p + noise);
                power += gain * gain;
                *x *= gain;
            }
        }
        inverse_haar(group, scratch);
        // A stack without signal says little: the bound is a gain of 1 % on one coefficient.
        1.0 / power.max(1e-4)
    };
    let (limit, most) = (options.match_wiener, options.group_wiener);
    let pass = Pass { options, transform: Transform::cosine(), with_pilot: true, limit, most };
    pass.run(noisy, pilot, shrink)
}

struct Pass<'a> {
    options: &'a Bm3d,
    /// What the blocks are filtered in.
    transform: Transform,
    /// Whether the filter looks at the groups of the guide.
    with_pilot: bool,
    /// Largest mean squared difference of similar blocks.
    limit: f32,
    /// Most blocks of a stack.
    most: usize,
}

/// Weighted sums of the estimates of a strip of pixels.
struct Sums {
    top: usize,
    values: Array2<f32>,
    weights: Array2<f32>,
}

impl Pass<'_> {
    /// Filters an image by groups that are found in a guide; `shrink` gets the blocks, room to
    /// work in, and the group of the guide after [`haar`] if there is a pilot, and returns the
    /// weight of the group.
    fn run<F>(
        &self,
        image: ArrayView2<'_, f32>,
        guide: ArrayView2<'_, f32>,
        shrink: F,
    ) -> Array2<f32>
    where
        F: Fn(&mut [Block], &mut Vec<Block>, &[Block]) -> f32 + Sync,
    {
        let (rows, cols) = image.dim();
        if rows < SIDE || cols < SIDE {
            let (image, guide) = (enlarge(image), enlarge(guide));
            let whole = self.run(image.view(), guide.view(), shrink);
            return whole.slice(s![..rows, ..cols]).to_owned();
        }
        let references = references(rows, self.options.step);
        let strips: Vec<Sums> = references
            .par_chunks(STRIP)
            .map(|references| self.strip(image, guide, references, &shrink))
            .collect();
        let mut values = Array2::zeros((rows, cols));
        let mut weights = Array2::<f32>::zeros((rows, cols));
        for strip in strips {
            let range = s![strip.top..strip.top + strip.values.nrows(), ..];
            values.slice_mut(range).zip_mut_with(&strip.values, |sum, &x| *sum += x);
            weights.slice_mut(range).zip_mut_with(&strip.weights, |sum, &x| *sum += x);
        }
        values.zip_mut_with(&weights, |value, &weight| *value /= weight);
        values
    }

    /// Filters the groups of the reference blocks in some rows.
    fn strip<F>(
        &self,
        image: ArrayView2<'_, f32>,
        guide: ArrayView2<'_, f32>,
        references: &[usize],
        shrink: &F,
    ) -> Sums
    where
        F: Fn(&mut [Block], &mut Vec<Block>, &[Block]) -> f32,
    {
        let (rows, cols) = image.dim();
        let reach = self.options.reach;
        let top = references[0].saturating_sub(reach);
        let end = (references[references.len() - 1] + reach + 1).min(rows - SIDE + 1);
        // Distances are the same in any orthonormal transform; in the cosine transform the first
        // coefficients tell most.
        let guide = Table::new(guide, top..end, &Transform::cosine());
        let table = Table::new(image, top..end, &self.transform);
        let window = kaiser_window(self.options.kaiser);
        let shape = (end - top + SIDE - 1, cols);
        let mut sums = Sums { top, values: Array2::zeros(shape), weights: Array2::zeros(shape) };
        let mut matches = Matches::default();
        let (mut group, mut pilot, mut scratch) = (Vec::new(), Vec::new(), Vec::new());
        let across = self::references(cols, self.options.step);
        for &row in references {
            for &col in &across {
                let found = matches.search(&guide, (row, col), reach, self.limit, self.most);
                group.clear();
                group.extend(found.iter().map(|&(_, r, c)| table.row(r as usize)[c as usize]));
                if self.with_pilot {
                    pilot.clear();
                    pilot.extend(found.iter().map(|&(_, r, c)| guide.row(r as usize)[c as usize]));
                    haar(&mut pilot, &mut scratch);
                }
                let weight = shrink(&mut group, &mut scratch, &pilot);
                for (block, &(_, r, c)) in group.iter().zip(found) {
                    let block = self.transform.inverse(block);
                    sums.add(&block, &window, weight, r as usize, c as usize);
                }
            }
        }
        sums
    }
}

impl Sums {
    fn add(&mut self, block: &Block, window: &Block, weight: f32, row: usize, col: usize) {
        for k in 0..SIDE {
            let line = s![row - self.top + k, col..col + SIDE];
            let (block, window) = (&block[k * SIDE..][..SIDE], &window[k * SIDE..][..SIDE]);
            let mut values = self.values.slice_mut(line);
            let mut weights = self.weights.slice_mut(line);
            let (Some(values), Some(weights)) = (values.as_slice_mut(), weights.as_slice_mut())
            else {
                continue; // rows of an array in standard layout are contiguous
            };
            for i in 0..SIDE {
                values[i] += weight * window[i] * block[i];
                weights[i] += weight * window[i];
            }
        }
    }
}

/// Returns the first rows (or columns) of the reference blocks along an extent of at least 8.
fn references(extent: usize, step: usize) -> Vec<usize> {
    let last = extent - SIDE;
    let mut references: Vec<usize> = (0..last).step_by(step).collect();
    references.push(last);
    references
}

/// Mirrors an image, edges repeated, up to at least 8 x 8.
fn enlarge(image: ArrayView2<'_, f32>) -> Array2<f32> {
    let (rows, cols) = image.dim();
    let mirror = |index: usize, extent: usize| {
        let place = index % (2 * extent);
        if place < extent { place } else { 2 * extent - 1 - place }
    };
    Array2::from_shape_fn((rows.max(SIDE), cols.max(SIDE)), |(row, col)| {
        image[[mirror(row, rows), mirror(col, cols)]]
    })
}

/// Returns the Kaiser window of a block, as `numpy.kaiser(8, beta)` along both axes.
fn kaiser_window(beta: f32) -> Block {
    let beta = f64::from(beta);
    let half = (SIDE - 1) as f64 / 2.0;
    let line: [f64; SIDE] = std::array::from_fn(|i| {
        let place = (i as f64 - half) / half;
        bessel_i0(beta * (1.0 - place * place).max(0.0).sqrt()) / bessel_i0(beta)
    });
    let mut window = [0.0; AREA];
    for (k, x) in window.iter_mut().enumerate() {
        *x = (line[k / SIDE] * line[k % SIDE]) as f32;
    }
    window
}

/// The modified Bessel function of the first kind and order 0.
fn bessel_i0(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..200 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
        if term < sum * 1e-17 {
            break;
        }
    }
    sum
}
