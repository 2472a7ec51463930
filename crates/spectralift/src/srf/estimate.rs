//! The response of a sensor from a pair of images of the same ground.

use ndarray::{Array1, Array2, Array3, ArrayView2, ArrayView3, s};

use super::{Srf, nonnegative_least_squares};
use crate::{Error, Result};

/// Pixels whose products are summed in one piece.
const PIXELS: usize = 4096;
/// Part of the mean power of a band by which the Gram matrix is made definite.
const RIDGE: f64 = 1e-9;

/// A response that was estimated from a pair of images, and how the scales of the two relate.
#[derive(Clone, Debug, PartialEq)]
pub struct SrfEstimate {
    /// The response, rows normalised.
    pub srf: Srf,
    /// Units of the multispectral image in one unit of the hyperspectral one, one a band.
    pub gain: Vec<f64>,
    /// Value of the multispectral image where the hyperspectral one is 0, one a band.
    pub offset: Vec<f64>,
    /// Part of the variance of each multispectral band that the response explains, at most 1.
    pub explained: Vec<f64>,
}

impl SrfEstimate {
    /// Brings a multispectral image to the scale of the hyperspectral one:
    /// `(value - offset) / gain`, for each band.
    ///
    /// # Shapes
    /// - `msi`: `[multispectral bands, rows, cols]`
    ///
    /// # Errors
    /// [`Error::BandCount`] if the image has another number of bands.
    pub fn to_hsi_scale(&self, msi: &mut Array3<f32>) -> Result<()> {
        let (expected, got) = (self.gain.len(), msi.dim().0);
        if expected != got {
            return Err(Error::BandCount { what: "the multispectral image", expected, got });
        }
        let scales = self.gain.iter().zip(&self.offset);
        for (mut band, (gain, offset)) in msi.outer_iter_mut().zip(scales) {
            band.par_mapv_inplace(|value| ((f64::from(value) - offset) / gain) as f32);
        }
        Ok(())
    }
}

/// Estimates the response of a multispectral sensor from its image and a hyperspectral one of the
/// same ground on the same grid.
///
/// For each multispectral band `m` it finds the weights `s >= 0` and the offset `o` that make
///
/// ```text
/// mean over pixels of (m - o - Σ_j s_j y_j)²  +  smoothness p Σ_j (s_{j-1} - 2 s_j + s_{j+1})²
/// ```
///
/// smallest, where `p` is the mean variance of the hyperspectral bands `y_j`. The sum of the
/// weights is the gain between the scales of the two images. Bands are taken in the order given,
/// which should be that of their wavelengths.
///
/// # Shapes
/// - `hsi`: `[hyperspectral bands, rows, cols]`; `msi`: `[multispectral bands, rows, cols]`
/// - `missing`: `[rows, cols]`, `true` where a pixel is left out
///
/// # Errors
/// [`Error::Shape`] if sizes differ or fewer than two pixels are left, [`Error::NotFinite`],
/// [`Error::Setting`] for a negative smoothness, [`Error::SrfRow`] if a multispectral band has no
/// positive relation to any hyperspectral one.
pub fn estimate_srf(
    hsi: ArrayView3<'_, f32>,
    msi: ArrayView3<'_, f32>,
    missing: Option<ArrayView2<'_, bool>>,
    smoothness: f64,
) -> Result<SrfEstimate> {
    if !(smoothness.is_finite() && smoothness >= 0.0) {
        return Err(Error::setting("srf-smoothness", "a number from 0", smoothness));
    }
    let ((bands, rows, cols), (count, ..)) = (hsi.dim(), msi.dim());
    let same = |shape: &[usize]| shape == [rows, cols];
    if !same(&msi.shape()[1..]) || !missing.as_ref().is_none_or(|mask| same(mask.shape())) {
        return Err(Error::Shape {
            what: "the multispectral image, averaged to the low resolution,",
            expected: format!("{rows} x {cols} pixels"),
            got: msi.shape().to_vec(),
        });
    }
    let pixels: Vec<(usize, usize)> = (0..rows)
        .flat_map(|row| (0..cols).map(move |col| (row, col)))
        .filter(|&at| missing.as_ref().is_none_or(|mask| !mask[at]))
        .collect();
    if pixels.len() < 2 || bands == 0 || count == 0 {
        return Err(Error::Shape {
            what: "the pair of images",
            expected: "one band or more, and two pixels or more".to_owned(),
            got: vec![bands.min(count), pixels.len()],
        });
    }
    let moments = Moments::of(hsi, msi, &pixels)?;
    let covariance = moments.covariance.slice(s![..bands, ..bands]);
    let power = covariance.diag().mean().unwrap_or_default();
    let mut gram = covariance.to_owned();
    gram.diag_mut().mapv_inplace(|v| v + RIDGE * power);
    for j in 1..bands.saturating_sub(1) {
        let stencil = [(j - 1, 1.0), (j, -2.0), (j + 1, 1.0)];
        for (a, wa) in stencil {
            for (b, wb) in stencil {
                gram[[a, b]] += smoothness * power * wa * wb;
            }
        }
    }
    let mut weights = Array2::zeros((count, bands));
    let mut result = (Vec::new(), Vec::new(), Vec::new());
    for (row, mut weights) in weights.outer_iter_mut().enumerate() {
        let moment = moments.covariance.slice(s![..bands, bands + row]);
        let found = nonnegative_least_squares(gram.view(), moment)?;
        let variance = moments.covariance[[bands + row, bands + row]];
        let error = variance - 2.0 * found.dot(&moment) + found.dot(&covariance.dot(&found));
        let sum = found.sum();
        if sum <= 0.0 {
            return Err(Error::SrfRow { row, sum });
        }
        let hsi_mean = moments.mean.slice(s![..bands]);
        result.0.push(sum);
        result.1.push(moments.mean[bands + row] - found.dot(&hsi_mean));
        result.2.push(if variance > 0.0 { 1.0 - error / variance } else { 0.0 });
        weights.assign(&(found / sum));
    }
    let (gain, offset, explained) = result;
    Ok(SrfEstimate { srf: Srf::from_weights(weights)?, gain, offset, explained })
}

/// Means and covariances of all bands of both images, hyperspectral ones first.
struct Moments {
    mean: Array1<f64>,
    covariance: Array2<f64>,
}

impl Moments {
    fn of(
        hsi: ArrayView3<'_, f32>,
        msi: ArrayView3<'_, f32>,
        pixels: &[(usize, usize)],
    ) -> Result<Self> {
        let planes: Vec<_> = hsi.outer_iter().chain(msi.outer_iter()).collect();
        let n = planes.len();
        // In two passes: centred values keep their digits.
        let mut mean = Array1::zeros(n);
        for (mean, plane) in mean.iter_mut().zip(&planes) {
            let sum: f64 = pixels.iter().map(|&at| f64::from(plane[at])).sum();
            *mean = sum / pixels.len() as f64;
        }
        let count = mean.iter().filter(|mean: &&f64| !mean.is_finite()).count();
        if count > 0 {
            return Err(Error::NotFinite { what: "the pair of images", count });
        }
        let mut covariance = Array2::zeros((n, n));
        for piece in pixels.chunks(PIXELS) {
            let mut centred = Array2::zeros((n, piece.len()));
            for ((mut row, plane), mean) in centred.outer_iter_mut().zip(&planes).zip(&mean) {
                row.iter_mut().zip(piece).for_each(|(to, &at)| *to = f64::from(plane[at]) - mean);
            }
            covariance += &centred.dot(&centred.t());
        }
        covariance /= pixels.len() as f64;
        Ok(Self { mean, covariance })
    }
}
