//! Arguments that say which model, and where its weights come from.

use anyhow::{Result, bail};
use candle_core::Device;
use clap::Args;
use denoise_heads::{HeadConfig, HeadKind};
use mae_vit::{FrontEnd, Preset, VitConfig};

/// Sizes of the encoder.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Encoder")]
pub struct EncoderArgs {
    /// Sizes of the encoder: tiny, small (as published), base, large
    #[arg(long, default_value = "small")]
    pub preset: Preset,
    /// Side of a patch of the encoder in pixels
    #[arg(long, default_value_t = 4, value_name = "PIXELS")]
    pub patch_size: usize,
    /// Width of the tokens, in place of the preset's
    #[arg(long)]
    pub dim: Option<usize>,
    /// Blocks, in place of the preset's
    #[arg(long)]
    pub depth: Option<usize>,
    /// Attention heads, in place of the preset's
    #[arg(long)]
    pub heads: Option<usize>,
    /// Width of the MLPs, in place of the preset's
    #[arg(long)]
    pub mlp_dim: Option<usize>,
    /// Put the spectral adapter (three convolutions along the bands) before the patch embedding
    #[arg(long)]
    pub spectral_adapter: bool,
}

impl EncoderArgs {
    /// The encoder for samples of this size and number of bands.
    pub fn config(&self, image_size: usize, bands: usize) -> VitConfig {
        let preset = VitConfig::preset(self.preset, image_size, self.patch_size, bands);
        let dim = self.dim.unwrap_or(preset.dim);
        VitConfig {
            dim,
            depth: self.depth.unwrap_or(preset.depth),
            heads: self.heads.unwrap_or(preset.heads),
            mlp_dim: self.mlp_dim.unwrap_or(if self.dim.is_some() {
                4 * dim
            } else {
                preset.mlp_dim
            }),
            front_end: if self.spectral_adapter {
                FrontEnd::SpectralAdapter
            } else {
                FrontEnd::Linear
            },
            ..preset
        }
    }
}

/// The head.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Head")]
pub struct HeadArgs {
    /// Head: fc, conv, residual, unet
    #[arg(long, default_value = "unet")]
    pub head: HeadKind,
    /// Channels of the conv head (published: 512) or of the first level of the UNet (256); the
    /// other heads have none
    #[arg(long)]
    pub head_width: Option<usize>,
}

impl HeadArgs {
    /// The head for an encoder.
    pub fn config(&self, encoder: &VitConfig) -> HeadConfig {
        HeadConfig {
            kind: self.head,
            embed_dim: encoder.dim,
            bands: encoder.in_channels,
            patch_size: encoder.patch_size,
            width: self.head_width,
        }
    }
}

/// Where tensors live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DeviceChoice {
    /// CUDA where this build and machine have it, else the CPU
    Auto,
    /// The CPU
    Cpu,
    /// The first CUDA device
    Cuda,
}

impl DeviceChoice {
    /// The device.
    ///
    /// # Errors
    /// When CUDA was asked for and is not there.
    pub fn device(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Auto => Ok(Device::new_cuda(0).unwrap_or(Device::Cpu)),
            Self::Cuda => match Device::new_cuda(0) {
                Ok(device) => Ok(device),
                Err(error) => bail!("no CUDA device can be used: {error}"),
            },
        }
    }
}
