//! Spectral response functions: how the bands of a multispectral sensor are made of
//! hyperspectral ones.

mod estimate;
mod nnls;
mod pair;
mod tables;

use ndarray::parallel::prelude::*;
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis};

pub use estimate::{SrfEstimate, estimate_srf};
pub use nnls::nonnegative_least_squares;
pub use pair::estimate_srf_of_pair;
pub use tables::{SENSOR_BAND_COUNTS, SensorBand, sensor_bands};

use crate::{Error, Result};

/// A row of weights that sums to less responds to nothing.
const MIN_ROW_SUM: f64 = 1e-12;
/// On true wavelengths a band of the sensor needs a band of the cube this near to its centre, as
/// response relative to that at the centre.
const MIN_RESPONSE: f64 = 0.5;
/// Pixels that are mapped in one piece.
const PIXELS: usize = 2048;
/// The published divisor from the width of a band to its standard deviation.
pub const PUBLISHED_FWHM_FACTOR: f64 = 4.2;

/// Spectral response functions: non-negative weights `[multispectral bands, hyperspectral bands]`
/// whose rows sum to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Srf {
    weights: Array2<f32>,
}

impl Srf {
    /// Normalises the rows of a measured response.
    ///
    /// # Errors
    /// [`Error::Shape`] without rows or columns, [`Error::NotFinite`], [`Error::SrfNegative`],
    /// [`Error::SrfRow`] for a row that sums to nothing.
    pub fn from_weights(weights: Array2<f64>) -> Result<Self> {
        let (rows, cols) = weights.dim();
        if weights.is_empty() {
            return Err(Error::Shape {
                what: "the SRF",
                expected: "one row or more, and one column or more".to_owned(),
                got: vec![rows, cols],
            });
        }
        let count = weights.iter().filter(|w| !w.is_finite()).count();
        if count > 0 {
            return Err(Error::NotFinite { what: "the SRF", count });
        }
        if let Some(((row, column), &value)) = weights.indexed_iter().find(|&(_, &w)| w < 0.0) {
            return Err(Error::SrfNegative { row, column, value });
        }
        let mut normal = Array2::zeros((rows, cols));
        for (row, (from, mut to)) in weights.outer_iter().zip(normal.outer_iter_mut()).enumerate() {
            let sum = from.sum();
            if !(sum > MIN_ROW_SUM && sum.is_finite()) {
                return Err(Error::SrfRow { row, sum });
            }
            to.zip_mut_with(&from, |to, &from| *to = (from / sum) as f32);
        }
        Ok(Self { weights: normal })
    }

    /// The published response of a sensor for a cube of so many bands, on the published grid.
    ///
    /// The wavelengths of the cube play no part: its bands are taken to lie evenly from the lowest
    /// to the highest edge of the sensor's bands.
    ///
    /// ```text
    /// λ_j = low + j (high - low) / (bands - 1)
    /// S_ij = exp(-((λ_j - center_i) / s_i)² / 2),    s_i = (high_i - low_i) / fwhm_factor
    /// ```
    ///
    /// then each row is divided by its sum. `fwhm_factor` turns the width of a band into a
    /// standard deviation: 2.355 would make the edges those of the half maximum, the published 4.2
    /// makes the response 0.56 times as wide.
    ///
    /// # Errors
    /// [`Error::Setting`] if `fwhm_factor` is not above 0 or there are no bands,
    /// [`Error::SrfRow`] if the grid is so coarse that it misses a band of the sensor.
    pub fn published(sensor: &[SensorBand], bands: usize, fwhm_factor: f64) -> Result<Self> {
        if bands == 0 {
            return Err(Error::setting("bands", "at least 1", bands));
        }
        Self::gaussian(sensor, &published_grid(sensor, bands), fwhm_factor)
    }

    /// The response of a sensor on the true wavelengths of a cube in nanometres, in any order;
    /// otherwise as [`published`](Self::published).
    ///
    /// # Errors
    /// As [`published`](Self::published), [`Error::NotFinite`], and [`Error::SrfCoverage`] if the
    /// cube has no band near the centre of a band of the sensor.
    pub fn on_wavelengths(
        sensor: &[SensorBand],
        wavelengths_nm: &[f64],
        fwhm_factor: f64,
    ) -> Result<Self> {
        let count = wavelengths_nm.iter().filter(|nm| !nm.is_finite()).count();
        if count > 0 {
            return Err(Error::NotFinite { what: "the list of wavelengths", count });
        }
        let srf = |band: &SensorBand, nm: f64| response(band, nm, fwhm_factor);
        for (row, band) in sensor.iter().enumerate() {
            let best = wavelengths_nm.iter().map(|&nm| srf(band, nm)).fold(0.0, f64::max);
            if best < MIN_RESPONSE {
                let fold =
                    |f: fn(f64, f64) -> f64, start| wavelengths_nm.iter().copied().fold(start, f);
                return Err(Error::SrfCoverage {
                    row,
                    center_nm: band.center_nm,
                    low_nm: fold(f64::min, f64::INFINITY),
                    high_nm: fold(f64::max, f64::NEG_INFINITY),
                });
            }
        }
        Self::gaussian(sensor, wavelengths_nm, fwhm_factor)
    }

