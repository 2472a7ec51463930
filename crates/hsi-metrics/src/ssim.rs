//! The structural similarity index.

use ndarray::{ArrayView2, ArrayView3};

use crate::Result;
use crate::pair::{Pair, ensure_range, mean};
use crate::window::mean_over_windows;

/// Rows and columns of the window.
pub(crate) const SSIM_WINDOW: usize = 7;

/// Returns the structural similarity index, averaged over windows and then over bands.
///
/// ```text
/// SSIM = (2 mx my + C1) (2 sxy + C2) / ((mx^2 + my^2 + C1) (sxx + syy + C2))
/// C1 = (0.01 data_range)^2,  C2 = (0.03 data_range)^2
/// ```
///
/// The means and covariances are those of a uniform 7 x 7 window, the covariances divided by
/// 48 (sample covariance); only windows inside the image count. Same as the mean over bands of
/// `skimage.metrics.structural_similarity(x, y, win_size=7, data_range=data_range)` of
/// scikit-image 0.26.
///
/// # Shapes
/// Both images: `[bands, rows, cols]`.
///
/// # Errors
/// As [`mse`](crate::mse), [`Error::DataRange`](crate::Error::DataRange), and
/// [`Error::Window`](crate::Error::Window) for images of fewer than 7 rows or columns.
///
/// # References
/// Z. Wang, A. Bovik, H. Sheikh, E. Simoncelli, "Image quality assessment: from error visibility
/// to structural similarity", IEEE Trans. Image Processing 13(4), 2004, doi:10.1109/TIP.2003.819861.
pub fn ssim(
    reference: ArrayView3<'_, f32>,
    estimate: ArrayView3<'_, f32>,
    data_range: f32,
) -> Result<f64> {
    Ok(mean(&ssim_per_band(reference, estimate, data_range)?))
}

/// Returns the structural similarity index of every band; otherwise as [`ssim`].
///
/// # Errors
/// As [`ssim`].
pub fn ssim_per_band(
    reference: ArrayView3<'_, f32>,
    estimate: ArrayView3<'_, f32>,
    data_range: f32,
) -> Result<Vec<f64>> {
    let range = ensure_range(data_range)?;
    let pair = Pair::new(reference, estimate)?;
    pair.ensure_window("ssim", SSIM_WINDOW)?;
    Ok(pair.per_band(|x, y| band_ssim(x, y, SSIM_WINDOW, true, range)))
}

/// Structural similarity of one band with a uniform window.
pub(crate) fn band_ssim(
    reference: ArrayView2<'_, f32>,
    estimate: ArrayView2<'_, f32>,
    window: usize,
    sample_covariance: bool,
    range: f64,
) -> f64 {
    let n = (window * window) as f64;
    let unbias = if sample_covariance { n / (n - 1.0) } else { 1.0 };
    let c1 = (0.01 * range).powi(2);
    let c2 = (0.03 * range).powi(2);
    mean_over_windows(reference, estimate, window, 0, |sums| {
        let (mx, my) = (sums.x / n, sums.y / n);
        let sxx = unbias * (sums.xx / n - mx * mx);
        let syy = unbias * (sums.yy / n - my * my);
        let sxy = unbias * (sums.xy / n - mx * my);
        let numerator = (2.0 * mx * my + c1) * (2.0 * sxy + c2);
        numerator / ((mx * mx + my * my + c1) * (sxx + syy + c2))
    })
}
