//! All metrics of a pair of images at once.

use ndarray::{ArrayView2, ArrayView3};
use serde::{Deserialize, Serialize};

use crate::fidelity::{band_mse, decibels, mean_psnr, relative_error};
use crate::hyperbench;
use crate::pair::{Pair, ensure_range, mean};
use crate::sam::pair_sam;
use crate::ssim::{SSIM_WINDOW, band_ssim};
use crate::uiqi::{UIQI_WINDOW, band_uiqi};
use crate::{Error, Result};

/// Which definitions of the metrics to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Variant {
    /// The definitions at the root of this crate.
    #[default]
    Standard,
    /// The definitions of the module [`hyperbench`](crate::hyperbench).
    HyperBench,
}

/// The metrics of one pair of images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Peak signal-to-noise ratio in dB, mean over bands; see [`psnr`](crate::psnr).
    pub psnr_db: f64,
    /// Peak signal-to-noise ratio in dB from the error over all values.
    pub psnr_global_db: f64,
    /// Structural similarity index, 1 is best.
    pub ssim: f64,
    /// Mean spectral angle in degrees, 0 is best.
    pub sam_deg: f64,
    /// Mean squared error.
    pub mse: f64,
    /// Root of the mean squared error.
    pub rmse: f64,
    /// Relative global error, 0 is best, at the resolution ratio 1.
    pub ergas: f64,
    /// Universal image quality index, 1 is best.
    pub uiqi: f64,
}

impl Metrics {
    /// Computes all metrics with the definitions at the root of this crate.
    ///
    /// # Shapes
    /// Both images: `[bands, rows, cols]`, at least 8 x 8 pixels.
    ///
    /// # Errors
    /// As [`psnr`](crate::psnr), and [`Error::Window`] for smaller images.
    pub fn compute(
        reference: ArrayView3<'_, f32>,
        estimate: ArrayView3<'_, f32>,
        data_range: f32,
    ) -> Result<Self> {
        let range = ensure_range(data_range)?;
        let pair = Pair::new(reference, estimate)?;
        pair.ensure_window("uiqi", UIQI_WINDOW)?;
        let bands = Bands::collect(&pair, |x, y| {
            let mse = band_mse(x, y);
            let ssim = band_ssim(x, y, SSIM_WINDOW, true, range);
            [mse, decibels(range, mse), ssim, band_uiqi(x, y), relative_error(x, mse)]
        });
        let mse = mean(&bands.mse);
        Ok(Self {
            psnr_db: mean_psnr(&bands.psnr),
            psnr_global_db: decibels(range, mse),
            ssim: mean(&bands.ssim),
            sam_deg: pair_sam(&pair).to_degrees(),
            mse,
            rmse: mse.sqrt(),
            ergas: 100.0 * mean(&bands.ergas).sqrt(),
            uiqi: mean(&bands.uiqi),
        })
    }

    /// Computes all metrics with the definitions of a variant.
    ///
    /// For [`Variant::HyperBench`] both `psnr_db` and `psnr_global_db` are the global value of
    /// 8-bit copies, `ergas` has the ratio 1/4, and the data range must be 1.
    ///
    /// # Shapes
    /// Both images: `[bands, rows, cols]`, at least 8 x 8 pixels, 11 x 11 for `HyperBench`.
    ///
    /// # Errors
    /// As [`compute`](Self::compute).
    pub fn compute_variant(
        reference: ArrayView3<'_, f32>,
        estimate: ArrayView3<'_, f32>,
        data_range: f32,
        variant: Variant,
    ) -> Result<Self> {
        if variant == Variant::Standard {
            return Self::compute(reference, estimate, data_range);
        }
        if data_range != 1.0 {
            return Err(Error::DataRange { expected: "1 for HyperBench", got: data_range });
        }
        let pair = Pair::new(reference, estimate)?;
        pair.ensure_window("hyperbench ssim", hyperbench::SSIM_WINDOW)?;
        let bands = Bands::collect(&pair, |x, y| {
            [
                band_mse(x, y),
                hyperbench::band_8bit_mse(x, y),
                hyperbench::band_8bit_ssim(x, y),
                hyperbench::band_uiqi(x, y),
                hyperbench::band_ergas(x, y),
            ]
        });
        let mse = mean(&bands.mse);
        let psnr_db = hyperbench::psnr_of(&bands.psnr);
        Ok(Self {
            psnr_db,
            psnr_global_db: psnr_db,
            ssim: mean(&bands.ssim),
            sam_deg: hyperbench::pair_sam_deg(&pair),
            mse,
            rmse: mse.sqrt(),
            ergas: 25.0 * mean(&bands.ergas).sqrt(),
            uiqi: mean(&bands.uiqi),
        })
    }
}

/// The terms of the metrics that are means over bands.
#[derive(Default)]
struct Bands {
    mse: Vec<f64>,
    psnr: Vec<f64>,
    ssim: Vec<f64>,
    uiqi: Vec<f64>,
    ergas: Vec<f64>,
}

impl Bands {
    /// Collects `[mse, psnr, ssim, uiqi, ergas]` of every band.
    fn collect(
        pair: &Pair<'_>,
        f: impl Fn(ArrayView2<'_, f32>, ArrayView2<'_, f32>) -> [f64; 5] + Sync + Send,
    ) -> Self {
        let mut bands = Self::default();
        for [mse, psnr, ssim, uiqi, ergas] in pair.per_band(f) {
            bands.mse.push(mse);
            bands.psnr.push(psnr);
            bands.ssim.push(ssim);
            bands.uiqi.push(uiqi);
            bands.ergas.push(ergas);
        }
        bands
    }
}
