//! What is known about a cube besides its samples.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Metadata of a cube. Every list has one entry a band.
///
/// Physical values are `sample * scale + offset`; the samples of a cube are those of its file,
/// neither factor is applied.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CubeMeta {
    /// Centre wavelengths in nanometres, in band order (not necessarily ascending).
    pub wavelengths_nm: Option<Vec<f32>>,
    /// Full widths at half maximum in nanometres.
    pub fwhm_nm: Option<Vec<f32>>,
    /// The sample value that stands for "nothing measured"; NaN is allowed.
    pub nodata: Option<f64>,
    /// Flags of bands that should not be used: `true` is bad.
    pub bad_bands: Option<Vec<bool>>,
    /// Factor from samples to physical values, such as `1e-4` for reflectance times 10000.
    pub scale: Option<f64>,
    /// What is added after the factor.
    pub offset: Option<f64>,
    /// Where the pixels lie on the Earth.
    pub geo: Option<GeoTags>,
    /// The file that the cube was read from.
    pub source: Option<Source>,
}

impl CubeMeta {
    /// Checks that every list has one entry for each of `bands` bands and holds finite numbers.
    ///
    /// # Errors
    /// [`Error::MetaLength`], or [`Error::Config`] for a wavelength or width that is not a finite
    /// number.
    pub fn validate(&self, bands: usize) -> Result<()> {
        let length = |field, got| {
            if got == bands {
                Ok(())
            } else {
                Err(Error::MetaLength { field, expected: bands, got })
            }
        };
        for (field, list) in [("wavelengths_nm", &self.wavelengths_nm), ("fwhm_nm", &self.fwhm_nm)]
        {
            let Some(list) = list else { continue };
            length(field, list.len())?;
            if let Some(value) = list.iter().find(|v| !v.is_finite()) {
                let reason = "every entry should be a finite number";
                return Err(Error::Config { field, value: value.to_string(), reason });
            }
        }
        self.bad_bands.as_ref().map_or(Ok(()), |list| length("bad_bands", list.len()))
    }

    /// Whether a sample is the nodata value (never, when there is none).
    pub fn is_nodata(&self, sample: f32) -> bool {
        self.nodata.is_some_and(|nodata| equals_nodata(sample, nodata as f32))
    }

    /// The metadata of some of the bands, in the given order. Indices out of range are left out.
    pub(crate) fn select_bands(&self, bands: &[usize]) -> Self {
        fn pick<T: Copy>(list: Option<&Vec<T>>, bands: &[usize]) -> Option<Vec<T>> {
            list.map(|list| bands.iter().filter_map(|&b| list.get(b).copied()).collect())
        }
        Self {
            wavelengths_nm: pick(self.wavelengths_nm.as_ref(), bands),
            fwhm_nm: pick(self.fwhm_nm.as_ref(), bands),
            bad_bands: pick(self.bad_bands.as_ref(), bands),
            ..self.clone()
        }
    }

    /// The metadata of a window that starts at a row and column.
    pub(crate) fn shifted(&self, row: usize, col: usize) -> Self {
        let mut meta = self.clone();
        if let Some(transform) = meta.geo.as_mut().and_then(|geo| geo.transform.as_mut()) {
            let (row, col) = (row as f64, col as f64);
            transform[0] += col * transform[1] + row * transform[2];
            transform[3] += col * transform[4] + row * transform[5];
        }
        meta
    }
}

/// Whether a sample equals a nodata value, where NaN equals NaN.
pub(crate) fn equals_nodata(sample: f32, nodata: f32) -> bool {
    sample == nodata || (sample.is_nan() && nodata.is_nan())
}

/// Position of the pixels on the Earth.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GeoTags {
    /// Affine map `[x0, dx/dcol, dx/drow, y0, dy/dcol, dy/drow]` from the corner of a pixel to
    /// the coordinates of the reference system (the order that GDAL uses).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transform: Option<[f64; 6]>,
    /// EPSG code of the reference system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsg: Option<u32>,
    /// The reference system as well-known text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wkt: Option<String>,
}

/// The file that a cube came from, and how its samples were stored there.
///
/// [`save`](crate::save()) writes the same form again unless told otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// Its format.
    pub format: Format,
    /// Type of the stored samples.
    pub dtype: SampleType,
    /// Whether the first axis varies fastest.
    pub fortran_order: bool,
    /// Whether the samples are big-endian.
    pub big_endian: bool,
    /// Order of the stored axes.
    pub axes: Axes,
}

/// A file format of cubes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Format {
    /// NumPy's array file, with an optional JSON file of the same stem.
    Npy,
}

impl Format {
    /// All formats.
    pub const ALL: &'static [Self] = &[Self::Npy];

    /// Name of the format, as shown to users.
    pub fn name(self) -> &'static str {
        match self {
            Self::Npy => "npy",
        }
    }

    /// File name extensions of the format, the first being the usual one.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Npy => &["npy"],
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Order of the axes of a stored array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Axes {
    /// The custom of the format: band-first for `.npy`.
    #[default]
    Auto,
    /// Bands, height, width.
    Bhw,
    /// Height, width, bands.
    Hwb,
}

impl Axes {
    /// Replaces `Auto` by the custom of a format.
    #[must_use]
    pub fn or(self, custom: Self) -> Self {
        if self == Self::Auto { custom } else { self }
    }
}

impl FromStr for Axes {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "bhw" => Ok(Self::Bhw),
            "hwb" => Ok(Self::Hwb),
            _ => Err(Error::Parse {
                what: "order of axes",
                value: text.to_owned(),
                expected: "`auto`, `bhw` or `hwb`",
            }),
        }
    }
}

/// Type of a stored sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SampleType {
    /// One byte, zero or one.
    Bool,
    /// Unsigned, 8 bits.
    U8,
    /// Unsigned, 16 bits.
    U16,
    /// Unsigned, 32 bits; values above 2^24 are rounded in a cube.
    U32,
    /// Unsigned, 64 bits; values above 2^24 are rounded in a cube.
    U64,
    /// Signed, 8 bits.
    I8,
    /// Signed, 16 bits.
    I16,
    /// Signed, 32 bits; magnitudes above 2^24 are rounded in a cube.
    I32,
    /// Signed, 64 bits; magnitudes above 2^24 are rounded in a cube.
    I64,
    /// IEEE half precision.
    F16,
    /// IEEE single precision.
    F32,
    /// IEEE double precision; rounded to single precision in a cube.
    F64,
}

impl SampleType {
    /// All types.
    pub const ALL: [Self; 12] = [
        Self::Bool,
        Self::U8,
        Self::U16,
        Self::U32,
        Self::U64,
        Self::I8,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::F16,
        Self::F32,
        Self::F64,
    ];

    /// Bytes of one sample.
    pub fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Whether the type is a floating-point one.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::F32 | Self::F64)
    }

    /// NumPy's kind and size, such as `f4`.
    pub fn numpy_code(self) -> &'static str {
        match self {
            Self::Bool => "b1",
            Self::U8 => "u1",
            Self::U16 => "u2",
            Self::U32 => "u4",
            Self::U64 => "u8",
            Self::I8 => "i1",
            Self::I16 => "i2",
            Self::I32 => "i4",
            Self::I64 => "i8",
            Self::F16 => "f2",
            Self::F32 => "f4",
            Self::F64 => "f8",
        }
    }
}

impl fmt::Display for SampleType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.numpy_code())
    }
}
