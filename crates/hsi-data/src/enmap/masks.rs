//! Quality layers: which pixels of a product should not be used.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::str::FromStr;

use ndarray::Array3;

use super::{MASK, layer};
use crate::error::{Error, Result};
use crate::io::OpenOptions;
use crate::meta::Format;
use crate::stream::CubeReader;
use crate::tiff::TiffReader;

/// A quality layer of an EnMAP product, by what it flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QualityMask {
    /// Clouds.
    Cloud,
    /// Shadows of clouds.
    CloudShadow,
    /// Haze.
    Haze,
    /// Cirrus of any thickness.
    Cirrus,
    /// Snow.
    Snow,
}

impl QualityMask {
    /// All layers that can be chosen.
    pub const ALL: [Self; 5] =
        [Self::Cloud, Self::CloudShadow, Self::Haze, Self::Cirrus, Self::Snow];

    /// Name of the layer, as shown to users.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cloud => "cloud",
            Self::CloudShadow => "cloudshadow",
            Self::Haze => "haze",
            Self::Cirrus => "cirrus",
            Self::Snow => "snow",
        }
    }

    /// What the name of its file ends in.
    pub(super) fn file(self) -> String {
        format!("-QL_QUALITY_{}", self.name().to_uppercase())
    }
}

impl fmt::Display for QualityMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for QualityMask {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|mask| mask.name() == text).ok_or_else(|| Error::Parse {
            what: "quality mask",
            value: text.to_owned(),
            expected: "`cloud`, `cloudshadow`, `haze`, `cirrus` or `snow`",
        })
    }
}

/// The layers of a product whose flags count, each of one band or of as many as the image.
#[derive(Debug)]
pub(super) struct Masks(Vec<TiffReader>);

impl Masks {
    /// Opens the mask of defective pixels, where the product has one, and the layers that are
    /// asked for. An empty file of the former flags nothing.
    pub(super) fn open(metadata: &Path, shape: [usize; 3], options: &OpenOptions) -> Result<Self> {
        let mut paths = Vec::new();
        if let Some(path) = layer(metadata, MASK)
            && std::fs::metadata(&path).map_err(Error::io(&path))?.len() > 0
        {
            paths.push(path);
        }
        for mask in &options.quality_masks {
            let missing = || Error::Malformed {
                path: metadata.to_path_buf(),
                format: Format::EnMap,
                reason: format!("there is no `*{}.TIF` beside it", mask.file()),
            };
            paths.push(layer(metadata, &mask.file()).ok_or_else(missing)?);
        }
        let mut masks = Vec::new();
        for path in paths {
            let mask = TiffReader::open(&path, options)?;
            let [bands, rows, cols] = mask.shape();
            if [rows, cols] != shape[1..] || (bands != 1 && bands != shape[0]) {
                let (expected, got) = (shape.to_vec(), vec![bands, rows, cols]);
                return Err(Error::Shape { what: "a quality mask", expected, got });
            }
            masks.push(mask);
        }
        Ok(Self(masks))
    }

    /// Whether nothing can be flagged.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The flags of a window, each `[1 or bands.len(), rows.len(), cols.len()]`; zero is good.
    pub(super) fn read(
        &self,
        bands: &[usize],
        rows: &Range<usize>,
        cols: &Range<usize>,
    ) -> impl Iterator<Item = Result<Array3<f32>>> {
        self.0.iter().map(move |mask| {
            let per_band = mask.shape()[0] > 1;
            mask.read(if per_band { bands } else { &[0] }, rows.clone(), cols.clone())
        })
    }
}
