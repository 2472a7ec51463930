//! What is known about a cube besides its samples.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
pub use crate::sample::SampleType;

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
    /// Names of the bands.
    pub band_names: Option<Vec<String>>,
    /// What the cube is, in words.
    pub description: Option<String>,
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
        self.band_names.as_ref().map_or(Ok(()), |list| length("band_names", list.len()))?;
        self.bad_bands.as_ref().map_or(Ok(()), |list| length("bad_bands", list.len()))
    }

    /// Whether a sample is the nodata value (never, when there is none).
    pub fn is_nodata(&self, sample: f32) -> bool {
        self.nodata.is_some_and(|nodata| equals_nodata(sample, nodata as f32))
    }

    /// The metadata of some of the bands, in the given order. Indices out of range are left out.
    pub(crate) fn select_bands(&self, bands: &[usize]) -> Self {
        fn pick<T: Clone>(list: Option<&Vec<T>>, bands: &[usize]) -> Option<Vec<T>> {
            list.map(|list| bands.iter().filter_map(|&b| list.get(b).cloned()).collect())
        }
        let mut source = self.source.clone();
        for (_, extra) in source.iter_mut().flat_map(|source| &mut source.extras) {
            if let Extra::PerBand(list) = extra {
                *list = bands.iter().filter_map(|&b| list.get(b).cloned()).collect();
            }
        }
        Self {
            wavelengths_nm: pick(self.wavelengths_nm.as_ref(), bands),
            fwhm_nm: pick(self.fwhm_nm.as_ref(), bands),
            bad_bands: pick(self.bad_bands.as_ref(), bands),
            band_names: pick(self.band_names.as_ref(), bands),
            source,
            ..self.clone()
        }
    }

    /// This metadata, and what `other` says where this one says nothing.
    #[must_use]
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            wavelengths_nm: self.wavelengths_nm.or(other.wavelengths_nm),
            fwhm_nm: self.fwhm_nm.or(other.fwhm_nm),
            nodata: self.nodata.or(other.nodata),
            bad_bands: self.bad_bands.or(other.bad_bands),
            scale: self.scale.or(other.scale),
            offset: self.offset.or(other.offset),
            geo: self.geo.or(other.geo),
            band_names: self.band_names.or(other.band_names),
            description: self.description.or(other.description),
            source: self.source.or(other.source),
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
    /// How the samples are packed.
    pub compression: Compression,
    /// Bands, rows and columns that are packed together, in formats that cut cubes into strips,
    /// tiles or chunks.
    pub chunk: Option<[usize; 3]>,
    /// Name of the variable, in formats that hold several.
    pub variable: Option<String>,
    /// What else the file says, in its own words: kept for writing the same format again.
    pub extras: Vec<(String, Extra)>,
}

impl Source {
    /// A plain little-endian file in band-first C order.
    pub fn new(path: impl Into<PathBuf>, format: Format, dtype: SampleType) -> Self {
        Self {
            path: path.into(),
            format,
            dtype,
            fortran_order: false,
            big_endian: false,
            axes: Axes::Bhw,
            compression: Compression::None,
            chunk: None,
            variable: None,
            extras: Vec::new(),
        }
    }
}

/// A piece of metadata that means nothing to this crate, in the words of its format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extra {
    /// Text.
    Text(String),
    /// Text, one a band.
    PerBand(Vec<String>),
    /// Bytes, with a number that says what they are (the type of a TIFF field, little-endian).
    Bytes(u16, Vec<u8>),
}

/// How samples are packed in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// Deflate, in zlib's or gzip's wrapping, whichever is the format's.
    Deflate {
        /// From 1, fast, to 9, small.
        level: u8,
        /// Whether neighbours are subtracted (GeoTIFF) or bytes are shuffled (HDF5) first.
        filter: bool,
    },
    /// LZW, in GeoTIFF.
    Lzw {
        /// Whether neighbours are subtracted first.
        filter: bool,
    },
    /// Zstandard, in GeoTIFF.
    Zstd {
        /// From 1, fast, to 22, small.
        level: u8,
        /// Whether neighbours are subtracted first.
        filter: bool,
    },
}

impl Compression {
    /// Whether samples are subtracted or shuffled before they are packed.
    pub fn filter(self) -> bool {
        match self {
            Self::None => false,
            Self::Deflate { filter, .. } | Self::Lzw { filter } | Self::Zstd { filter, .. } => {
                filter
            }
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none")?,
            Self::Deflate { level, .. } => write!(f, "deflate:{level}")?,
            Self::Lzw { .. } => f.write_str("lzw")?,
            Self::Zstd { level, .. } => write!(f, "zstd:{level}")?,
        }
        if self.filter() { f.write_str("+filter") } else { Ok(()) }
    }
}

