//! What several methods do before and after: padding, and bands that carry no noise.

use ndarray::parallel::prelude::*;
use ndarray::{Array3, ArrayView3, Axis, CowArray, Ix3, s};

use crate::wavelet::{Orientation, Wavelet, WaveletTransform};
use crate::{NoiseEstimate, Result};

/// How a cube goes on beyond its last rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extension {
    /// `a b c | c b a`.
    Symmetric,
    /// `a b c | b a`.
    Reflect,
}

impl Extension {
    /// Returns where the value of an index comes from.
    pub(crate) fn source(self, index: usize, length: usize) -> usize {
        match self {
            _ if length == 1 => 0,
            Self::Symmetric => {
                let place = index % (2 * length);
                if place < length { place } else { 2 * length - 1 - place }
            }
            Self::Reflect => {
                let place = index % (2 * length - 2);
                if place < length { place } else { 2 * length - 2 - place }
            }
        }
    }
}

/// Extends a cube at its end to a size of `rows` and `cols`; in standard layout.
pub(crate) fn pad(
    cube: ArrayView3<'_, f32>,
    size: (usize, usize),
    extension: Extension,
) -> CowArray<'_, f32, Ix3> {
    let (bands, rows, cols) = cube.dim();
    if size == (rows, cols) {
        return if cube.is_standard_layout() {
            CowArray::from(cube)
        } else {
            CowArray::from(cube.as_standard_layout().into_owned())
        };
    }
    let mut padded = Array3::zeros((bands, size.0, size.1));
    padded.axis_iter_mut(Axis(0)).into_par_iter().zip(cube.axis_iter(Axis(0))).for_each(
        |(mut to, from)| {
            for ((row, col), value) in to.indexed_iter_mut() {
                *value = from[[extension.source(row, rows), extension.source(col, cols)]];
            }
        },
    );
    CowArray::from(padded)
}

/// Returns the first rows and columns of a cube, in standard layout.
pub(crate) fn crop(cube: Array3<f32>, size: (usize, usize)) -> Array3<f32> {
    let (_, rows, cols) = cube.dim();
    if size == (rows, cols) {
        return cube;
    }
    cube.slice(s![.., ..size.0, ..size.1]).as_standard_layout().into_owned()
}

/// Runs a method on those bands that are not constant; constant bands come back as they are.
///
/// A constant band has no noise to estimate and would be divided by zero.
pub(crate) fn on_varying_bands(
    cube: ArrayView3<'_, f32>,
    method: impl FnOnce(ArrayView3<'_, f32>) -> Result<Array3<f32>>,
) -> Result<Array3<f32>> {
    let varies = |band: usize| {
        let band = cube.index_axis(Axis(0), band);
        let first = band[[0, 0]];
        band.iter().any(|&x| x != first)
    };
    let varying: Vec<usize> = (0..cube.len_of(Axis(0))).filter(|&band| varies(band)).collect();
    if varying.len() == cube.len_of(Axis(0)) {
        return method(cube);
    }
    let mut result = cube.as_standard_layout().into_owned();
    if !varying.is_empty() {
        let denoised = method(cube.select(Axis(0), &varying).view())?;
        for (band, values) in varying.into_iter().zip(denoised.outer_iter()) {
            result.slice_mut(s![band, .., ..]).assign(&values);
        }
    }
    Ok(result)
}

/// Returns a standard deviation of the noise of every band that can be divided by.
///
/// A single band cannot be predicted from others: its noise is estimated from its finest wavelet
/// coefficients. Bands without noise get a millionth of the largest deviation, or 1.
pub(crate) fn sigmas(noise: &NoiseEstimate, cube: ArrayView3<'_, f32>) -> Result<Vec<f64>> {
    let sigma = if noise.sigma.len() == 1 {
        let (_, rows, cols) = cube.dim();
        let transform = WaveletTransform::new(Wavelet::daubechies(5)?, 1, (rows, cols))?;
        let coefficients = transform.forward(cube)?;
        let diagonal = transform.subbands().iter().find(|b| b.orientation == Orientation::Diagonal);
        let range = diagonal.map_or(0..0, |band| band.range.clone());
        vec![median_deviation(coefficients.row(0).slice(s![range]).iter().map(|&x| f64::from(x)))]
    } else {
        noise.sigma.to_vec()
    };
    Ok(divisors(sigma))
}

/// Returns the median absolute value as a standard deviation; the lower one of two medians.
pub(crate) fn median_deviation(values: impl Iterator<Item = f64>) -> f64 {
    let mut sizes: Vec<f64> = values.map(f64::abs).collect();
    if sizes.is_empty() {
        return 0.0;
    }
    let middle = (sizes.len() - 1) / 2;
    *sizes.select_nth_unstable_by(middle, f64::total_cmp).1 / 0.6745
}

/// Replaces deviations that are too small to divide by.
pub(crate) fn divisors(sigma: Vec<f64>) -> Vec<f64> {
    let least = sigma.iter().fold(0.0, |max: f64, &x| max.max(x)) * 1e-6;
    sigma.into_iter().map(|x| if least > 0.0 { x.max(least) } else { 1.0 }).collect()
}
