//! The two observations of a scene: a low-resolution cube and a high-resolution multispectral
//! image.

mod area;
mod blur;
mod noise;

use ndarray::parallel::prelude::*;
use ndarray::{Array3, ArrayView3, Axis};

pub use area::area_average;
pub(crate) use area::blurred_average;
pub use blur::blur;
pub use noise::{add_noise, unit_normals};

use crate::{Error, Psf, Result, Srf};
use area::AreaPlan;
use blur::BlurPlan;

/// How a scene of high resolution in space and spectrum is observed.
#[derive(Clone, Debug, PartialEq)]
pub struct Degradation {
    /// Blur of the low-resolution sensor, in pixels of the scene.
    pub psf: Psf,
    /// Pixels of the scene along the side of a low-resolution pixel, at least 1.
    pub ratio: usize,
    /// Response of the multispectral sensor.
    pub srf: Srf,
    /// Signal-to-noise ratio of the low-resolution cube in dB; `None` adds no noise.
    pub snr_spatial_db: Option<f64>,
    /// Signal-to-noise ratio of the multispectral image in dB; `None` adds no noise.
    pub snr_spectral_db: Option<f64>,
    /// Seed of the noise.
    pub seed: u64,
}

/// What two sensors see of a scene.
#[derive(Clone, Debug, PartialEq)]
pub struct Observations {
    /// `[bands, rows / ratio, cols / ratio]`, rounded down.
    pub lr_hsi: Array3<f32>,
    /// `[multispectral bands, rows, cols]`.
    pub hr_msi: Array3<f32>,
}

impl Degradation {
    /// The published signal-to-noise ratios in dB of a resolution ratio: of the low-resolution
    /// cube, which falls with the ratio, and of the multispectral image.
    ///
    /// Published are 35, 30, 25 and 20 dB for the ratios 4, 8, 16 and 32; others have the value
    /// on the line through these, `45 - 5 log2(ratio)`.
    pub fn published_snr_db(ratio: usize) -> (f64, f64) {
        (45.0 - 5.0 * (ratio.max(1) as f64).log2(), 40.0)
    }

    /// Observes a scene. Nothing is clipped.
    ///
    /// # Shapes
    /// - `scene`: `[bands, rows, cols]`
    ///
    /// # Errors
    /// As [`low_resolution`], [`Srf::apply`] and [`add_noise`].
    pub fn apply(&self, scene: ArrayView3<'_, f32>) -> Result<Observations> {
        let ratios = [self.snr_spatial_db, self.snr_spectral_db];
        ratios.into_iter().flatten().try_for_each(noise::check_snr)?;
        let mut hr_msi = self.srf.apply(scene)?;
        let mut lr_hsi = low_resolution(scene, &self.psf, self.ratio)?;
        for (index, (cube, snr)) in (0..).zip([&mut lr_hsi, &mut hr_msi].into_iter().zip(ratios)) {
            if let Some(snr_db) = snr {
                let normals = unit_normals(cube.dim(), self.seed, index);
                add_noise(cube, snr_db, normals.view())?;
            }
        }
        Ok(Observations { lr_hsi, hr_msi })
    }
}

/// The low-resolution cube without noise: [`blur`], then [`area_average`].
///
/// # Shapes
/// - `scene`: `[bands, rows, cols]`
/// - output: `[bands, rows / ratio, cols / ratio]`, rounded down
///
/// # Errors
/// [`Error::Ratio`] if the ratio is 0 or larger than a side of the image.
pub fn low_resolution(scene: ArrayView3<'_, f32>, psf: &Psf, ratio: usize) -> Result<Array3<f32>> {
    let (bands, rows, cols) = scene.dim();
    if ratio == 0 || ratio > rows || ratio > cols {
        return Err(Error::Ratio { ratio, rows, cols });
    }
    let (out_rows, out_cols) = (rows / ratio, cols / ratio);
    let area = AreaPlan::new((rows, cols), (out_rows, out_cols))?;
    let blur = BlurPlan::new(psf, rows, cols);
    let mut out = Array3::zeros((bands, out_rows, out_cols));
    out.axis_iter_mut(Axis(0))
        .into_par_iter()
        .zip(scene.axis_iter(Axis(0)))
        .for_each(|(mut out, band)| out.assign(&area.apply(blur.apply(band).view())));
    Ok(out)
}
