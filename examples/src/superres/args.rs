//! Arguments that say what is observed, and how it is reconstructed.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use hsi_data::Axes;
use spectralift::{
    Batch, Degradation, LiftConfig, ModelKind, PercentileRange, Psf, PsfConfig, PsfShape,
    ScheduleKind,
};

use super::estimate::Method;

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

/// A signal-to-noise ratio in dB, or none for no noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Snr(pub Option<f64>);

impl FromStr for Snr {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "none" {
            return Ok(Self(None));
        }
        let snr = text.parse().ok().filter(|snr: &f64| snr.is_finite());
        Ok(Self(Some(snr.context("should be a number of decibels, or `none`")?)))
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

/// The two sensors.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sensors")]
pub struct SensorArgs {
    /// Blur of the cube in synthetic mode: gaussian, kolmogorov, airy (as published; airy-disc is
    /// the diffraction pattern), moffat, sinc, lorentzian2, hermite, parabolic, gabor, delta
    #[arg(long, default_value = "gaussian")]
    pub psf_type: PsfShape,
    /// Width of the blur in pixels of high resolution
    #[arg(long, default_value_t = 3.4)]
    pub sigma: f64,
    /// Radius of the kernel in pixels: it has 2 x radius + 1 rows and columns
    #[arg(long, default_value_t = 7, value_name = "RADIUS")]
    pub kernel_size: usize,
    /// Exponent of `moffat` [default: 3.5]
    #[arg(long, value_name = "BETA")]
    pub moffat_beta: Option<f64>,
    /// Order of `hermite` [default: 1]
    #[arg(long, value_name = "ORDER")]
    pub hermite_order: Option<u32>,
    /// Direction of `gabor` in radians [default: 0]
    #[arg(long, value_name = "THETA")]
    pub gabor_theta: Option<f64>,
    /// Wavelength of `gabor` in pixels [default: 1]
    #[arg(long, value_name = "LAMBDA")]
    pub gabor_lambda: Option<f64>,
    /// Aspect of `gabor` [default: 0.5]
    #[arg(long, value_name = "GAMMA")]
    pub gabor_gamma: Option<f64>,
    /// Phase of `gabor` in radians [default: 0]
    #[arg(long, value_name = "PSI")]
    pub gabor_psi: Option<f64>,
    /// Kernel of the blur from a file (.mat, .npy, HDF5), used as it is
    #[arg(long, value_name = "FILE")]
    pub psf_file: Option<PathBuf>,
    /// Name of the kernel in that file, if it holds several arrays
    #[arg(long, value_name = "NAME")]
    pub psf_variable: Option<String>,
    /// Pixels of high resolution along the side of one of low resolution, in synthetic mode
    #[arg(long, default_value_t = 4, value_name = "RATIO")]
    pub downsample_ratio: usize,
    /// Signal-to-noise ratio of the cube in dB, or none, in synthetic mode [default: 35, 30, 25, 20
    /// for ratios of 4, 8, 16, 32]
    #[arg(long, value_name = "DB")]
    pub snr_spatial: Option<Snr>,
    /// Signal-to-noise ratio of the multispectral image in dB, or none, in synthetic mode
    #[arg(long, value_name = "DB", default_value = "40")]
    pub snr_spectral: Snr,
    /// Bands of the multispectral sensor whose response is built: 1, 3, 4, 8 or 16 [default: 4 in
    /// synthetic mode]
    #[arg(long, value_name = "COUNT")]
    pub num_msi_bands: Option<usize>,
    /// Divisor from the width of a band to the standard deviation of its response
    #[arg(long, default_value_t = spectralift::PUBLISHED_FWHM_FACTOR, value_name = "FACTOR")]
    pub fwhm_factor: f64,
    /// Build the response on the wavelengths of the cube, not on the published grid, which spreads
    /// any cube's bands evenly over the sensor's range
    #[arg(long)]
    pub true_wavelengths: bool,
    /// Response from a file (.mat, .npy, HDF5): a row for each multispectral band, a column for
    /// each band of the cube
    #[arg(long, value_name = "FILE")]
    pub srf_file: Option<PathBuf>,
    /// Name of the response in that file, if it holds several arrays
    #[arg(long, value_name = "NAME")]
    pub srf_variable: Option<String>,
    /// Estimate the response, and the gain and offset of each multispectral band, from the two
    /// images, in real mode
    #[arg(long)]
    pub estimate_srf: bool,
    /// Weight of the smoothness of an estimated response
    #[arg(long, default_value_t = 0.1, value_name = "WEIGHT")]
    pub srf_smoothness: f64,
    /// Seed of the noise, the weights and the held-out pixels
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
}

impl SensorArgs {
    /// The blur of a shape: its kernel and its name.
    ///
    /// # Errors
    /// When a parameter is of another shape, or the kernel cannot be read or normalised.
    pub fn psf(&self, shape: PsfShape) -> Result<(Psf, String)> {
        if let Some(path) = &self.psf_file {
            let kernel = hsi_data::read_matrix(path, self.psf_variable.as_deref())?;
            let psf = Psf::from_kernel(kernel).with_context(|| format!("`{}`", path.display()))?;
            return Ok((psf, "custom".to_owned()));
        }
        let shape = self.with_parameters(shape);
        let config = PsfConfig { shape, sigma: self.sigma, radius: self.kernel_size };
        let psf = Psf::new(&config).with_context(|| format!("the PSF `{}`", shape.name()))?;
        Ok((psf, shape.name().to_owned()))
    }

