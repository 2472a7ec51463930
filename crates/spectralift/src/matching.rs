//! The blur between two images of the same ground: how the finer one is brought to the pixels of the
//! coarser one.

use ndarray::{Array1, Array2, Array3, ArrayView1, ArrayView3, Axis};

use crate::Result;
use crate::degrade::blurred_average;
use crate::linalg::eigen;
use crate::train::gather;

/// Widths of the Gaussians that a blur is made of, along rows and along columns, in low-resolution
/// pixels. Their sums and differences come near to any smooth kernel: rings, negative lobes and
/// kernels that are longer than wide included.
const WIDTHS: [f64; 7] = [0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5];
/// Pixels that the blur is fitted to, at most.
const PIXELS: usize = 4096;
/// Ridge of that fit, as part of the mean of the diagonal.
const RIDGE: f64 = 1e-6;

/// A blur, the same for all bands, and the average over the pixels of low resolution.
#[derive(Clone, Debug)]
pub(crate) struct Matching {
    low: (usize, usize),
    /// What each pair of widths counts.
    shares: Array1<f64>,
}

impl Matching {
    /// The mixture of Gaussians that makes of the fine image what is most like the coarse one, and
    /// the part of the variance of the bands that it leaves unexplained. Each band has a scale and
    /// offset of its own.
    ///
    /// # Shapes
    /// - `fine`: `[bands, rows, cols]`; `coarse`: `[bands, low_rows, low_cols]`, looked at in
    ///   `pixels` only
    pub(crate) fn fit(
        fine: ArrayView3<'_, f32>,
        coarse: ArrayView3<'_, f32>,
        pixels: &[(usize, usize)],
    ) -> Result<(Self, f64)> {
        let low = (coarse.dim().1, coarse.dim().2);
        let step = pixels.len().div_ceil(PIXELS).max(1);
        let pixels: Vec<_> = pixels.iter().copied().step_by(step).collect();
        let wanted = gather(coarse, &pixels);
        let seen = pairs().map(|blur| Ok(gather(averaged(fine, low, blur)?.view(), &pixels)));
        let seen: Vec<Array2<f32>> = seen.collect::<Result<_>>()?;
        let shares = shares(&wanted, &seen)?;
        let mut mixed = Array2::zeros(wanted.dim());
        seen.iter().zip(&shares).for_each(|(seen, &share)| mixed.scaled_add(share as f32, seen));
        Ok((Self { low, shares }, unexplained(&wanted, &mixed)))
    }

    /// An image at low resolution.
    ///
    /// # Shapes
    /// - `fine`: `[bands, rows, cols]`; output: `[bands, low_rows, low_cols]`
    pub(crate) fn apply(&self, fine: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        let mut image = Array3::zeros((fine.dim().0, self.low.0, self.low.1));
        for (blur, &share) in pairs().zip(&self.shares) {
            image.scaled_add(share as f32, &averaged(fine, self.low, blur)?);
        }
        Ok(image)
    }
}

/// Widths along rows and along columns; the first pair blurs nothing.
fn pairs() -> impl Iterator<Item = (f64, f64)> {
    WIDTHS.into_iter().flat_map(|down| WIDTHS.map(|across| (down, across)))
}

fn averaged(
    fine: ArrayView3<'_, f32>,
    low: (usize, usize),
    (down, across): (f64, f64),
) -> Result<Array3<f32>> {
    let (_, rows, cols) = fine.dim();
    let sigma = (down * rows as f64 / low.0 as f64, across * cols as f64 / low.1 as f64);
    blurred_average(fine, low, sigma)
}

/// The parts of several images whose sum is most like another one, by least squares over all bands,
/// each with a scale and offset of its own. They sum to 1, which keeps the scale of the images.
fn shares(wanted: &Array2<f32>, images: &[Array2<f32>]) -> Result<Array1<f64>> {
    let count = images.len();
    let mut gram = Array2::<f64>::zeros((count, count));
    let mut moment = Array1::<f64>::zeros(count);
    for (band, wanted) in wanted.axis_iter(Axis(1)).enumerate() {
        let wanted = centred(wanted);
        let bands: Vec<Array1<f64>> = images.iter().map(|i| centred(i.column(band))).collect();
        let (power, own) = (wanted.dot(&wanted), bands[0].dot(&bands[0]));
        if power <= 0.0 || own <= 0.0 {
            continue;
        }
        for (i, a) in bands.iter().enumerate() {
            moment[i] += a.dot(&wanted) / (power * own).sqrt();
            for (j, b) in bands.iter().enumerate().take(i + 1) {
                gram[[i, j]] += a.dot(b) / own;
                gram[[j, i]] = gram[[i, j]];
            }
        }
    }
    let ridge = RIDGE * gram.diag().mean().unwrap_or_default();
    let (values, axes) = eigen(gram.view())?;
    let solved = axes.t().dot(&moment) / values.mapv(|v| v.max(0.0) + ridge.max(f64::MIN_POSITIVE));
    let shares = axes.dot(&solved);
    let sum = shares.sum();
    // Images that have nothing in common: the plain average is as good as any.
    let plain = Array1::from_shape_fn(count, |i| f64::from(u8::from(i == 0)));
    Ok(if sum > 0.1 { shares / sum } else { plain })
}

fn centred(values: ArrayView1<'_, f32>) -> Array1<f64> {
    let values = values.mapv(f64::from);
    let mean = values.mean().unwrap_or_default();
    values - mean
}

/// The mean over bands of the part of the variance that one image leaves of the other; 0 for bands
/// without any variance: there is nothing to explain.
fn unexplained(a: &Array2<f32>, b: &Array2<f32>) -> f64 {
    let bands = a.columns().into_iter().zip(b.columns());
    let left = bands.map(|(a, b)| {
        let (a, b) = (centred(a), centred(b));
        let product = a.dot(&a) * b.dot(&b);
        if product > 0.0 { 1.0 - a.dot(&b).powi(2) / product } else { 0.0 }
    });
    left.sum::<f64>() / a.ncols().max(1) as f64
}
