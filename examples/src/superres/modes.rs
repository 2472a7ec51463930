//! Synthetic and real mode: which one is meant, and which flags belong to it.

use std::path::Path;

use anyhow::{Result, bail};

use super::args::ImageArgs;
use super::sensors::SensorArgs;
use crate::output::print_error;

/// What is to be done, with its images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode<'a> {
    /// A cube is degraded, reconstructed and scored.
    Synthetic(&'a Path),
    /// A low-resolution cube and a multispectral image are joined.
    Real(&'a Path, &'a Path),
}

impl<'a> Mode<'a> {
    /// The mode that the images say, or `--synthetic`.
    ///
    /// Flags of the other mode are refused; where `--synthetic` chooses, as in the published
    /// configurations that hold the parameters of both, they are named in a note.
    ///
    /// # Errors
    /// When the images of a mode are missing, those of both are there, or flags do not belong to
    /// the mode.
    pub fn of(images: &'a ImageArgs, sensors: &SensorArgs) -> Result<Self> {
        let ImageArgs { synthetic, input, lr_hsi, hr_msi, .. } = images;
        let mode = match (synthetic, input, lr_hsi, hr_msi) {
            (Some(true), Some(input), ..) | (None, Some(input), None, None) => {
                Self::Synthetic(input)
            }
            (Some(false), _, Some(cube), Some(msi)) | (None, None, Some(cube), Some(msi)) => {
                Self::Real(cube, msi)
            }
            (Some(true), None, ..) => {
                bail!("--synthetic true needs --input, the cube that is degraded")
            }
            (Some(false), ..) => {
                bail!("--synthetic false needs --lr-hsi and --hr-msi, the two images")
            }
            (None, Some(_), ..) => {
                bail!(
                    "--input is for synthetic mode, --lr-hsi and --hr-msi for real mode: not both"
                )
            }
            (None, None, None, None) => {
                bail!("nothing to do: name --input, or --lr-hsi and --hr-msi")
            }
            (None, None, Some(_), None) => {
                bail!("--lr-hsi needs --hr-msi, the multispectral image")
            }
            (None, None, None, Some(_)) => bail!("--hr-msi needs --lr-hsi, the hyperspectral cube"),
        };
        let (this, other, unused) = match mode {
            Self::Synthetic(_) => ("synthetic", "real", of_real_mode(images, sensors)),
            Self::Real(..) => ("real", "synthetic", of_synthetic_mode(sensors)),
        };
        if !unused.is_empty() {
            let list = unused.join(", ");
            if synthetic.is_none() {
                bail!("of {other} mode, and of no use in {this} mode: {list}");
            }
            print_error(&format!("note: of {other} mode, and not used: {list}"));
        }
        check_sensors(sensors, matches!(mode, Self::Synthetic(_)))?;
        Ok(mode)
    }
}

fn given(flags: &[(&'static str, bool)]) -> Vec<&'static str> {
    flags.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect()
}

fn of_synthetic_mode(sensors: &SensorArgs) -> Vec<&'static str> {
    given(&[
        ("--psf-type", sensors.psf_type.is_some()),
        ("--sigma", sensors.sigma.is_some()),
        ("--kernel-size", sensors.kernel_size.is_some()),
        ("--moffat-beta", sensors.moffat_beta.is_some()),
        ("--hermite-order", sensors.hermite_order.is_some()),
        ("--gabor-theta", sensors.gabor_theta.is_some()),
        ("--gabor-lambda", sensors.gabor_lambda.is_some()),
        ("--gabor-gamma", sensors.gabor_gamma.is_some()),
        ("--gabor-psi", sensors.gabor_psi.is_some()),
        ("--psf-file", sensors.psf_file.is_some()),
        ("--psf-variable", sensors.psf_variable.is_some()),
        ("--downsample-ratio", sensors.downsample_ratio.is_some()),
        ("--snr-spatial", sensors.snr_spatial.is_some()),
        ("--snr-spectral", sensors.snr_spectral.is_some()),
    ])
}

fn of_real_mode(images: &ImageArgs, sensors: &SensorArgs) -> Vec<&'static str> {
    given(&[
        ("--lr-hsi", images.lr_hsi.is_some()),
        ("--hr-msi", images.hr_msi.is_some()),
        ("--truth", images.truth.is_some()),
        ("--wald-ratio", images.wald_ratio.is_some()),
        ("--msi-variable", images.msi_variable.is_some()),
        ("--msi-axes", images.msi_axes.is_some()),
        ("--estimate-srf", sensors.estimate_srf),
        ("--srf-smoothness", sensors.srf_smoothness.is_some()),
    ])
}

/// Refuses flags without the file or flag that they are about, and names those whose place a file
/// takes.
fn check_sensors(sensors: &SensorArgs, synthetic: bool) -> Result<()> {
    let SensorArgs { psf_file, psf_variable, srf_file, srf_variable, .. } = sensors;
    if synthetic && psf_variable.is_some() && psf_file.is_none() {
        bail!("--psf-variable needs --psf-file, the file that it is in");
    }
    if srf_variable.is_some() && srf_file.is_none() {
        bail!("--srf-variable needs --srf-file, the file that it is in");
    }
    if !synthetic && sensors.srf_smoothness.is_some() && !sensors.estimate_srf {
        bail!("--srf-smoothness needs --estimate-srf");
    }
    let formula = given(&[
        ("--psf-type", sensors.psf_type.is_some()),
        ("--sigma", sensors.sigma.is_some()),
        ("--kernel-size", sensors.kernel_size.is_some()),
    ]);
    let built = given(&[
        ("--fwhm-factor", sensors.fwhm_factor.is_some()),
        ("--true-wavelengths", sensors.true_wavelengths),
    ]);
    let files = [
        (synthetic && psf_file.is_some(), "--psf-file", &formula),
        (srf_file.is_some(), "--srf-file", &built),
        (!synthetic && sensors.estimate_srf, "--estimate-srf", &built),
    ];
    for (_, file, flags) in files.iter().filter(|(taken, _, flags)| *taken && !flags.is_empty()) {
        print_error(&format!("note: {file} takes the place of {}", flags.join(", ")));
    }
    Ok(())
}