    /// Refuses parameters of a shape that is not used.
    ///
    /// # Errors
    /// When there are such.
    pub fn check_parameters(&self, shapes: &[PsfShape]) -> Result<()> {
        let gabor = [self.gabor_theta, self.gabor_lambda, self.gabor_gamma, self.gabor_psi];
        for (name, flag, given) in [
            ("moffat", "--moffat-beta", self.moffat_beta.is_some()),
            ("hermite", "--hermite-order", self.hermite_order.is_some()),
            ("gabor", "--gabor-*", gabor.iter().any(Option::is_some)),
        ] {
            if given && (self.psf_file.is_some() || !shapes.iter().any(|s| s.name() == name)) {
                bail!("{flag} belongs to `--psf-type {name}`, which is not used");
            }
        }
        Ok(())
    }

    fn with_parameters(&self, shape: PsfShape) -> PsfShape {
        match shape {
            PsfShape::Moffat { beta } => {
                PsfShape::Moffat { beta: self.moffat_beta.unwrap_or(beta) }
            }
            PsfShape::Hermite { order } => {
                PsfShape::Hermite { order: self.hermite_order.unwrap_or(order) }
            }
            PsfShape::Gabor { theta, lambda, gamma, psi } => PsfShape::Gabor {
                theta: self.gabor_theta.unwrap_or(theta),
                lambda: self.gabor_lambda.unwrap_or(lambda),
                gamma: self.gabor_gamma.unwrap_or(gamma),
                psi: self.gabor_psi.unwrap_or(psi),
            },
            other => other,
        }
    }

