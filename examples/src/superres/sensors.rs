//! Arguments that say what the two sensors do.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use clap::Args;
use spectralift::{Degradation, PUBLISHED_FWHM_FACTOR, Psf, PsfConfig, PsfShape};

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

/// The two sensors.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sensors")]
pub struct SensorArgs {
    /// Blur of the cube in synthetic mode: gaussian, kolmogorov, airy (as published; airy-disc is
    /// the diffraction pattern), moffat, sinc, lorentzian2, hermite, parabolic, gabor, delta
    /// [default: gaussian]
    #[arg(long, value_name = "NAME")]
    pub psf_type: Option<PsfShape>,
    /// Width of the blur in pixels of high resolution [default: 3.4]
    #[arg(long)]
    pub sigma: Option<f64>,
    /// Radius of the kernel in pixels: it has 2 x radius + 1 rows and columns [default: 7]
    #[arg(long, value_name = "RADIUS")]
    pub kernel_size: Option<usize>,
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
    /// [default: 4]
    #[arg(long, value_name = "RATIO")]
    pub downsample_ratio: Option<usize>,
    /// Signal-to-noise ratio of the cube in dB, or none, in synthetic mode [default: 35, 30, 25, 20
    /// for ratios of 4, 8, 16, 32]
    #[arg(long, value_name = "DB")]
    pub snr_spatial: Option<Snr>,
    /// Signal-to-noise ratio of the multispectral image in dB, or none, in synthetic mode
    /// [default: 40]
    #[arg(long, value_name = "DB")]
    pub snr_spectral: Option<Snr>,
    /// Bands of the multispectral sensor whose response is built: 1, 3, 4, 8 or 16 [default: 4 in
    /// synthetic mode]
    #[arg(long, value_name = "COUNT")]
    pub num_msi_bands: Option<usize>,
    /// Divisor from the width of a band to the standard deviation of its response [default: 4.2]
    #[arg(long, value_name = "FACTOR")]
    pub fwhm_factor: Option<f64>,
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
    /// Weight of the smoothness of an estimated response [default: 0.01]
    #[arg(long, value_name = "WEIGHT")]
    pub srf_smoothness: Option<f64>,
    /// Seed of the noise, the weights and the held-out pixels
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
}

impl SensorArgs {
    /// Shape of the blur.
    pub fn shape(&self) -> PsfShape {
        self.psf_type.unwrap_or(PsfShape::Gaussian)
    }

    /// Width of the blur.
    pub fn sigma(&self) -> f64 {
        self.sigma.unwrap_or(PsfConfig::default().sigma)
    }

    /// Radius of its kernel.
    pub fn radius(&self) -> usize {
        self.kernel_size.unwrap_or(PsfConfig::default().radius)
    }

    /// Ratio of the resolutions.
    pub fn ratio(&self) -> usize {
        self.downsample_ratio.unwrap_or(4)
    }

    /// Signal-to-noise ratio of the multispectral image.
    pub fn snr_spectral_db(&self) -> Option<f64> {
        self.snr_spectral.unwrap_or(Snr(Some(40.0))).0
    }

    /// Divisor from the width of a band to the standard deviation of its response.
    pub fn fwhm_factor(&self) -> f64 {
        self.fwhm_factor.unwrap_or(PUBLISHED_FWHM_FACTOR)
    }

    /// Weight of the smoothness of an estimated response.
    pub fn smoothness(&self) -> f64 {
        self.srf_smoothness.unwrap_or(0.01)
    }

    /// The blur of a shape: its kernel and its name.
    ///
    /// # Errors
    /// When a parameter is of another shape, or the kernel cannot be read or normalised.
    pub fn psf(&self, shape: PsfShape) -> Result<(Psf, String)> {
        if let Some(path) = &self.psf_file {
            let kernel =
                hsi_data::read_matrix(path, self.psf_variable.as_deref()).context("the PSF")?;
            let psf = Psf::from_kernel(kernel).with_context(|| format!("`{}`", path.display()))?;
            return Ok((psf, "custom".to_owned()));
        }
        let shape = self.with_parameters(shape);
        let config = PsfConfig { shape, sigma: self.sigma(), radius: self.radius() };
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
