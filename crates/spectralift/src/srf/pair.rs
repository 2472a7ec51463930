//! The response of a sensor from two images of different resolution.

use ndarray::{ArrayView2, ArrayView3};

use super::{SrfEstimate, estimate_srf};
use crate::matching::Matching;
use crate::train::is_used;
use crate::{Result, area_average};

/// Estimates of the blur, at most.
const ROUNDS: usize = 10;
/// The part of the variance that another round has to explain.
const GAIN: f64 = 1e-5;

/// Estimates the response of a multispectral sensor from its image and a hyperspectral one of lower
/// resolution, with the blur between the two.
///
/// A response that is estimated from an image that is sharper than the cube, or less sharp, makes
/// up for it by differences between bands. So the two are estimated in turn: the response as
/// [`estimate_srf`], beginning with plain averages over the pixels of the cube, and the blur, a
/// mixture of Gaussians that makes of the multispectral image what is most like the response to the
/// cube, until the response explains no more.
///
/// # Shapes
/// - `lr_hsi`: `[hyperspectral bands, low_rows, low_cols]`
/// - `hr_msi`: `[multispectral bands, rows, cols]`
/// - `missing`: `[low_rows, low_cols]`, `true` where a pixel is left out
///
/// # Errors
/// As [`estimate_srf`] and [`area_average`].
///
/// # References
/// Simões, Bioucas-Dias, Almeida and Chanussot 2015, doi:10.1109/TGRS.2014.2375320, who estimate the
/// response after strong blurs of both images, and then the blur.
pub fn estimate_srf_of_pair(
    lr_hsi: ArrayView3<'_, f32>,
    hr_msi: ArrayView3<'_, f32>,
    missing: Option<ArrayView2<'_, bool>>,
    smoothness: f64,
) -> Result<SrfEstimate> {
    let (_, rows, cols) = lr_hsi.dim();
    let averaged = area_average(hr_msi, rows, cols)?;
    let mut best = estimate_srf(lr_hsi, averaged.view(), missing, smoothness)?;
    let places = (0..rows).flat_map(|row| (0..cols).map(move |col| (row, col)));
    let pixels: Vec<_> = places.filter(|&at| is_used(missing, at)).collect();
    let explained = |found: &SrfEstimate| {
        found.explained.iter().sum::<f64>() / found.explained.len().max(1) as f64
    };
    for _ in 0..ROUNDS {
        let computed = best.srf.apply(lr_hsi)?;
        let (matching, _) = Matching::fit(hr_msi, computed.view(), &pixels)?;
        let seen = matching.apply(hr_msi)?;
        let next = estimate_srf(lr_hsi, seen.view(), missing, smoothness)?;
        let gain = explained(&next) - explained(&best);
        if gain > 0.0 {
            best = next;
        }
        if gain < GAIN {
            break;
        }
    }
    Ok(best)
}