    /// The signal-to-noise ratio of the cube for a ratio.
    pub fn snr_spatial_db(&self, ratio: usize) -> Option<f64> {
        match self.snr_spatial {
            Some(Snr(snr)) => snr,
            None => Some(Degradation::published_snr_db(ratio).0),
        }
    }
}

/// The model and its training.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Model")]
pub struct ModelArgs {
    /// published (the network of the paper), affine (closed form), residual (a network for what
    /// the affine map leaves), fused (the affine map, and the cube's own spectra where it misses
    /// them)
    #[arg(long, default_value_t)]
    pub model: ModelKind,
    /// What is scored beside it: bicubic, or any of the models, joined by commas, or none
    #[arg(long, default_value = "bicubic,affine")]
    pub compare: Compare,
    /// Features of the hidden layers [default: 64]
    #[arg(long, value_name = "FEATURES")]
    pub hidden_size: Option<usize>,
    /// Passes over the low-resolution pixels [default: 2500]
    #[arg(long)]
    pub epochs: Option<usize>,
    /// Pixels of an update [default: all]
    #[arg(long, value_name = "PIXELS")]
    pub training_batch_size: Option<usize>,
    /// Let --training-batch-size be the side of square tiles, as the published program has it
    #[arg(long)]
    pub batch_tiles: bool,
    /// one_cycle, cosine_restart or flat [default: one_cycle]
    #[arg(long, value_name = "NAME")]
    pub lr_schedule: Option<ScheduleKind>,
    /// Learning rate where one_cycle starts, and of flat [default: 1e-3; 1e-4 for residual]
    #[arg(long, value_name = "RATE")]
    pub init_lr: Option<f64>,
    /// Highest learning rate of one_cycle and cosine_restart [default: 1e-2; 1e-3 for residual]
    #[arg(long, value_name = "RATE")]
    pub max_lr: Option<f64>,
    /// Last learning rate of one_cycle [default: 1e-6; 1e-7 for residual]
    #[arg(long, value_name = "RATE")]
    pub final_lr: Option<f64>,
    /// Learning rate that cosine_restart goes down to [default: 1e-6; 1e-7 for residual]
    #[arg(long, value_name = "RATE")]
    pub min_lr: Option<f64>,
    /// Cosines of cosine_restart [default: 2]
    #[arg(long, value_name = "COUNT")]
    pub num_restarts: Option<usize>,
    /// Part of the low-resolution pixels that choose the epoch whose weights are kept, 0 to 0.5
    /// [default: 0 for published, 0.2 for residual]
    #[arg(long, value_name = "PART")]
    pub held_out: Option<f64>,
    /// Ridge of the affine map, as part of the mean variance of the multispectral bands
    /// [default: chosen by leave-one-out error]
    #[arg(long)]
    pub ridge: Option<f64>,
    /// Networks that are trained and averaged [default: 1]
    #[arg(long, value_name = "COUNT")]
    pub members: Option<usize>,
    /// Pixels that are computed at a time at the end; it changes memory and time, not the result
    #[arg(long, value_name = "PIXELS")]
    pub inference_batch_size: Option<usize>,
}

impl ModelArgs {
    /// The settings of a model: its own defaults, and what was said.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn config(&self, model: ModelKind, seed: u64) -> Result<LiftConfig> {
        if self.batch_tiles && self.training_batch_size.is_none() {
            bail!("--batch-tiles needs --training-batch-size, the side of a tile");
        }
        let mut config = LiftConfig::of(model);
        config.seed = seed;
        config.ridge = self.ridge.or(config.ridge);
        config.inference_batch = self.inference_batch_size.or(config.inference_batch);
        config.batch = match self.training_batch_size {
            None => config.batch,
            Some(side) if self.batch_tiles => Batch::Tile(side),
            Some(pixels) => Batch::Pixels(pixels),
        };
        let schedule = &mut config.schedule;
        schedule.kind = self.lr_schedule.unwrap_or(schedule.kind);
        schedule.num_restarts = self.num_restarts.unwrap_or(schedule.num_restarts);
        for (value, given) in [
            (&mut schedule.init_lr, self.init_lr),
            (&mut schedule.max_lr, self.max_lr),
            (&mut schedule.final_lr, self.final_lr),
            (&mut schedule.min_lr, self.min_lr),
            (&mut config.held_out, self.held_out),
        ] {
            *value = given.unwrap_or(*value);
        }
        for (value, given) in [
            (&mut config.hidden_size, self.hidden_size),
            (&mut config.epochs, self.epochs),
            (&mut config.members, self.members),
        ] {
            *value = given.unwrap_or(*value);
        }
        config.validate()?;
        Ok(config)
    }

    /// The model, after what it is compared with.
    pub fn methods(&self) -> Vec<Method> {
        let own = Method::Model(self.model);
        let others = self.compare.0.iter().copied().filter(|&method| method != own);
        others.chain([own]).collect()
    }
}

/// Methods that stand beside the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Compare(Vec<Method>);

impl FromStr for Compare {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let mut methods = Vec::new();
        for method in text.parse::<List<Method>>()?.0 {
            if !methods.contains(&method) {
                methods.push(method);
            }
        }
        Ok(Self(methods))
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
