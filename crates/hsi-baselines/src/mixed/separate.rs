//! Stripes, what was clipped, noise and scene, estimated in turn.

use ndarray::parallel::prelude::*;
use ndarray::{Array1, Array2, Array3, ArrayView2, ArrayView3, Axis};

use super::clipping::{Bounds, detect};
use super::moments::{Basis, Moments, floor, inverse, refine};
use super::smooth::smooth;
use super::{Options, stripes};
use crate::denoiser::{as_matrix, ensure_usable, finish, reshape};
use crate::linalg::gram;
use crate::{Denoiser, Error, MedianFilter, Result};

/// What a cube is made of apart from its scene.
#[derive(Debug, Clone, PartialEq)]
pub struct Separation {
    /// The cube without stripes, clipped values replaced by what is expected of them:
    /// `[bands, rows, cols]`. The noise is still in it.
    pub cube: Array3<f32>,
    /// The offsets that were taken off, one a band and line: `[bands, lines]`.
    pub stripes: Array2<f64>,
    /// Standard deviation of the noise of each band before it was clipped; 0 for a constant band.
    pub sigma: Array1<f64>,
    /// Share of the values that stand at a bound.
    pub clipped: f64,
    /// Number of estimates of the scene that were made; 0 if there was nothing to take away.
    pub iterations: usize,
}

/// What one pass over a band finds.
struct Band {
    /// Sum of the squares of the differences from the estimate, and of their variances.
    square: f64,
    /// Mean of each line.
    means: Vec<f64>,
    /// Mean of each line of the estimate.
    estimates: Vec<f64>,
}

/// Separates a cube whose lines run along its columns.
pub(super) fn separate(
    name: &'static str,
    noisy: ArrayView3<'_, f32>,
    options: &Options,
) -> Result<Separation> {
    ensure_usable(noisy)?;
    let noisy = noisy.as_standard_layout();
    let dim @ (bands, rows, cols) = noisy.dim();
    let size = (rows, cols);
    let bounds = if options.unclip { detect(noisy.view()) } else { vec![Bounds::default(); bands] };
    let clipped = share_at_bounds(noisy.view(), &bounds);
    let mut sigma = first_sigma(noisy.view(), &bounds);
    let mut offsets = Array2::<f64>::zeros((bands, cols));
    let unchanged = |sigma: Array1<f64>| Separation {
        cube: noisy.view().to_owned(),
        stripes: Array2::zeros((bands, cols)),
        sigma,
        clipped,
        iterations: 0,
    };
    if sigma.iter().all(|&x| x == 0.0) {
        return Ok(unchanged(sigma));
    }
    if clipped == 0.0 {
        let means = noisy.mean_axis(Axis(1)).ok_or(Error::Empty { shape: dim.into() })?;
        let lines = means.mapv(f64::from);
        let moments = Moments { second: gram(as_matrix(&noisy)?), lines, rows };
        let (refined, basis) = refine(&moments, &sigma)?;
        let weights = inverse(&refined);
        let basis = stripes::extend(&moments, basis, &weights)?;
        let found = stripes::find(&moments, &basis, &weights, options.threshold);
        if !options.stripes || found.iter().all(|&x| x == 0.0) {
            return Ok(unchanged(refined));
        }
        sigma = refined;
    }

    // Noise wider than a band's values is a sign of too few of them that are free.
    let ranges = noisy.outer_iter().map(|band| f64::from(range(band))).collect::<Array1<f64>>();
    let mut estimate = MedianFilter::default().denoise(noisy.view())?;
    let mut cube = Array3::<f32>::zeros(dim);
    let mut basis: Option<Basis> = None;
    let mut iterations = 0;
    while iterations < options.iterations {
        let found = impute(&noisy.view(), &estimate, &offsets, &sigma, &bounds, &mut cube);
        let table = |of: fn(&Band) -> &Vec<f64>| {
            Array2::from_shape_fn((bands, cols), |(b, c)| of(&found[b])[c])
        };
        let (lines, means) = (table(|band| &band.means), table(|band| &band.estimates));
        let moments = Moments { second: gram(as_matrix(&cube)?), lines, rows };
        if options.stripes {
            let (inner, across) = refine(&moments, &sigma)?;
            let across = stripes::extend(&moments, across, &inverse(&inner))?;
            let variance = stripes::find(&moments, &across, &inverse(&inner), options.threshold);
            let basis = basis.as_ref().unwrap_or(&across);
            let weights = inverse(&sigma);
            offsets = stripes::offsets(&moments, basis, &sigma, &weights, &variance, &means);
            take_off(&mut cube, &offsets);
        }
        for (b, band) in found.iter().enumerate() {
            if sigma[b] == 0.0 {
                continue;
            }
            // The squares about the estimate with the new offsets follow from the line means.
            let change: f64 = (0..cols)
                .map(|c| {
                    let offset = offsets[[b, c]];
                    offset * (offset - 2.0 * (band.means[c] - band.estimates[c]))
                })
                .sum();
            let square = (band.square + rows as f64 * change) / (rows * cols) as f64;
            sigma[b] = match &basis {
                Some(basis) => basis.deviation(b, square),
                None => square.max(0.0).sqrt(),
            };
        }
        sigma.zip_mut_with(&ranges, |sigma, &range| *sigma = sigma.min(range));
        floor(&mut sigma);
        let weights = inverse(&sigma);
        let next = Basis::of(moments.without(&offsets).view(), &weights, rows * cols)?;
        let smoothed = smooth(as_matrix(&cube)?, size, &next, &sigma, &weights)?;
        basis = Some(next);
        let change = update(&mut estimate, smoothed, &bounds, &weights);
        iterations += 1;
        if change < options.tolerance {
            break;
        }
    }
    let cube = finish(name, reshape(cube, (bands, rows * cols))?, dim)?;
    Ok(Separation { cube, stripes: offsets, sigma, clipped, iterations })
}