impl FromStr for Compression {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let unknown = || Error::Parse {
            what: "compression",
            value: text.to_owned(),
            expected: "`none`, `deflate`, `deflate:LEVEL`, `lzw`, `zstd` or `zstd:LEVEL`, with \
                       `+filter` for differences or shuffling",
        };
        let (method, filter) = match text.strip_suffix("+filter") {
            Some(method) => (method, true),
            None => (text, false),
        };
        let (name, level) = match method.split_once(':') {
            Some((name, level)) => (name, Some(level.parse::<u8>().map_err(|_| unknown())?)),
            None => (method, None),
        };
        match (name, level, level.unwrap_or(6)) {
            ("none", None, _) if !filter => Ok(Self::None),
            ("deflate", _, level @ 1..=9) => Ok(Self::Deflate { level, filter }),
            ("lzw", None, _) => Ok(Self::Lzw { filter }),
            ("zstd", _, level @ 1..=22) => Ok(Self::Zstd { level, filter }),
            _ => Err(unknown()),
        }
    }
}

/// A file format of cubes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Format {
    /// NumPy's array file, with an optional JSON file of the same stem.
    Npy,
    /// ENVI: a text header (`.hdr`) beside a file of samples.
    Envi,
    /// TIFF, with GDAL's metadata and geo keys.
    Tiff,
    /// A folder of EnMAP's: `*-METADATA.XML`, `*-SPECTRAL_IMAGE.TIF` and quality layers. Read
    /// only.
    EnMap,
    /// HDF5.
    Hdf5,
    /// MATLAB's version 5 files.
    Mat5,
    /// MATLAB's version 7.3 files, which are HDF5.
    Mat73,
}

impl Format {
    /// All formats that are supported.
    pub const ALL: &'static [Self] =
        &[Self::Npy, Self::Envi, Self::Tiff, Self::EnMap, Self::Mat5, Self::Mat73, Self::Hdf5];

    /// Name of the format, as shown to users.
    pub fn name(self) -> &'static str {
        match self {
            Self::Npy => "npy",
            Self::Envi => "envi",
            Self::Tiff => "tiff",
            Self::EnMap => "enmap",
            Self::Hdf5 => "hdf5",
            Self::Mat5 => "mat5",
            Self::Mat73 => "mat73",
        }
    }

    /// File name extensions of the format, the first being the usual one. An extension belongs to
    /// the first format that has it.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Npy => &["npy"],
            Self::Envi => &["img", "hdr", "bsq", "bil", "bip", "dat", "envi"],
            Self::Tiff => &["tif", "tiff"],
            Self::EnMap => &[],
            Self::Hdf5 => &["h5", "hdf5", "he5", "nc"],
            Self::Mat5 | Self::Mat73 => &["mat"],
        }
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.iter().find(|format| format.name() == text).copied().ok_or_else(|| Error::Parse {
            what: "format",
            value: text.to_owned(),
            expected: "the name of a format that is read and written",
        })
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
    /// Bands, height, width: ENVI's `bsq`.
    Bhw,
    /// Height, width, bands: pixel by pixel, ENVI's `bip`.
    Hwb,
    /// Height, bands, width: line by line, ENVI's `bil`.
    Hbw,
}

impl Axes {
    /// Replaces `Auto` by the custom of a format.
    #[must_use]
    pub fn or(self, custom: Self) -> Self {
        if self == Self::Auto { custom } else { self }
    }

    /// Axes of the cube (0 bands, 1 rows, 2 columns) in the order of the file; `Auto` is
    /// band-first.
    pub(crate) fn order(self) -> [usize; 3] {
        match self {
            Self::Auto | Self::Bhw => [0, 1, 2],
            Self::Hwb => [1, 2, 0],
            Self::Hbw => [1, 0, 2],
        }
    }
}

impl FromStr for Axes {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "bhw" | "bsq" => Ok(Self::Bhw),
            "hwb" | "bip" => Ok(Self::Hwb),
            "hbw" | "bil" => Ok(Self::Hbw),
            _ => Err(Error::Parse {
                what: "order of axes",
                value: text.to_owned(),
                expected: "`auto`, `bhw` (`bsq`), `hwb` (`bip`) or `hbw` (`bil`)",
            }),
        }
    }
}
