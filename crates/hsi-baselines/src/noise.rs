//! The noise of a cube by regression of every band on all others.
//!
//! J. Bioucas-Dias, J. Nascimento, "Hyperspectral Subspace Identification", IEEE TGRS 46(8), 2008.
//! The residuals of all regressions follow from one inverse: with `R = Y Yᵀ` and `P = R⁻¹`,
//! `W = diag(1 / P_ii) P Y`.

use ndarray::{Array1, Array2, Array3, ArrayView2, ArrayView3, Axis};

use crate::denoiser::{as_matrix, ensure_usable, finish};
use crate::linalg::{apply, gram, regularised_inverse, symmetric_eigen};
use crate::{Error, Result};

/// Least ridge of the regression, relative to the energy of each band.
const RIDGE: f64 = 1e-10;

/// Additive noise of a cube, band by band.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseEstimate {
    /// Mean square of the residual of each band, the diagonal of the noise correlation matrix.
    pub variance: Array1<f64>,
    /// Standard deviation of the residual of each band, its mean removed, with `pixels - 1` as
    /// divisor; 0 for a band of zeros.
    pub sigma: Array1<f64>,
    /// Number of pixels.
    pub pixels: usize,
    /// Second moments `Y Yᵀ` of the cube: `[bands, bands]`, not divided by the number of pixels.
    pub moments: Array2<f64>,
    /// The matrix that turns a spectrum into its noise, `W = residual Y`: `[bands, bands]`.
    pub residual: Array2<f64>,
}

impl NoiseEstimate {
    /// Estimates the noise from spectra in any order.
    ///
    /// The regression has a ridge of 1e-10 of the energy of each band. If there are fewer than two
    /// pixels a band, the ridge grows until the regression has at most `pixels / 2` degrees of
    /// freedom; without it the residuals would vanish and with them the noise.
    ///
    /// # Shapes
    /// `matrix`: `[bands, pixels]`.
    ///
    /// # Errors
    /// [`Error::Empty`] or [`Error::NonFinite`] for values that cannot be used.
    pub fn from_pixels(matrix: ArrayView2<'_, f32>) -> Result<Self> {
        ensure_usable(matrix.insert_axis(Axis(1)))?;
        Self::from_usable(matrix)
    }

    fn from_usable(matrix: ArrayView2<'_, f32>) -> Result<Self> {
        let pixels = matrix.ncols();
        let means = matrix.map_axis(Axis(1), |band| {
            band.iter().map(|&x| f64::from(x)).sum::<f64>() / pixels as f64
        });
        let moments = gram(matrix);
        // Bands of unit energy, so that one ridge suits all.
        let norms = moments.diag().mapv(f64::sqrt);
        let unit = |b: usize| if norms[b] > 0.0 { 1.0 / norms[b] } else { 0.0 };
        let correlation = Array2::from_shape_fn(moments.dim(), |(i, j)| {
            if i == j { 1.0 } else { moments[[i, j]] * unit(i) * unit(j) }
        });
        let ridge = ridge(&correlation, pixels)?;
        let inverse = regularised_inverse(correlation.view(), ridge)?;
        let residual = Array2::from_shape_fn(moments.dim(), |(i, j)| {
            norms[i] * inverse[[i, j]] / inverse[[i, i]] * unit(j)
        });
        let energy = Array1::from_shape_fn(norms.len(), |i| {
            let (row, diagonal) = (inverse.row(i), inverse[[i, i]]);
            let relative = 1.0 / diagonal - ridge * row.dot(&row) / (diagonal * diagonal);
            norms[i] * norms[i] * relative.max(0.0)
        });
        let sigma = Array1::from_shape_fn(norms.len(), |i| {
            if pixels == 1 {
                return energy[i].sqrt();
            }
            let mean = residual.row(i).dot(&means);
            let centred = energy[i] - pixels as f64 * mean * mean;
            (centred.max(0.0) / (pixels - 1) as f64).sqrt()
        });
        Ok(Self { variance: energy / pixels as f64, sigma, pixels, moments, residual })
    }

    /// Returns the residuals themselves.
    ///
    /// # Shapes
    /// `cube` and the result: `[bands, rows, cols]`; the cube may be another one than that of the
    /// estimate.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of bands, [`Error::Overflow`] for bands too unequal.
    pub fn residual_of(&self, cube: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        let residual = apply(self.residual.view(), as_matrix(&cube.as_standard_layout())?)?;
        finish("noise estimate", residual, cube.dim())
    }

