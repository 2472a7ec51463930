//! The universal image quality index.

use ndarray::{ArrayView2, ArrayView3};

use crate::Result;
use crate::pair::{Pair, mean};
use crate::window::mean_over_windows;

/// Rows and columns of the window.
pub(crate) const UIQI_WINDOW: usize = 8;

/// Returns the universal image quality index, averaged over windows and then over bands.
///
/// ```text
/// Q = 4 sxy mx my / ((sxx + syy) (mx^2 + my^2))
/// ```
///
/// over all 8 x 8 windows inside the image. A window without variance in either image counts
/// `2 mx my / (mx^2 + my^2)`; one whose means are both zero counts 1. [`hyperbench::uiqi`] is
/// the other definition in use.
///
/// # Shapes
/// Both images: `[bands, rows, cols]`.
///
/// # Errors
/// As [`mse`](crate::mse), and [`Error::Window`](crate::Error::Window) for images of fewer than
/// 8 rows or columns.
///
/// # References
/// Z. Wang, A. Bovik, "A universal image quality index", IEEE Signal Processing Letters 9(3),
/// 2002, doi:10.1109/97.995823.
///
/// [`hyperbench::uiqi`]: crate::hyperbench::uiqi
pub fn uiqi(reference: ArrayView3<'_, f32>, estimate: ArrayView3<'_, f32>) -> Result<f64> {
    Ok(mean(&uiqi_per_band(reference, estimate)?))
}

/// Returns the universal image quality index of every band; otherwise as [`uiqi`].
///
/// # Errors
/// As [`uiqi`].
pub fn uiqi_per_band(
    reference: ArrayView3<'_, f32>,
    estimate: ArrayView3<'_, f32>,
) -> Result<Vec<f64>> {
    let pair = Pair::new(reference, estimate)?;
    pair.ensure_window("uiqi", UIQI_WINDOW)?;
    Ok(pair.per_band(band_uiqi))
}

/// Universal image quality index of one band.
pub(crate) fn band_uiqi(reference: ArrayView2<'_, f32>, estimate: ArrayView2<'_, f32>) -> f64 {
    let n = (UIQI_WINDOW * UIQI_WINDOW) as f64;
    mean_over_windows(reference, estimate, UIQI_WINDOW, 0, |sums| {
        // Each n^2 times a variance; exactly zero for constant windows.
        let sxx = n * sums.xx - sums.x * sums.x;
        let syy = n * sums.yy - sums.y * sums.y;
        let sxy = n * sums.xy - sums.x * sums.y;
        index(sxy, sxx + syy, sums.x * sums.y, sums.x * sums.x + sums.y * sums.y)
    })
}

/// The quotient of the index with its special cases, from the product and the sum of squares of
/// the spreads (`structure`, `spread`) and of the levels (`product`, `level`).
pub(crate) fn index(structure: f64, spread: f64, product: f64, level: f64) -> f64 {
    let denominator = spread * level;
    if denominator != 0.0 {
        4.0 * structure * product / denominator
    } else if spread == 0.0 && level != 0.0 {
        2.0 * product / level
    } else {
        1.0
    }
}
