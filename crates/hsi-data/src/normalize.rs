//! Per-band min-max normalisation and its inverse.

use std::fmt;
use std::str::FromStr;

use ndarray::parallel::prelude::*;
use ndarray::{Array3, ArrayView2, ArrayView3, ArrayViewMut3, Axis, Zip};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Where the minimum and maximum of each band come from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormMode {
    /// From the clean cube, which only an experiment knows; as published.
    Oracle,
    /// From the noisy cube: what real use has.
    FromNoisy,
    /// The same range for every band and cube.
    Fixed {
        /// Becomes 0.
        min: f32,
        /// Becomes 1.
        max: f32,
    },
}

impl NormMode {
    /// The range of each band under this mode.
    ///
    /// # Shapes
    /// - `clean`, `noisy`: `[bands, rows, cols]`; `clean` is looked at by the oracle only
    ///
    /// # Errors
    /// [`Error::Config`] for an oracle without the clean cube, or a fixed range that is empty.
    pub fn range(
        &self,
        clean: Option<ArrayView3<'_, f32>>,
        noisy: ArrayView3<'_, f32>,
    ) -> Result<BandRange> {
        match (*self, clean) {
            (Self::Oracle, Some(clean)) => Ok(BandRange::of(clean)),
            (Self::Oracle, None) => Err(Error::Config {
                field: "normalisation",
                value: self.to_string(),
                reason: "the clean cube is not known here",
            }),
            (Self::FromNoisy, _) => Ok(BandRange::of(noisy)),
            (Self::Fixed { min, max }, _) => BandRange::fixed(noisy.dim().0, min, max),
        }
    }
}

impl fmt::Display for NormMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oracle => f.write_str("oracle"),
            Self::FromNoisy => f.write_str("from-noisy"),
            Self::Fixed { min, max } => write!(f, "fixed:{min}:{max}"),
        }
    }
}

impl FromStr for NormMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let unknown = || Error::Parse {
            what: "normalisation",
            value: text.to_owned(),
            expected: "`oracle`, `from-noisy` or `fixed:MIN:MAX` with MIN below MAX",
        };
        match text {
            "oracle" => return Ok(Self::Oracle),
            "from-noisy" => return Ok(Self::FromNoisy),
            _ => {}
        }
        let range = text.strip_prefix("fixed:").and_then(|range| range.split_once(':'));
        let (min, max) = range.ok_or_else(unknown)?;
        match (min.parse::<f32>(), max.parse::<f32>()) {
            (Ok(min), Ok(max)) if min.is_finite() && max.is_finite() && min < max => {
                Ok(Self::Fixed { min, max })
            }
            _ => Err(unknown()),
        }
    }
}

/// Minimum and maximum of each band: the affine map of a band to [0, 1].
///
/// ```text
/// y = (x - min) / (max - min)        x = min + y (max - min)
/// ```
///
/// Both are computed in `f64`, the inverse from the nearer end. So `min` and `max` themselves are
/// mapped to exactly 0 and 1 and back, and any `x` between them comes back within
/// `2^-24 (max - min) / 2 + ulp(x) / 2`: half a unit in the last place of `y`, then of `x`. A
/// constant band becomes 0 and comes back exactly, whatever was made of the zeros.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BandRange {
    /// Minimum of each band.
    pub min: Vec<f32>,
    /// Maximum of each band.
    pub max: Vec<f32>,
}

impl BandRange {
    /// The range of the finite samples of each band; `0..0` for a band without any.
    ///
    /// # Shapes
    /// - `cube`: `[bands, rows, cols]`
    pub fn of(cube: ArrayView3<'_, f32>) -> Self {
        Self::from_bands(cube, |band| {
            band.iter().fold(EMPTY, |range, &v| grow(range, v, v.is_finite()))
        })
    }

    /// The range of the finite samples of each band at the pixels that are not masked.
    ///
    /// # Shapes
    /// - `cube`: `[bands, rows, cols]`
    /// - `mask`: `[rows, cols]`, `true` where a pixel is left out
    ///
    /// # Errors
    /// [`Error::Shape`] if the mask is of another size.
    pub fn of_masked(cube: ArrayView3<'_, f32>, mask: ArrayView2<'_, bool>) -> Result<Self> {
        let (_, rows, cols) = cube.dim();
        if mask.dim() != (rows, cols) {
            let (expected, got) = (vec![rows, cols], mask.shape().to_vec());
            return Err(Error::Shape { what: "mask", expected, got });
        }
        Ok(Self::from_bands(cube, |band| {
            Zip::from(band)
                .and(mask)
                .fold(EMPTY, |range, &v, &out| grow(range, v, v.is_finite() && !out))
        }))
    }