/// Returns the difference between the largest and the least value of a band.
fn range(band: ArrayView2<'_, f32>) -> f32 {
    let max = band.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    max - band.iter().copied().fold(f32::INFINITY, f32::min)
}

/// Returns the share of the values that stand at a bound.
fn share_at_bounds(cube: ArrayView3<'_, f32>, bounds: &[Bounds]) -> f64 {
    let count: usize = cube
        .axis_iter(Axis(0))
        .into_par_iter()
        .zip(bounds)
        .map(
            |(band, bounds)| {
                if bounds.any() { band.iter().filter(|&&x| bounds.hold(x)).count() } else { 0 }
            },
        )
        .sum();
    count as f64 / cube.len() as f64
}

/// Guesses the noise of each band from differences of neighbours along a line, in which stripes
/// cancel; 0 for a band of one value.
fn first_sigma(cube: ArrayView3<'_, f32>, bounds: &[Bounds]) -> Array1<f64> {
    /// Ratio of the standard deviation of a normal variable to its median absolute value.
    const NORMAL: f64 = 1.4826;
    let sigma: Vec<f64> = cube
        .axis_iter(Axis(0))
        .into_par_iter()
        .zip(bounds)
        .map(|(band, bounds)| {
            let free = |x: f32| !bounds.hold(x);
            let pairs = band.axis_windows(Axis(0), 2);
            let mut differences: Vec<f32> = pairs
                .into_iter()
                .flat_map(|pair| {
                    let (a, b) = (pair.row(0).to_owned(), pair.row(1).to_owned());
                    a.into_iter().zip(b)
                })
                .filter(|&(a, b)| free(a) && free(b))
                .map(|(a, b)| (a - b).abs())
                .collect();
            let spread = f64::from(band.map(|&x| x).std(0.0));
            if differences.len() < 8 {
                return spread;
            }
            let middle = differences.len() / 2;
            let median = *differences.select_nth_unstable_by(middle, f32::total_cmp).1;
            let sigma = NORMAL * f64::from(median) * std::f64::consts::FRAC_1_SQRT_2;
            // Values on a coarse grid have equal neighbours.
            if sigma > 0.0 { sigma } else { spread }
        })
        .collect();
    let mut sigma = Array1::from_vec(sigma);
    floor(&mut sigma);
    sigma
}

/// Fills `cube` with the values, or with what is expected of those at a bound.
fn impute(
    noisy: &ArrayView3<'_, f32>,
    estimate: &Array3<f32>,
    offsets: &Array2<f64>,
    sigma: &Array1<f64>,
    bounds: &[Bounds],
    cube: &mut Array3<f32>,
) -> Vec<Band> {
    let (_, rows, cols) = noisy.dim();
    let each = cube.axis_iter_mut(Axis(0)).into_par_iter();
    let each = each.zip(noisy.axis_iter(Axis(0))).zip(estimate.axis_iter(Axis(0)));
    each.enumerate()
        .map(|(b, ((mut cube, noisy), estimate))| {
            let (sigma, bounds, offsets) = (sigma[b], bounds[b], offsets.row(b));
            let mut band = Band { square: 0.0, means: vec![0.0; cols], estimates: vec![0.0; cols] };
            for r in 0..rows {
                for c in 0..cols {
                    let (value, about) = (noisy[[r, c]], f64::from(estimate[[r, c]]));
                    let (mean, variance) = if sigma > 0.0 {
                        bounds.expected(value, about + offsets[c], sigma)
                    } else {
                        (f64::from(value), 0.0)
                    };
                    cube[[r, c]] = mean as f32;
                    band.square += (mean - about).powi(2) + variance;
                    band.means[c] += mean;
                    band.estimates[c] += about;
                }
            }
            for mean in band.means.iter_mut().chain(&mut band.estimates) {
                *mean /= rows as f64;
            }
            band
        })
        .collect()
}

/// Takes the offset of each line off its values.
fn take_off(cube: &mut Array3<f32>, offsets: &Array2<f64>) {
    let bands = cube.axis_iter_mut(Axis(0)).into_par_iter();
    bands.zip(offsets.axis_iter(Axis(0))).for_each(|(mut band, offsets)| {
        for mut row in band.rows_mut() {
            row.zip_mut_with(&offsets, |x, &offset| *x -= offset as f32);
        }
    });
}

/// Takes over a new estimate, kept within the bounds; returns the root mean square of its change,
/// measured in standard deviations of the noise.
fn update(
    estimate: &mut Array3<f32>,
    new: Array2<f32>,
    bounds: &[Bounds],
    weights: &Array1<f64>,
) -> f64 {
    let count = estimate.len();
    let bands = estimate.axis_iter_mut(Axis(0)).into_par_iter().zip(new.axis_iter(Axis(0)));
    let squares: Vec<f64> = bands
        .enumerate()
        .map(|(b, (mut old, new))| {
            if weights[b] == 0.0 {
                return 0.0; // a constant band stays as it is
            }
            let mut sum = 0.0;
            for (old, &new) in old.iter_mut().zip(new) {
                let new = bounds[b].limit(new);
                sum += f64::from(new - *old).powi(2);
                *old = new;
            }
            sum * weights[b] * weights[b]
        })
        .collect();
    (squares.iter().sum::<f64>() / count as f64).sqrt()
}
