//! Arguments that say which images, and what is written.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use hsi_data::Axes;
use spectralift::PercentileRange;

/// What the images are, and their scale.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Images")]
pub struct ImageArgs {
    /// Synthetic mode: cube of high resolution that is degraded, reconstructed and scored
    #[arg(long, value_name = "CUBE")]
    pub input: Option<PathBuf>,
    /// Real mode: multispectral image of high resolution
    #[arg(long, value_name = "IMAGE")]
    pub hr_msi: Option<PathBuf>,
    /// Real mode: hyperspectral cube of low resolution, of the same ground
    #[arg(long, value_name = "CUBE")]
    pub lr_hsi: Option<PathBuf>,
    /// Real mode: cube on the pixels of the multispectral image to score against
    #[arg(long, value_name = "CUBE")]
    pub truth: Option<PathBuf>,
    /// Real mode: average the cube by this factor, take that for the cube of low resolution and
    /// the cube itself for the truth; the multispectral image is averaged to its pixels (Wald's
    /// protocol)
    #[arg(long, value_name = "FACTOR")]
    pub wald_ratio: Option<usize>,
    /// Which mode is meant, true or false [default: what the images say]
    #[arg(long)]
    pub synthetic: Option<bool>,
    /// How values are brought to [0, 1], all images by one map: percentiles:LOW:HIGH of the cube,
    /// fixed:MIN:MAX, or none
    #[arg(long, default_value = "percentiles:1:99")]
    pub normalisation: Normalisation,
    /// Name of the variable of the multispectral image [default: that of the cube]
    #[arg(long, value_name = "NAME")]
    pub msi_variable: Option<String>,
    /// Order of the axes of the multispectral image [default: that of the cube]
    #[arg(long, value_name = "AXES")]
    pub msi_axes: Option<Axes>,
}

/// How values are brought to [0, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Normalisation {
    /// By two percentiles of the hyperspectral cube.
    Percentiles(f64, f64),
    /// From a known range.
    Fixed(PercentileRange),
}

impl FromStr for Normalisation {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            "should be `percentiles:LOW:HIGH` with 0 <= LOW < HIGH <= 100, `fixed:MIN:MAX` with \
             MIN < MAX, or `none`"
        };
        let numbers = |text: &str| -> Option<(f64, f64)> {
            let (low, high) = text.split_once(':')?;
            let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
            (f64::is_finite(low) && f64::is_finite(high) && low < high).then_some((low, high))
        };
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        match (name, numbers(rest)) {
            ("none", None) if rest.is_empty() => {
                Ok(Self::Fixed(PercentileRange { low: 0.0, high: 1.0 }))
            }
            ("fixed", Some((low, high))) => Ok(Self::Fixed(PercentileRange { low, high })),
            ("percentiles", Some((low, high))) if low >= 0.0 && high <= 100.0 => {
                Ok(Self::Percentiles(low, high))
            }
            _ => bail!(wrong()),
        }
    }
}

impl fmt::Display for Normalisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percentiles(low, high) => write!(f, "percentiles:{low}:{high}"),
            Self::Fixed(PercentileRange { low, high }) => write!(f, "fixed:{low}:{high}"),
        }
    }
}

/// Values joined by commas.
#[derive(Debug, Clone, PartialEq)]
pub struct List<T>(pub Vec<T>);

impl<T: FromStr> FromStr for List<T>
where
    anyhow::Error: From<T::Err>,
{
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split(',').map(|part| Ok(part.trim().parse::<T>()?));
        parts.collect::<Result<_>>().map(Self)
    }
}

/// What is written.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// File of the result [default: SR_*.npy, .mat or .h5 in --save-dir, named by the input and
    /// the degradation]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// numpy (.npy), matlab (.mat, version 5) or h5 (HDF5, packed); the array is called SR_image
    #[arg(long, value_enum, default_value = "numpy", value_name = "TYPE")]
    pub output_file_type: FileType,
    /// Order of the axes of the result: hwb (bands last, as published), bhw (band first) or hbw
    #[arg(long, default_value = "hwb", value_name = "AXES")]
    pub output_axes: Axes,
    /// Scale of the result: unit ([0, 1], as published) or input (that of the cube)
    #[arg(long, value_enum, default_value = "unit", value_name = "SCALE")]
    pub output_scale: OutputScale,
    /// Where run.json, metrics.json, metrics.csv, pictures and the result go
    #[arg(long, default_value = "runs/superres", value_name = "FOLDER")]
    pub save_dir: PathBuf,
    /// Draw no pictures
    #[arg(long)]
    pub no_pictures: bool,
    /// Say more: ranges, sensors, the course of the training
    #[arg(long)]
    pub verbose: bool,
}

/// Kind of the file of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FileType {
    /// NumPy's.
    Numpy,
    /// MATLAB's, version 5.
    Matlab,
    /// HDF5.
    H5,
}

/// Scale of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputScale {
    /// 0 to 1.
    Unit,
    /// That of the cube that was read.
    Input,
}
