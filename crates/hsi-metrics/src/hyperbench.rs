//! The metrics as the super-resolution benchmark HyperBench defines them, for comparison with
//! figures published that way: those of the Python package `sewar`, with its peculiarities, and a
//! spectral angle in degrees.
//!
//! All expect data on the [0, 1] scale. [`Variant::HyperBench`](crate::Variant::HyperBench)
//! selects them in [`Metrics`](crate::Metrics).

use ndarray::{ArrayView2, ArrayView3};

use crate::Result;
use crate::fidelity::{band_mse, decibels, relative_error};
use crate::pair::{Pair, mean};
use crate::sam::mean_angle;
use crate::ssim::band_ssim;
use crate::uiqi::{UIQI_WINDOW, index};
use crate::window::mean_over_windows;

/// Rows and columns of the window of [`ssim`].
pub(crate) const SSIM_WINDOW: usize = 11;
/// Fewest rows and columns for [`uiqi`], which leaves out the last window of each axis.
pub(crate) const UIQI_SIZE: usize = UIQI_WINDOW + 1;

/// Returns the root mean squared error over all values; the same as [`rmse`](crate::rmse).
///
/// # Errors
/// As [`mse`](crate::mse).
pub fn rmse(reference: ArrayView3<'_, f32>, estimate: ArrayView3<'_, f32>) -> Result<f64> {
    crate::rmse(reference, estimate)
}

/// Returns the global peak signal-to-noise ratio of 8-bit copies in dB; infinite if they are equal.
///
/// A copy holds `trunc(clamp(255 x, 0, 255))`: truncated, not rounded.
///
/// # Errors
/// As [`mse`](crate::mse).
pub fn psnr(reference: ArrayView3<'_, f32>, estimate: ArrayView3<'_, f32>) -> Result<f64> {
    let pair = Pair::new(reference, estimate)?;
    Ok(psnr_of(&pair.per_band(|x, y| band_8bit_mse(x, y))))
}

/// Returns the structural similarity index of 8-bit copies (see [`psnr`]), averaged over windows
/// and then over bands.
///
/// Uniform 11 x 11 windows inside the image, moments divided by 121, data range 255.
///
/// # Errors
/// As [`mse`](crate::mse), and [`Error::Window`](crate::Error::Window) for images of fewer than
/// 11 rows or columns.
pub fn ssim(reference: ArrayView3<'_, f32>, estimate: ArrayView3<'_, f32>) -> Result<f64> {
    let pair = Pair::new(reference, estimate)?;
    pair.ensure_window("hyperbench ssim", SSIM_WINDOW)?;
    Ok(mean(&pair.per_band(|x, y| band_8bit_ssim(x, y))))
}

/// Returns the quality index of `sewar`, averaged over windows and then over bands.
///
/// It puts the window *means* `a`, `b` where the universal quality index wants window sums:
///
/// ```text
/// q = 4 (64 E[xy] - ab) ab / ((64 (E[xx] + E[yy]) - (a^2 + b^2)) (a^2 + b^2))
/// ```
///
/// so that lost structure hardly counts. 8 x 8 windows, without the last one of each axis.
///
/// # Errors
/// As [`mse`](crate::mse), and [`Error::Window`](crate::Error::Window) for images of fewer than
/// 9 rows or columns.
pub fn uiqi(reference: ArrayView3<'_, f32>, estimate: ArrayView3<'_, f32>) -> Result<f64> {
    let pair = Pair::new(reference, estimate)?;
    pair.ensure_window("hyperbench uiqi", UIQI_SIZE)?;
    Ok(mean(&pair.per_band(band_uiqi)))
}

/// Returns [`ergas`](crate::ergas) with the ratio 1/4, whatever the ratio of the resolutions.
///
/// # Errors
/// As [`mse`](crate::mse).
pub fn ergas(reference: ArrayView3<'_, f32>, estimate: ArrayView3<'_, f32>) -> Result<f64> {
    crate::ergas(reference, estimate, 0.25)
}

/// Returns the mean spectral angle over pixels in degrees.
///
/// `arccos(clamp(x . y / (|x| |y| + 1e-8), -1 + 1e-9, 1 - 1e-9))` with the quotient in `f32`: a
/// spectrum of zeros forms a right angle with any, and angles below about 0.02 degrees are coarse.
///
/// # Errors
/// As [`mse`](crate::mse).
pub fn sam_deg(reference: ArrayView3<'_, f32>, estimate: ArrayView3<'_, f32>) -> Result<f64> {
    Ok(pair_sam_deg(&Pair::new(reference, estimate)?))
}

pub(crate) fn pair_sam_deg(pair: &Pair<'_>) -> f64 {
    let angle = |dot: f64, xx: f64, yy: f64| {
        let norms = (xx as f32).sqrt() * (yy as f32).sqrt();
        let cosine = dot as f32 / (norms + 1e-8);
        // The bound 1 - 1e-9 is 1 in f32.
        f64::from(cosine.clamp(-1.0, 1.0).acos())
    };
    mean_angle(pair, angle).to_degrees()
}

pub(crate) fn psnr_of(errors_8bit: &[f64]) -> f64 {
    decibels(255.0, mean(errors_8bit))
}

pub(crate) fn band_8bit_mse(reference: ArrayView2<'_, f32>, estimate: ArrayView2<'_, f32>) -> f64 {
    band_mse(reference.mapv(eight_bit).view(), estimate.mapv(eight_bit).view())
}

pub(crate) fn band_8bit_ssim(reference: ArrayView2<'_, f32>, estimate: ArrayView2<'_, f32>) -> f64 {
    let (x, y) = (reference.mapv(eight_bit), estimate.mapv(eight_bit));
    band_ssim(x.view(), y.view(), SSIM_WINDOW, false, 255.0)
}

pub(crate) fn band_uiqi(reference: ArrayView2<'_, f32>, estimate: ArrayView2<'_, f32>) -> f64 {
    let n = (UIQI_WINDOW * UIQI_WINDOW) as f64;
    mean_over_windows(reference, estimate, UIQI_WINDOW, 1, |sums| {
        let (a, b) = (sums.x / n, sums.y / n);
        let level = a * a + b * b;
        index(sums.xy - a * b, sums.xx + sums.yy - level, a * b, level)
    })
}

pub(crate) fn band_ergas(reference: ArrayView2<'_, f32>, estimate: ArrayView2<'_, f32>) -> f64 {
    relative_error(reference, band_mse(reference, estimate))
}

fn eight_bit(x: f32) -> f32 {
    (255.0 * x).clamp(0.0, 255.0).trunc()
}
