//! Arguments that say which data, and how they are normalised and noised.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;
use hsi_data::{
    BandSelection, DataSpec, Dataset, DatasetOptions, NormMode, Split, SplitKind, Subset,
};
use hsi_noise::NoisePipeline;

use crate::files::FileArgs;

/// Which cubes, and how they are cut.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Data")]
pub struct DataArgs {
    /// HySpecNet folder, folder of cubes, one cube file or EnMAP product, or `synthetic[:N]`
    #[arg(long)]
    pub data: DataSpec,
    /// How they are cut.
    #[command(flatten)]
    pub cut: CutArgs,
    /// Seed of splits, noise, initialisation, order and synthetic scenes
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
}

/// How cubes are read and cut into samples.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Data")]
pub struct CutArgs {
    /// Side of a sample in pixels [default: whole HySpecNet patches; of cubes their shortest side,
    /// at most 128; 64 for synthetic scenes]
    #[arg(long, value_name = "PIXELS")]
    pub image_size: Option<usize>,
    /// Pixels from one sample of a cube to the next [default: the image size]
    #[arg(long, value_name = "PIXELS")]
    pub stride: Option<usize>,
    /// Bands of synthetic scenes [default: 202]
    #[arg(long)]
    pub bands: Option<usize>,
    /// Bands of cube files that are used: `valid` leaves out nodata and bad bands, `hyspecnet`
    /// takes HySpecNet's 202 of EnMAP's 224, `all` takes every one
    #[arg(long, value_parser = band_selection, default_value = "hyspecnet")]
    pub band_selection: BandSelection,
    /// How cube files are read.
    #[command(flatten, next_help_heading = "Data")]
    pub file: FileArgs,
}

fn band_selection(text: &str) -> Result<BandSelection, String> {
    match text {
        "valid" => Ok(BandSelection::Valid),
        "hyspecnet" => Ok(BandSelection::HySpecNet),
        "all" => Ok(BandSelection::All),
        _ => Err("should be `valid`, `hyspecnet` or `all`".to_owned()),
    }
}

impl DataArgs {
    /// Opens the data set.
    ///
    /// # Errors
    /// When there is no data, or it cannot be read or cut.
    pub fn open(&self) -> Result<Arc<dyn Dataset>> {
        let options = DatasetOptions {
            patch_size: self.cut.image_size,
            stride: self.cut.stride,
            bands: self.cut.bands,
            seed: self.seed,
            axes: self.cut.file.axes.unwrap_or_default(),
            nodata: self.cut.file.nodata,
            variable: self.cut.file.variable.clone(),
            reshape: self.cut.file.reshape,
            quality_masks: self.cut.file.quality_masks.clone(),
            band_selection: self.cut.band_selection,
        };
        self.data.open(&options).with_context(|| format!("`{}`", self.data))
    }
}

/// The parts of a data set.
pub struct Parts {
    /// To train on.
    pub train: Arc<dyn Dataset>,
    /// To choose the model by.
    pub validation: Arc<dyn Dataset>,
    /// To report.
    pub test: Arc<dyn Dataset>,
}

impl Parts {
    /// Splits a data set.
    ///
    /// # Errors
    /// When a part would be empty.
    pub fn new(dataset: &Arc<dyn Dataset>, kind: SplitKind, seed: u64) -> Result<Self> {
        let split = Split::new(dataset.as_ref(), kind, seed)?;
        let part = |indices| -> Result<Arc<dyn Dataset>> {
            Ok(Arc::new(Subset::new(Arc::clone(dataset), indices)?))
        };
        Ok(Self {
            train: part(split.train)?,
            validation: part(split.val)?,
            test: part(split.test)?,
        })
    }
}

/// Which noise.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Noise and scale")]
pub struct NoiseArgs {
    /// `paper` (Gaussian 0.27, stripes on 40 % of the columns, clip), or models joined by `+`:
    /// gaussian:SIGMA stripe:INTENSITY deadline:FRACTION impulse:FRACTION poisson:PEAK
    /// niid:MIN:MAX snr:DB clip
    #[arg(long, default_value = "paper")]
    pub noise: NoisePipeline,
    /// Standard deviation of the Gaussian of `paper` [default: 0.27]
    #[arg(long, value_name = "SIGMA")]
    pub noise_std: Option<f64>,
    /// Intensity of the stripes of `paper` [default: 0.5]
    #[arg(long, value_name = "INTENSITY")]
    pub stripe_intensity: Option<f64>,
}

impl NoiseArgs {
    /// The noise, with the changes to `paper` made.
    ///
    /// # Errors
    /// When `paper` is to be changed but another noise was chosen, or a value cannot be used.
    pub fn pipeline(&self) -> Result<NoisePipeline> {
        if self.noise_std.is_none() && self.stripe_intensity.is_none() {
            self.noise.validate()?;
            return Ok(self.noise.clone());
        }
        if self.noise != NoisePipeline::paper() {
            bail!("--noise-std and --stripe-intensity change `paper`, not `{}`", self.noise);
        }
        let (sigma, intensity) =
            (self.noise_std.unwrap_or(0.27), self.stripe_intensity.unwrap_or(0.5));
        let noise = NoisePipeline::paper_with(sigma, intensity);
        noise.validate()?;
        Ok(noise)
    }
}

/// Parses a list of normalisations.
///
/// # Errors
/// When one of them is not known.
pub fn normalisations(text: &str) -> Result<Vec<NormMode>> {
    Ok(text.split(',').map(|mode| mode.trim().parse()).collect::<Result<_, _>>()?)
}