    fn from_bands(
        cube: ArrayView3<'_, f32>,
        range: impl Fn(ArrayView2<'_, f32>) -> (f32, f32) + Sync,
    ) -> Self {
        let (min, max) = cube
            .axis_iter(Axis(0))
            .into_par_iter()
            .map(|band| Some(range(band)).filter(|(min, max)| min <= max).unwrap_or_default())
            .unzip();
        Self { min, max }
    }

    /// The same range for every band.
    ///
    /// # Errors
    /// [`Error::Config`] unless both ends are finite and `min < max`.
    pub fn fixed(bands: usize, min: f32, max: f32) -> Result<Self> {
        if !(min.is_finite() && max.is_finite() && min < max) {
            return Err(Error::Config {
                field: "fixed range",
                value: format!("{min}..{max}"),
                reason: "both ends should be finite and the first be below the second",
            });
        }
        Ok(Self { min: vec![min; bands], max: vec![max; bands] })
    }

    /// Number of bands.
    pub fn bands(&self) -> usize {
        self.min.len()
    }

    /// Maps every band to [0, 1], into a new cube; samples outside the range map outside.
    ///
    /// # Shapes
    /// - `cube`, output: `[bands, rows, cols]`
    ///
    /// # Errors
    /// [`Error::BandCount`] if the cube has another number of bands.
    pub fn normalize(&self, cube: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        let mut out = cube.as_standard_layout().into_owned();
        self.normalize_in_place(out.view_mut())?;
        Ok(out)
    }

    /// Maps every band to [0, 1].
    ///
    /// # Shapes
    /// - `cube`: `[bands, rows, cols]`
    ///
    /// # Errors
    /// [`Error::BandCount`] if the cube has another number of bands.
    pub fn normalize_in_place(&self, cube: ArrayViewMut3<'_, f32>) -> Result<()> {
        self.map_bands(cube, |min, max| {
            let range = max - min;
            move |x| {
                if range > 0.0 { ((f64::from(x) - min) / range) as f32 } else { 0.0 }
            }
        })
    }

    /// Maps every band from [0, 1] to its range, the inverse of
    /// [`normalize_in_place`](Self::normalize_in_place).
    ///
    /// # Shapes
    /// - `cube`: `[bands, rows, cols]`
    ///
    /// # Errors
    /// [`Error::BandCount`] if the cube has another number of bands.
    pub fn denormalize_in_place(&self, cube: ArrayViewMut3<'_, f32>) -> Result<()> {
        self.map_bands(cube, |min, max| {
            let range = max - min;
            move |y| {
                let y = f64::from(y);
                if range <= 0.0 {
                    min as f32
                } else if y <= 0.5 {
                    (min + y * range) as f32
                } else {
                    (max - (1.0 - y) * range) as f32
                }
            }
        })
    }

    fn map_bands<F>(
        &self,
        mut cube: ArrayViewMut3<'_, f32>,
        map: impl Fn(f64, f64) -> F + Sync,
    ) -> Result<()>
    where
        F: Fn(f32) -> f32,
    {
        let (expected, got) = (self.min.len(), cube.dim().0);
        if expected != got || self.max.len() != got {
            let name = "the cube to be normalised".to_owned();
            return Err(Error::BandCount { name, expected, got });
        }
        cube.axis_iter_mut(Axis(0))
            .into_par_iter()
            .zip(self.min.par_iter().zip(&self.max))
            .for_each(|(mut band, (&min, &max))| {
                let map = map(f64::from(min), f64::from(max));
                band.mapv_inplace(map);
            });
        Ok(())
    }
}

/// A range without any sample.
const EMPTY: (f32, f32) = (f32::INFINITY, f32::NEG_INFINITY);

fn grow((min, max): (f32, f32), value: f32, counts: bool) -> (f32, f32) {
    if counts { (min.min(value), max.max(value)) } else { (min, max) }
}
