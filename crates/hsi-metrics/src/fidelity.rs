//! Metrics of the squared error: MSE, RMSE, PSNR, ERGAS.

use ndarray::{ArrayView2, ArrayView3};

use crate::pair::{Pair, ensure_range, for_each_value, mean};
use crate::{Error, Result};

/// Returns the mean squared error over all values.
///
/// # Shapes
/// Both images: `[bands, rows, cols]`.
///
/// # Errors
/// [`Error::Shape`], [`Error::Empty`] or [`Error::NonFinite`] for images that cannot be compared.
pub fn mse(reference: ArrayView3<'_, f32>, estimate: ArrayView3<'_, f32>) -> Result<f64> {
    Ok(mean(&mse_per_band(reference, estimate)?))
}

/// Returns the mean squared error of every band.
///
/// # Errors
/// As [`mse`].
pub fn mse_per_band(
    reference: ArrayView3<'_, f32>,
    estimate: ArrayView3<'_, f32>,
) -> Result<Vec<f64>> {
    Ok(Pair::new(reference, estimate)?.per_band(band_mse))
}

/// Returns the square root of the mean squared error over all values.
///
/// # Errors
/// As [`mse`].
pub fn rmse(reference: ArrayView3<'_, f32>, estimate: ArrayView3<'_, f32>) -> Result<f64> {
    Ok(mse(reference, estimate)?.sqrt())
}

/// Returns the peak signal-to-noise ratio in dB, averaged over bands.
///
/// ```text
/// PSNR = mean over bands b of 10 log10(data_range^2 / MSE_b)
/// ```
///
/// A band without any error has no finite value. Such bands are left out of the mean, which is
/// infinite only if every band is without error; [`psnr_per_band`] shows them.
///
/// # Errors
/// As [`mse`], and [`Error::DataRange`] unless `data_range` is finite and above 0.
pub fn psnr(
    reference: ArrayView3<'_, f32>,
    estimate: ArrayView3<'_, f32>,
    data_range: f32,
) -> Result<f64> {
    Ok(mean_psnr(&psnr_per_band(reference, estimate, data_range)?))
}

/// Returns the peak signal-to-noise ratio of every band in dB, infinite where the error is zero.
///
/// # Errors
/// As [`psnr`].
pub fn psnr_per_band(
    reference: ArrayView3<'_, f32>,
    estimate: ArrayView3<'_, f32>,
    data_range: f32,
) -> Result<Vec<f64>> {
    let range = ensure_range(data_range)?;
    let errors = mse_per_band(reference, estimate)?;
    Ok(errors.into_iter().map(|mse| decibels(range, mse)).collect())
}

/// Returns the peak signal-to-noise ratio in dB from the error over all values; infinite for
/// equal images.
///
/// # Errors
/// As [`psnr`].
pub fn psnr_global(
    reference: ArrayView3<'_, f32>,
    estimate: ArrayView3<'_, f32>,
    data_range: f32,
) -> Result<f64> {
    let range = ensure_range(data_range)?;
    Ok(decibels(range, mse(reference, estimate)?))
}

/// Returns the relative global error in synthesis, ERGAS; 0 is best.
///
/// ```text
/// ERGAS = 100 ratio sqrt(mean over bands b of MSE_b / mean(reference_b)^2)
/// ```
///
/// `ratio` is the pixel size of the fine image over that of the coarse one (1/4 for fourfold
/// sharpening, 1 where the resolution stays). A band whose reference has the mean 0 makes the
/// value infinite, unless it is without error.
///
/// # Errors
/// As [`mse`], and [`Error::Ratio`] unless `ratio` is finite and above 0.
///
/// # References
/// L. Wald, *Data Fusion: Definitions and Architectures*, Presses des Mines, 2002.
pub fn ergas(
    reference: ArrayView3<'_, f32>,
    estimate: ArrayView3<'_, f32>,
    ratio: f64,
) -> Result<f64> {
    if !(ratio.is_finite() && ratio > 0.0) {
        return Err(Error::Ratio { got: ratio });
    }
    let pair = Pair::new(reference, estimate)?;
    let terms = pair.per_band(|x, y| relative_error(x, band_mse(x, y)));
    Ok(100.0 * ratio * mean(&terms).sqrt())
}

/// Mean squared error of one band.
pub(crate) fn band_mse(reference: ArrayView2<'_, f32>, estimate: ArrayView2<'_, f32>) -> f64 {
    let mut sum = 0.0;
    for_each_value(reference, estimate, |x, y| sum += (x - y) * (x - y));
    sum / reference.len() as f64
}

/// Squared error of a band relative to its mean level, the term of ERGAS.
pub(crate) fn relative_error(reference: ArrayView2<'_, f32>, mse: f64) -> f64 {
    if mse == 0.0 {
        return 0.0;
    }
    let level = reference.fold(0.0, |sum, &x| sum + f64::from(x)) / reference.len() as f64;
    mse / (level * level)
}

/// Mean over the bands that have an error; infinite if none has.
pub(crate) fn mean_psnr(per_band: &[f64]) -> f64 {
    let finite: Vec<f64> = per_band.iter().copied().filter(|db| db.is_finite()).collect();
    if finite.is_empty() { f64::INFINITY } else { mean(&finite) }
}

pub(crate) fn decibels(range: f64, mse: f64) -> f64 {
    if mse == 0.0 { f64::INFINITY } else { 10.0 * (range * range / mse).log10() }
}
