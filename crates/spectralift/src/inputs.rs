//! Which multispectral values of the low-resolution pixels a map is fitted to: those that the
//! response makes of the cube, or the sensor's own.

use ndarray::{Array2, Array3, ArrayView1};

use crate::train::Order;
use crate::{Error, Observed, Psf, PsfConfig, PsfShape, Result, area_average, blur};

/// Blurs that are tried, their widths in low-resolution pixels.
const BLURS: [(PsfShape, f64); 15] = [
    (PsfShape::Delta, 0.0),
    (PsfShape::Gaussian, 0.15),
    (PsfShape::Gaussian, 0.25),
    (PsfShape::Gaussian, 0.375),
    (PsfShape::Gaussian, 0.5),
    (PsfShape::Gaussian, 0.625),
    (PsfShape::Gaussian, 0.75),
    (PsfShape::Gaussian, 0.875),
    (PsfShape::Gaussian, 1.0),
    (PsfShape::Gaussian, 1.2),
    (PsfShape::Gaussian, 1.5),
    (PsfShape::Sinc, 0.425),
    (PsfShape::Sinc, 0.6),
    (PsfShape::Sinc, 0.85),
    (PsfShape::Sinc, 1.2),
];
/// Part of the variance of the multispectral bands that an exact response leaves unexplained at
/// most, noise and a blur of another form included.
const UNEXPLAINED: f64 = 0.01;

/// The multispectral image at low resolution, if the response does not explain it.
///
/// An exact response makes of the cube what the sensor would see of it, and a map can be fitted to
/// that. With an estimated response the sensor sees what the cube does not tell: a map that relies
/// on fine differences between bands then fails on the sensor's own image, and is better fitted to
/// that image, blurred and averaged to the pixels of the cube. The blur is the one, of several, for
/// which the two agree best.
pub(crate) fn sensor_image(observed: &Observed<'_>, order: &Order) -> Result<Option<Array3<f32>>> {
    let computed = order.gather(observed.lr_hsi).dot(&observed.srf.weights().t());
    let mut best: Option<(f64, Array3<f32>)> = None;
    for (shape, width) in BLURS {
        // A few pixels wide, some kernels sum to nothing: these are not tried.
        let seen = match at_low_resolution(observed, shape, width) {
            Err(Error::PsfSum { .. }) => continue,
            other => other?,
        };
        let left = unexplained(&computed, &order.gather(seen.view()));
        if best.as_ref().is_none_or(|(least, _)| left < *least) {
            best = Some((left, seen));
        }
    }
    Ok(best.filter(|(left, _)| *left > UNEXPLAINED).map(|(_, seen)| seen))
}

/// The multispectral image, blurred and averaged to the pixels of the cube.
fn at_low_resolution(observed: &Observed<'_>, shape: PsfShape, width: f64) -> Result<Array3<f32>> {
    let ((_, low_rows, low_cols), (_, rows, _)) = (observed.lr_hsi.dim(), observed.hr_msi.dim());
    let sigma = width * rows as f64 / low_rows as f64;
    if sigma == 0.0 {
        return area_average(observed.hr_msi, low_rows, low_cols);
    }
    // As far out as the published kernels reach.
    let radius = (7.0 / 3.4 * sigma).ceil().min(1000.0) as usize;
    let psf = Psf::new(&PsfConfig { shape, sigma, radius })?;
    area_average(blur(observed.hr_msi, &psf).view(), low_rows, low_cols)
}

/// The mean over bands of the part of the variance that one image leaves of the other.
fn unexplained(a: &Array2<f32>, b: &Array2<f32>) -> f64 {
    let bands = a.columns().into_iter().zip(b.columns());
    let sum: f64 = bands.map(|(a, b)| 1.0 - squared_correlation(a, b)).sum();
    sum / a.ncols().max(1) as f64
}

/// 1 for bands without any variance: there is nothing to explain.
fn squared_correlation(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>) -> f64 {
    let n = a.len().max(1) as f64;
    let mean = |v: ArrayView1<'_, f32>| v.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let mut sums = [0.0; 3];
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (f64::from(a) - mean_a, f64::from(b) - mean_b);
        sums = [sums[0] + a * a, sums[1] + b * b, sums[2] + a * b];
    }
    let product = sums[0] * sums[1];
    if product > 0.0 { sums[2] * sums[2] / product } else { 1.0 }
}
