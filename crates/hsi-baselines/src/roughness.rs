//! The filter of spectra that penalises differences of neighbouring bands.

use ndarray::{Array1, Array2, Axis};

use crate::linalg::symmetric_eigen;
use crate::{Error, Result};

/// Smooths spectra: the `x` that minimises `½ (y - x)ᵀ Σ⁻¹ (y - x) + ½ λ ‖D x‖²`, where `Σ` holds
/// the noise variances of the bands and `D x` the differences of neighbouring bands.
///
/// With `Σ^½ Dᵀ D Σ^½ = Q Λ Qᵀ` the filter is diagonal in `u = Qᵀ Σ^-½ y`: it multiplies `u_i` by
/// `1 / (1 + λ Λ_i)`. One decomposition serves every `λ`.
///
/// # References
/// B. Rasti, J. Sveinsson, M. Ulfarsson, J. Benediktsson, "Hyperspectral Image Denoising Using
/// First Order Spectral Roughness Penalty in Wavelet Domain", IEEE JSTARS 7(6), 2014.
///
/// # Examples
/// ```
/// use hsi_baselines::RoughnessFilter;
///
/// let filter = RoughnessFilter::new(&[0.1, 0.1, 0.1])?;
/// let smooth = filter.matrix(1e6).dot(&ndarray::arr1(&[0.0, 3.0, 6.0]));
/// assert!(smooth.iter().all(|x| (x - 3.0).abs() < 1e-3)); // the mean
/// # Ok::<(), hsi_baselines::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RoughnessFilter {
    sigma: Array1<f64>,
    values: Array1<f64>,
    vectors: Array2<f64>,
}

impl RoughnessFilter {
    /// Prepares the filter for bands with the standard deviations `sigma` of the noise.
    ///
    /// # Errors
    /// [`Error::Range`] unless every deviation is a finite number above 0.
    pub fn new(sigma: &[f64]) -> Result<Self> {
        if let Some(got) = sigma.iter().find(|x| !(**x > 0.0 && x.is_finite())) {
            return Err(Error::Range {
                method: "roughness filter",
                parameter: "sigma",
                expected: "finite and above 0".to_owned(),
                got: got.to_string(),
            });
        }
        let bands = sigma.len();
        let penalty = Array2::from_shape_fn((bands, bands), |(i, j)| {
            let neighbours = usize::from(i > 0) + usize::from(i + 1 < bands);
            let entry = match i.abs_diff(j) {
                0 => neighbours as f64,
                1 => -1.0,
                _ => 0.0,
            };
            sigma[i] * entry * sigma[j]
        });
        let eigen = symmetric_eigen(penalty.view())?;
        let values = eigen.values.mapv(|x| x.max(0.0));
        Ok(Self { sigma: Array1::from(sigma.to_vec()), values, vectors: eigen.vectors })
    }

    /// Returns what each component is multiplied by.
    fn gains(&self, lambda: f64) -> Array1<f64> {
        self.values.mapv(|value| 1.0 / (1.0 + lambda * value))
    }

    /// Returns the matrix that filters a spectrum: `[bands, bands]`.
    pub fn matrix(&self, lambda: f64) -> Array2<f64> {
        let left = &self.vectors * &self.sigma.view().insert_axis(Axis(1));
        let right = &self.vectors / &self.sigma.view().insert_axis(Axis(1));
        (left * &self.gains(lambda)).dot(&right.t())
    }

    /// Returns the trace of the matrix times the noise variances.
    pub(crate) fn weighted_trace(&self, lambda: f64) -> f64 {
        let gains = self.gains(lambda);
        let variances = self.sigma.mapv(|sigma| sigma * sigma);
        self.vectors.mapv(|x| x * x).dot(&gains).dot(&variances)
    }

    /// Returns the mean energy of every component `u_i` over spectra with these moments.
    ///
    /// # Shapes
    /// `moments`: the sum of `y yᵀ`, `[bands, bands]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of bands.
    pub fn energies(&self, moments: &Array2<f64>, spectra: usize) -> Result<Array1<f64>> {
        let bands = self.sigma.len();
        if moments.dim() != (bands, bands) {
            return Err(Error::Shape {
                expected: vec![bands, bands],
                got: moments.shape().to_vec(),
            });
        }
        let whitener = &self.vectors / &self.sigma.view().insert_axis(Axis(1));
        let seen = moments.dot(&whitener);
        Ok((whitener * seen).sum_axis(Axis(0)) / spectra.max(1) as f64)
    }

    /// Returns Stein's estimate of the mean risk of the filter, in units of the noise variance,
    /// less a constant.
    ///
    /// # Shapes
    /// `energies`: as [`energies`](Self::energies) returns them.
    pub fn risk(&self, energies: &Array1<f64>, lambda: f64) -> f64 {
        let gains = self.gains(lambda);
        let terms = energies.iter().zip(&gains).map(|(e, g)| e * (1.0 - g) * (1.0 - g) + 2.0 * g);
        terms.sum()
    }
}
