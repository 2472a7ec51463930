//! What a synthetic scene should be like.

use serde::{Deserialize, Serialize};

use crate::bands::enmap_202_wavelengths_nm;
use crate::error::{Error, Result};

/// Bands that [`SceneConfig::with_bands`] spreads over the spectrum at most.
const MOST_BANDS: usize = 1 << 16;

/// Samples of a scene at most: 16 GiB of them.
const MOST_SAMPLES: usize = 1 << 32;

/// Configuration of synthetic scenes. Each scene varies around it by its seed.
///
/// Lengths are in pixels; at EnMAP's 30 m the defaults are those of central Europe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SceneConfig {
    /// Centre wavelengths of the bands in nanometres, 350 to 2550, in any order.
    pub wavelengths_nm: Vec<f32>,
    /// Rows of a scene.
    pub rows: usize,
    /// Columns of a scene.
    pub cols: usize,
    /// Typical side of a field; scenes vary by a factor of two either way.
    pub parcel_px: f32,
    /// Strength of the texture within a parcel, 1 being usual and 0 none.
    pub texture: f32,
    /// Strength of terrain and cloud shadows, 1 being usual and 0 none.
    pub shadows: f32,
    /// Average shares of the kinds of land.
    pub land: LandCover,
}

/// Relative shares of the kinds of land, on the average of many scenes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LandCover {
    /// Fields, meadows and bare soil.
    pub fields: f32,
    /// Woods.
    pub woods: f32,
    /// Settlements.
    pub towns: f32,
    /// Lakes and rivers.
    pub water: f32,
}

impl Default for LandCover {
    fn default() -> Self {
        Self { fields: 0.36, woods: 0.25, towns: 0.28, water: 0.11 }
    }
}

impl SceneConfig {
    /// Scenes of 64 x 64 pixels on any wavelengths.
    pub fn on(wavelengths_nm: Vec<f32>) -> Self {
        Self {
            wavelengths_nm,
            rows: 64,
            cols: 64,
            parcel_px: 11.0,
            texture: 1.0,
            shadows: 1.0,
            land: LandCover::default(),
        }
    }

    /// The 202 bands of HySpecNet-11k.
    pub fn enmap_202() -> Self {
        Self::on(enmap_202_wavelengths_nm())
    }

    /// Evenly spaced bands from 420 to 1000 nm.
    pub fn vnir(bands: usize) -> Self {
        Self::on(evenly_spaced(bands, 420.0, 1000.0))
    }

    /// Scenes with a number of bands: 202 are those of HySpecNet-11k, up to 100 are spread over
    /// 420 to 1000 nm, more over 420 to 2450 nm.
    ///
    /// # Errors
    /// [`Error::Config`] for no bands, or more than any sensor has.
    pub fn with_bands(bands: usize) -> Result<Self> {
        if bands > MOST_BANDS {
            let (value, reason) = (format!("{bands} bands"), "at most 65536 bands are modelled");
            return Err(Error::Config { field: "spectrum", value, reason });
        }
        let config = match bands {
            202 => Self::enmap_202(),
            ..=100 => Self::vnir(bands),
            _ => Self::on(evenly_spaced(bands, 420.0, 2450.0)),
        };
        config.validate()?;
        Ok(config)
    }

    /// The same scenes at another size.
    #[must_use]
    pub fn sized(self, rows: usize, cols: usize) -> Self {
        Self { rows, cols, ..self }
    }

    /// Number of bands.
    pub fn bands(&self) -> usize {
        self.wavelengths_nm.len()
    }

    /// Checks every field.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first field that makes no sense.
    pub fn validate(&self) -> Result<()> {
        let fail = |field, value: String, reason| Err(Error::Config { field, value, reason });
        if self.wavelengths_nm.is_empty() {
            return fail("wavelengths_nm", "empty".to_owned(), "a scene needs a band");
        }
        if let Some(nm) = self.wavelengths_nm.iter().find(|nm| !(350.0..=2550.0).contains(*nm)) {
            let reason = "the spectra are modelled from 350 to 2550 nm";
            return fail("wavelengths_nm", nm.to_string(), reason);
        }
        for (field, value) in [("rows", self.rows), ("cols", self.cols)] {
            if value == 0 {
                return fail(field, value.to_string(), "a scene needs a pixel");
            }
        }
        let samples = self.rows.checked_mul(self.cols).and_then(|n| n.checked_mul(self.bands()));
        if samples.is_none_or(|n| n > MOST_SAMPLES) {
            let size = format!("{} x {}", self.rows, self.cols);
            return fail("rows", size, "the scene is impossibly large");
        }
        if !(1.0..=1e6).contains(&self.parcel_px) {
            let reason = "a field should be from one to a million pixels wide";
            return fail("parcel_px", self.parcel_px.to_string(), reason);
        }
        for (field, value) in [("texture", self.texture), ("shadows", self.shadows)] {
            if !(0.0..=3.0).contains(&value) {
                return fail(field, value.to_string(), "a strength should be from 0 to 3");
            }
        }
        let land = [self.land.fields, self.land.woods, self.land.towns, self.land.water];
        if land.iter().any(|share| !(0.0..=1e6).contains(share)) || land.iter().sum::<f32>() <= 0.0
        {
            let reason = "shares should not be negative, and one should be above zero";
            return fail("land", format!("{land:?}"), reason);
        }
        Ok(())
    }
}

fn evenly_spaced(bands: usize, first: f32, last: f32) -> Vec<f32> {
    let step = (last - first) / bands.saturating_sub(1).max(1) as f32;
    (0..bands).map(|band| first + step * band as f32).collect()
}