    /// Returns the estimate of the cube whose bands are multiplied by `factors`, one a band.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of factors.
    pub fn rescaled(&self, factors: &[f64]) -> Result<Self> {
        let bands = self.sigma.len();
        if factors.len() != bands {
            return Err(Error::Shape { expected: vec![bands], got: vec![factors.len()] });
        }
        let inverse = |x: f64| if x == 0.0 { 0.0 } else { 1.0 / x };
        let scaled = |matrix: &Array2<f64>, right: &dyn Fn(f64) -> f64| {
            Array2::from_shape_fn(matrix.dim(), |(i, j)| {
                factors[i] * matrix[[i, j]] * right(factors[j])
            })
        };
        Ok(Self {
            variance: Array1::from_shape_fn(bands, |b| self.variance[b] * factors[b] * factors[b]),
            sigma: Array1::from_shape_fn(bands, |b| self.sigma[b] * factors[b].abs()),
            pixels: self.pixels,
            moments: scaled(&self.moments, &|x| x),
            residual: scaled(&self.residual, &inverse),
        })
    }

    /// Returns the median over bands of the standard deviation.
    pub fn level(&self) -> f64 {
        let mut sorted = self.sigma.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        match sorted.len() {
            0 => 0.0,
            n => f64::midpoint(sorted[(n - 1) / 2], sorted[n / 2]),
        }
    }

    /// Returns the standard deviations to divide by: [`Self::sigma`], or 1 for a band without noise.
    pub fn scales(&self) -> Array1<f64> {
        self.sigma.mapv(|sigma| if sigma > 0.0 { sigma } else { 1.0 })
    }
}

/// Estimates the noise of a cube; see [`NoiseEstimate::from_pixels`].
///
/// # Shapes
/// `cube`: `[bands, rows, cols]`.
///
/// # Errors
/// [`Error::Empty`] or [`Error::NonFinite`] for a cube that cannot be used.
///
/// # Examples
/// ```
/// use ndarray::Array3;
///
/// // Smooth spectra and a disturbance of alternating sign.
/// let cube = Array3::from_shape_fn((8, 20, 20), |(b, r, c)| {
///     let sign = if (b * 7 + r * 3 + c * 5) % 11 < 5 { 1.0 } else { -1.0 };
///     (r + c) as f32 * 0.01 + b as f32 * 0.1 + 0.02 * sign
/// });
/// let noise = hsi_baselines::estimate_noise(cube.view())?;
/// assert_eq!(noise.sigma.len(), 8);
/// assert!(noise.level() > 0.01 && noise.level() < 0.03);
/// # Ok::<(), hsi_baselines::Error>(())
/// ```
pub fn estimate_noise(cube: ArrayView3<'_, f32>) -> Result<NoiseEstimate> {
    ensure_usable(cube)?;
    NoiseEstimate::from_usable(as_matrix(&cube.as_standard_layout())?)
}

/// Returns the noise level of a cube, the median over bands of the standard deviation.
///
/// # Errors
/// [`Error::Empty`] or [`Error::NonFinite`] for a cube that cannot be used.
pub fn noise_level(cube: ArrayView3<'_, f32>) -> Result<f64> {
    Ok(estimate_noise(cube)?.level())
}

/// Returns the least ridge with which at most half as many degrees of freedom are used as there are
/// pixels.
fn ridge(correlation: &Array2<f64>, pixels: usize) -> Result<f64> {
    let (bands, freedom) = (correlation.nrows(), pixels as f64 / 2.0);
    if bands as f64 <= freedom {
        return Ok(RIDGE);
    }
    let values = symmetric_eigen(correlation.view())?.values;
    let used = |ridge: f64| values.iter().map(|x| x.max(0.0) / (x.max(0.0) + ridge)).sum::<f64>();
    // All eigenvalues together are `bands`: the upper end uses less than one half.
    let (mut low, mut high) = (RIDGE.ln(), (2.0 * bands as f64).ln());
    if used(RIDGE) <= freedom {
        return Ok(RIDGE);
    }
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if used(middle.exp()) <= freedom { high = middle } else { low = middle }
    }
    Ok(high.exp())
}
