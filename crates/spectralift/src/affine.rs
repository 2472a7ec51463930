//! The affine map from multispectral to hyperspectral pixels, in closed form.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::linalg::eigen;
use crate::{Error, Result};

/// Candidates for the ridge, as part of the mean variance of the multispectral bands.
const RIDGES: [f64; 15] =
    [0.0, 1e-7, 3e-7, 1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1];
/// Directions with less than this part of the largest variance are not used.
const MIN_VARIANCE: f64 = 1e-12;
/// A pixel whose own part of its fit leaves less than this cannot be judged by leaving it out.
const MIN_LEFT: f64 = 1e-6;

/// The affine map of least squares, `y = offset + x W`, with a ridge on `W`.
///
/// ```text
/// mean over pixels of |y - offset - x W|²  +  ridge v |W|²
/// ```
///
/// is smallest, where `v` is the mean variance of the values `x`.
#[derive(Clone, Debug, PartialEq)]
pub struct AffineMap {
    weight: Array2<f32>,
    offset: Array1<f32>,
    ridge: f64,
}

impl AffineMap {
    /// Fits the map. Without a given ridge the one with the least leave-one-out error is taken.
    ///
    /// # Shapes
    /// - `xs`: `[pixels, inputs]`; `ys`: `[pixels, outputs]`
    ///
    /// # Errors
    /// [`Error::Shape`] if sizes differ or there are fewer than two pixels, [`Error::NotFinite`],
    /// [`Error::Setting`] for a negative ridge.
    pub fn fit(
        xs: ArrayView2<'_, f32>,
        ys: ArrayView2<'_, f32>,
        ridge: Option<f64>,
    ) -> Result<Self> {
        check_ridge(ridge)?;
        let pixels = xs.nrows();
        if pixels < 2 || ys.nrows() != pixels || xs.ncols() == 0 {
            return Err(Error::Shape {
                what: "the pixels to fit",
                expected: format!("{} rows, two or more", pixels.max(2)),
                got: vec![xs.nrows(), ys.nrows()],
            });
        }
        for (what, values) in [("the multispectral pixels", xs), ("the spectra", ys)] {
            let count = values.iter().filter(|v| !v.is_finite()).count();
            if count > 0 {
                return Err(Error::NotFinite { what, count });
            }
        }
        let (x_mean, xs) = centred(xs);
        let (y_mean, ys) = centred(ys);
        let covariance = xs.t().dot(&xs) / pixels as f64;
        let (variances, axes) = eigen(covariance.view())?;
        let mean = variances.mean().unwrap_or_default();
        // On the principal axes the map is diagonal: a ridge only shrinks its rows.
        let scores = xs.dot(&axes);
        let moments = scores.t().dot(&ys) / pixels as f64;
        let shrunk = |ridge: f64| -> Array1<f64> {
            let least = MIN_VARIANCE * variances.iter().copied().fold(0.0, f64::max);
            variances.mapv(|v| if v > least { 1.0 / (v + ridge * mean) } else { 0.0 })
        };
        let ridge = ridge.unwrap_or_else(|| {
            let error = |ridge| left_out_error(&scores, &ys, &moments, &shrunk(ridge));
            let all = RIDGES.map(|ridge| (ridge, error(ridge)));
            all.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0.0, |(ridge, _)| ridge)
        });
        let scaled = &moments * &shrunk(ridge).insert_axis(Axis(1));
        let weight = axes.dot(&scaled);
        let offset = y_mean - x_mean.dot(&weight);
        Ok(Self { weight: weight.mapv(|w| w as f32), offset: offset.mapv(|o| o as f32), ridge })
    }

    /// The ridge that was used.
    pub fn ridge(&self) -> f64 {
        self.ridge
    }

    /// The linear part, `[inputs, outputs]`.
    pub fn weight(&self) -> ArrayView2<'_, f32> {
        self.weight.view()
    }

    /// Number of coefficients.
    pub fn parameters(&self) -> usize {
        self.weight.len() + self.offset.len()
    }

    /// The spectra of pixels, not clamped.
    ///
    /// # Shapes
    /// - `xs`: `[pixels, inputs]`
    /// - output: `[pixels, outputs]`
    ///
    /// # Errors
    /// [`Error::BandCount`] if the pixels have another number of values.
    pub fn apply(&self, xs: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        if xs.ncols() != self.weight.nrows() {
            let (expected, got) = (self.weight.nrows(), xs.ncols());
            return Err(Error::BandCount { what: "the multispectral image", expected, got });
        }
        let mut ys = xs.dot(&self.weight);
        ys += &self.offset;
        Ok(ys)
    }
}

/// # Errors
/// [`Error::Setting`] for a ridge that is negative or not finite.
pub(crate) fn check_ridge(ridge: Option<f64>) -> Result<()> {
    match ridge.filter(|ridge| !(ridge.is_finite() && *ridge >= 0.0)) {
        Some(ridge) => Err(Error::setting("ridge", "finite and at least 0", ridge)),
        None => Ok(()),
    }
}

/// The means of the columns, and the values without them.
fn centred(values: ArrayView2<'_, f32>) -> (Array1<f64>, Array2<f64>) {
    let mut values = values.mapv(f64::from);
    let mean = values.sum_axis(Axis(0)) / values.nrows() as f64;
    values -= &mean;
    (mean, values)
}

/// Sum of the squared errors at each pixel of the map that was fitted without it.
fn left_out_error(
    scores: &Array2<f64>,
    ys: &Array2<f64>,
    moments: &Array2<f64>,
    shrunk: &Array1<f64>,
) -> f64 {
    let pixels = scores.nrows() as f64;
    let fitted = scores.dot(&(moments * &shrunk.view().insert_axis(Axis(1))));
    let rows = scores.outer_iter().zip(ys.outer_iter()).zip(fitted.outer_iter());
    rows.map(|((score, y), fitted)| {
        let leverage: f64 = score.iter().zip(shrunk).map(|(s, w)| s * s * w).sum();
        let left = 1.0 - (1.0 + leverage) / pixels;
        // A map through this pixel whatever its value: nothing is known of its error there.
        if left < MIN_LEFT {
            return f64::INFINITY;
        }
        y.iter().zip(fitted).map(|(y, f)| (y - f).powi(2)).sum::<f64>() / (left * left)
    })
    .sum()
}
