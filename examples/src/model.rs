//! Arguments that say which model, and where its weights come from.

use std::path::Path;

use anyhow::{Result, bail};
use candle_core::Device;
use clap::Args;
use denoise_heads::{HeadConfig, HeadKind};
use hsi_train::ENCODER;
use hsi_train::checkpoint::{self, Kind};
use mae_vit::{FrontEnd, LoadMode, MaeConfig, PositionEmbedding, Preset, VitConfig};

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

/// Which weights of a file are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum WeightsMode {
    /// All of the encoder, strictly
    All,
    /// The blocks only, as the published code does: patch and position embeddings stay random
    Blocks,
}

/// The weights of a pretrained encoder.
#[derive(Debug)]
pub struct PretrainedEncoder {
    /// The encoder, with the kind of positions that the weights have.
    pub config: VitConfig,
    /// The weights, under the names of the whole model.
    pub tensors: Vec<(String, candle_core::Tensor)>,
    /// A line that says what was loaded.
    pub line: String,
}

/// Takes the weights of a pretrained encoder: a run of `pretrain`, or a `.pth` or `.safetensors`
/// file of timm's, MAE's or the published layouts.
///
/// # Errors
/// When there are no such weights, or they do not fit the encoder.
pub fn provide_weights(
    path: &Path,
    encoder: &VitConfig,
    mode: WeightsMode,
    device: &Device,
) -> Result<PretrainedEncoder> {
    if !path.exists() {
        bail!("there are no weights at `{}`", path.display());
    }
    let mode = match mode {
        WeightsMode::All => LoadMode::Strict,
        WeightsMode::Blocks => LoadMode::BlocksOnly,
    };
    let mut encoder = encoder.clone();
    let file = if path.is_dir() {
        let pretrained = checkpoint::open(path, Kind::MaskedAutoencoder, false)?;
        let config: MaeConfig = pretrained.model()?;
        // Fixed positions become the starting point of learned ones.
        let comparable = VitConfig {
            position: encoder.position,
            image_size: encoder.image_size,
            ..config.encoder
        };
        let settings = (serde_json::to_value(comparable)?, serde_json::to_value(&encoder)?);
        if mode == LoadMode::Strict
            && let Some((name, theirs, ours)) = checkpoint::difference(&settings.0, &settings.1)
        {
            bail!(
                "the encoder pretrained in `{}` has `{name}` = {theirs}, this one has {ours}",
                path.display()
            );
        }
        pretrained.path.join("model.safetensors")
    } else {
        path.to_path_buf()
    };
    encoder.position = PositionEmbedding::Learned;
    let (tensors, report) = mae_vit::load_encoder(&file, &encoder, mode)?;
    let mut parts =
        vec![format!("{} tensors loaded from `{}`", report.loaded.len(), path.display())];
    parts.extend(report.resized.as_ref().map(|resized| {
        let (from, to) = (resized.from, resized.to);
        format!("positions resized from {} x {} to {} x {}", from.0, from.1, to.0, to.1)
    }));
    if !report.ignored.is_empty() {
        parts.push(format!("{} not needed", report.ignored.len()));
    }
    let mut named = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        named.push((format!("{ENCODER}{name}"), tensor.to_device(device)?));
    }
    Ok(PretrainedEncoder { config: encoder, tensors: named, line: parts.join(", ") })
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