    fn gaussian(sensor: &[SensorBand], wavelengths_nm: &[f64], fwhm_factor: f64) -> Result<Self> {
        if !(fwhm_factor.is_finite() && fwhm_factor > 0.0) {
            return Err(Error::setting("fwhm-factor", "a number above 0", fwhm_factor));
        }
        Self::from_weights(Array2::from_shape_fn(
            (sensor.len(), wavelengths_nm.len()),
            |(row, column)| response(&sensor[row], wavelengths_nm[column], fwhm_factor),
        ))
    }

    /// Bands of the multispectral image.
    pub fn msi_bands(&self) -> usize {
        self.weights.nrows()
    }

    /// Bands of the hyperspectral cube.
    pub fn hsi_bands(&self) -> usize {
        self.weights.ncols()
    }

    /// The weights, `[multispectral bands, hyperspectral bands]`.
    pub fn weights(&self) -> ArrayView2<'_, f32> {
        self.weights.view()
    }

    /// The response to some of the hyperspectral bands, rows normalised again: what is left of a
    /// sensor when bands without data are dropped.
    ///
    /// # Errors
    /// [`Error::Setting`] for a band that is not there, [`Error::SrfRow`] if nothing is left of a
    /// row.
    pub fn select_bands(&self, bands: &[usize]) -> Result<Self> {
        if let Some(&band) = bands.iter().find(|&&band| band >= self.hsi_bands()) {
            return Err(Error::setting("band", format!("below {}", self.hsi_bands()), band));
        }
        Self::from_weights(self.weights.select(Axis(1), bands).mapv(f64::from))
    }

    /// The multispectral image of a cube: each of its bands is the weighted mean of the cube's.
    ///
    /// # Shapes
    /// - `cube`: `[hyperspectral bands, rows, cols]`
    /// - output: `[multispectral bands, rows, cols]`
    ///
    /// # Errors
    /// [`Error::BandCount`] if the cube has another number of bands.
    pub fn apply(&self, cube: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        let (bands, rows, cols) = cube.dim();
        if bands != self.hsi_bands() {
            let (expected, got) = (self.hsi_bands(), bands);
            return Err(Error::BandCount { what: "the cube, for this SRF,", expected, got });
        }
        let cube = cube.as_standard_layout();
        let (count, pixels) = (self.msi_bands(), rows * cols);
        let mut out = Array2::<f32>::zeros((count, pixels));
        if let Some(samples) = cube.as_slice() {
            out.axis_chunks_iter_mut(Axis(1), PIXELS).into_par_iter().enumerate().for_each(
                |(piece, mut out)| {
                    let start = piece * PIXELS;
                    let end = start + out.ncols();
                    for (band, weights) in self.weights.axis_iter(Axis(1)).enumerate() {
                        let from = &samples[band * pixels..][start..end];
                        for (mut to, &weight) in out.outer_iter_mut().zip(&weights) {
                            if weight != 0.0 {
                                to.iter_mut().zip(from).for_each(|(to, from)| *to += weight * from);
                            }
                        }
                    }
                },
            );
        }
        Ok(out.into_shape_with_order((count, rows, cols)).unwrap_or_default())
    }
}

/// The wavelengths in nanometres on which the published method places the bands of any cube.
pub fn published_grid(sensor: &[SensorBand], bands: usize) -> Vec<f64> {
    let low = sensor.iter().map(|band| band.low_nm).fold(f64::INFINITY, f64::min);
    let high = sensor.iter().map(|band| band.high_nm).fold(f64::NEG_INFINITY, f64::max);
    let step = if bands > 1 { (high - low) / (bands - 1) as f64 } else { 0.0 };
    (0..bands).map(|j| low + j as f64 * step).collect()
}

fn response(band: &SensorBand, wavelength_nm: f64, fwhm_factor: f64) -> f64 {
    let width = (band.high_nm - band.low_nm) / fwhm_factor;
    (-0.5 * ((wavelength_nm - band.center_nm) / width).powi(2)).exp()
}
