//! What `--data` names.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{BandSelection, CutOptions, Dataset, HySpecNet, PatchDataset, SyntheticDataset};
use crate::enmap::{self, QualityMask};
use crate::error::{Error, Result};
use crate::io::OpenOptions;
use crate::meta::Axes;
use crate::synthetic::SceneConfig;

/// Scenes of `synthetic` without a number.
const DEFAULT_SCENES: usize = 64;

/// Side of a synthetic scene when none is asked for.
const DEFAULT_SCENE_SIDE: usize = 64;

/// Where samples come from: a HySpecNet folder, a folder of cubes, one cube, or synthetic scenes.
///
/// ```
/// use hsi_data::{DataSpec, DatasetOptions};
///
/// let spec: DataSpec = "synthetic:3".parse()?;
/// let options = DatasetOptions { bands: Some(8), patch_size: Some(16), ..Default::default() };
/// let dataset = spec.open(&options)?;
/// assert_eq!(dataset.len(), 3);
/// assert_eq!(dataset.get(0)?.dim(), (8, 16, 16));
/// # Ok::<(), hsi_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DataSpec {
    /// A folder or file; which of the three it is is seen when it is opened.
    Path(PathBuf),
    /// Synthetic scenes.
    Synthetic {
        /// How many.
        count: usize,
    },
}

/// How a dataset is opened; what does not apply to its kind is ignored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DatasetOptions {
    /// Rows and columns of a sample. By default the patches of HySpecNet whole, of cubes their
    /// shortest side up to 128, of synthetic scenes 64.
    pub patch_size: Option<usize>,
    /// Pixels from one sample of a cube to the next; by default the sample size.
    pub stride: Option<usize>,
    /// Bands of synthetic scenes: 202 (the default) are HySpecNet's, other numbers are
    /// [`SceneConfig::with_bands`].
    pub bands: Option<usize>,
    /// Seed of synthetic scenes.
    pub seed: u64,
    /// Order of the axes of cube files.
    pub axes: Axes,
    /// Nodata value of cube files, in place of what they say.
    pub nodata: Option<f64>,
    /// Name of the variable, for files that hold several.
    pub variable: Option<String>,
    /// Rows and columns of cubes that are stored as matrices of pixels.
    pub reshape: Option<(usize, usize)>,
    /// Layers of EnMAP products whose flagged pixels are nodata.
    pub quality_masks: Vec<QualityMask>,
    /// Which bands of cube files are kept.
    pub band_selection: BandSelection,
}

impl DataSpec {
    /// Finds the samples.
    ///
    /// # Errors
    /// [`Error::Io`] if nothing is there, and those of [`HySpecNet::open`],
    /// [`PatchDataset::from_folder`], [`PatchDataset::from_file`] and [`SyntheticDataset::new`].
    pub fn open(&self, options: &DatasetOptions) -> Result<Arc<dyn Dataset>> {
        let path = match self {
            Self::Synthetic { count } => {
                let mut config = SceneConfig::with_bands(options.bands.unwrap_or(202))?;
                let side = options.patch_size.unwrap_or(DEFAULT_SCENE_SIDE);
                (config.rows, config.cols) = (side, side);
                return Ok(Arc::new(SyntheticDataset::new(config, *count, options.seed)?));
            }
            Self::Path(path) => path,
        };
        let is_folder = std::fs::metadata(path).map_err(Error::io(path))?.is_dir();
        if is_folder && HySpecNet::is_at(path) {
            return Ok(Arc::new(HySpecNet::open(path, options.patch_size)?));
        }
        let cut = CutOptions {
            patch_size: options.patch_size,
            stride: options.stride,
            bands: options.band_selection,
            open: OpenOptions {
                axes: options.axes,
                nodata: options.nodata,
                variable: options.variable.clone(),
                reshape: options.reshape,
                quality_masks: options.quality_masks.clone(),
                ..OpenOptions::default()
            },
        };
        // The folder of a product is one cube, its files are layers of it.
        let dataset = if is_folder && enmap::metadata_of(path)?.is_none() {
            PatchDataset::from_folder(path, &cut)
        } else {
            PatchDataset::from_file(path, &cut)
        };
        Ok(Arc::new(dataset?))
    }
}

impl FromStr for DataSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let unknown = || Error::Parse {
            what: "dataset",
            value: text.to_owned(),
            expected: "a folder, a file, `synthetic` or `synthetic:N` with N at least 1",
        };
        if text.is_empty() {
            return Err(unknown());
        }
        if text == "synthetic" {
            return Ok(Self::Synthetic { count: DEFAULT_SCENES });
        }
        match text.strip_prefix("synthetic:") {
            None => Ok(Self::Path(PathBuf::from(text))),
            Some(count) => match count.parse() {
                Ok(count) if count > 0 => Ok(Self::Synthetic { count }),
                _ => Err(unknown()),
            },
        }
    }
}

impl fmt::Display for DataSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Synthetic { count } => write!(f, "synthetic:{count}"),
        }
    }
}

impl TryFrom<String> for DataSpec {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<DataSpec> for String {
    fn from(spec: DataSpec) -> Self {
        spec.to_string()
    }
}
