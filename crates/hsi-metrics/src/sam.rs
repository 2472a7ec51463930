//! The spectral angle.

use std::f64::consts::FRAC_PI_2;

use ndarray::parallel::prelude::*;
use ndarray::{Array2, ArrayView3, Axis};

use crate::Result;
use crate::pair::{Pair, mean};

/// Returns the mean spectral angle over pixels, in radians.
///
/// ```text
/// SAM = mean over pixels of arccos(x . y / (|x| |y|))
/// ```
///
/// Two spectra of zeros form the angle 0, one of zeros and another one a right angle. The cosine
/// is computed in `f64`, which resolves angles down to about 1e-8.
///
/// # Shapes
/// Both images: `[bands, rows, cols]`.
///
/// # Errors
/// As [`mse`](crate::mse).
///
/// # References
/// F. Kruse et al., "The spectral image processing system (SIPS)", Remote Sensing of Environment
/// 44, 1993, doi:10.1016/0034-4257(93)90013-N.
pub fn sam(reference: ArrayView3<'_, f32>, estimate: ArrayView3<'_, f32>) -> Result<f64> {
    Ok(pair_sam(&Pair::new(reference, estimate)?))
}

/// Returns the spectral angle of every pixel in radians; otherwise as [`sam`].
///
/// # Shapes
/// Both images: `[bands, rows, cols]`; the result: `[rows, cols]`.
///
/// # Errors
/// As [`sam`].
pub fn sam_map(
    reference: ArrayView3<'_, f32>,
    estimate: ArrayView3<'_, f32>,
) -> Result<Array2<f64>> {
    let pair = Pair::new(reference, estimate)?;
    let (_, rows, cols) = reference.dim();
    let mut map = Array2::zeros((rows, cols));
    for (mut row, angles) in map.rows_mut().into_iter().zip(angles_per_row(&pair, angle)) {
        for (cell, angle) in row.iter_mut().zip(angles) {
            *cell = angle;
        }
    }
    Ok(map)
}

/// Mean spectral angle in radians.
pub(crate) fn pair_sam(pair: &Pair<'_>) -> f64 {
    mean_angle(pair, angle)
}

/// Mean over pixels of `angle(x . y, |x|^2, |y|^2)`.
pub(crate) fn mean_angle(pair: &Pair<'_>, angle: impl Fn(f64, f64, f64) -> f64 + Sync) -> f64 {
    let rows: Vec<f64> = angles_per_row(pair, angle).iter().map(|angles| mean(angles)).collect();
    mean(&rows)
}

fn angles_per_row(pair: &Pair<'_>, angle: impl Fn(f64, f64, f64) -> f64 + Sync) -> Vec<Vec<f64>> {
    let (_, rows, cols) = pair.reference.dim();
    let one_row = |row: usize| {
        let mut sums = vec![(0.0, 0.0, 0.0); cols];
        let x = pair.reference.index_axis(Axis(1), row);
        let y = pair.estimate.index_axis(Axis(1), row);
        for (x, y) in x.rows().into_iter().zip(y.rows()) {
            for (sum, (&x, &y)) in sums.iter_mut().zip(x.iter().zip(y)) {
                let (x, y) = (f64::from(x), f64::from(y));
                sum.0 += x * y;
                sum.1 += x * x;
                sum.2 += y * y;
            }
        }
        sums.into_iter().map(|(dot, xx, yy)| angle(dot, xx, yy)).collect()
    };
    (0..rows).into_par_iter().map(one_row).collect()
}

fn angle(dot: f64, xx: f64, yy: f64) -> f64 {
    match (xx == 0.0, yy == 0.0) {
        (true, true) => 0.0,
        (false, false) => (dot / (xx.sqrt() * yy.sqrt())).clamp(-1.0, 1.0).acos(),
        _ => FRAC_PI_2,
    }
}
