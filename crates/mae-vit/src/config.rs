//! The sizes of an encoder.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What stands between the bands of an image and the patch embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FrontEnd {
    /// Nothing: the patch embedding takes all bands, a linear map of the pixels of a patch.
    #[default]
    Linear,
    /// A [`SpectralAdapter`](crate::SpectralAdapter) turns the bands into 128 channels first.
    SpectralAdapter,
}

/// How the encoder knows where a patch lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PositionEmbedding {
    /// One trained row a patch, as in timm.
    #[default]
    Learned,
    /// Fixed sines and cosines, as in facebookresearch/mae; never trained.
    SinCos,
}

/// A published combination of width, depth and heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// ViT-Ti: dim 192, depth 12, 3 heads, MLP 768.
    Tiny,
    /// ViT-S: dim 384, depth 12, 6 heads, MLP 1536.
    Small,
    /// ViT-B: dim 768, depth 12, 12 heads, MLP 3072.
    Base,
    /// ViT-L: dim 1024, depth 24, 16 heads, MLP 4096.
    Large,
}

impl Preset {
    /// All presets, smallest first.
    pub const ALL: [Self; 4] = [Self::Tiny, Self::Small, Self::Base, Self::Large];

    /// The name that [`FromStr`] takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::Small => "small",
            Self::Base => "base",
            Self::Large => "large",
        }
    }

    /// Width, depth, heads and width of the MLP.
    fn sizes(self) -> (usize, usize, usize, usize) {
        match self {
            Self::Tiny => (192, 12, 3, 768),
            Self::Small => (384, 12, 6, 1536),
            Self::Base => (768, 12, 12, 3072),
            Self::Large => (1024, 24, 16, 4096),
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Preset {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|preset| preset.name() == name);
        found.ok_or_else(|| Error::UnknownPreset { name: name.to_owned() })
    }
}

/// The sizes of an encoder.
///
/// Any sizes that [`VitConfig::validate`] accepts work; [`VitConfig::preset`] fills in the
/// published ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VitConfig {
    /// Edge of the square images, in pixels; a multiple of `patch_size`.
    pub image_size: usize,
    /// Edge of the square patches, in pixels.
    pub patch_size: usize,
    /// Bands of the images.
    pub in_channels: usize,
    /// Width of the tokens; a multiple of `heads`.
    pub dim: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Attention heads of a block.
    pub heads: usize,
    /// Width of the hidden layer of a block's MLP.
    pub mlp_dim: usize,
    /// What the layer norms add to the variance: 1e-6 in timm and MAE.
    pub layer_norm_eps: f64,
    /// Whether the query, key and value projections have a bias.
    pub qkv_bias: bool,
    /// What stands before the patch embedding.
    #[serde(default)]
    pub front_end: FrontEnd,
    /// How positions are embedded.
    #[serde(default)]
    pub position: PositionEmbedding,
}

impl VitConfig {
    /// Returns a published combination of sizes, with the image and patch sizes and the number
    /// of bands set freely; linear front end, learned positions.
    pub fn preset(
        preset: Preset,
        image_size: usize,
        patch_size: usize,
        in_channels: usize,
    ) -> Self {
        let (dim, depth, heads, mlp_dim) = preset.sizes();
        Self {
            image_size,
            patch_size,
            in_channels,
            dim,
            depth,
            heads,
            mlp_dim,
            layer_norm_eps: 1e-6,
            qkv_bias: true,
            front_end: FrontEnd::Linear,
            position: PositionEmbedding::Learned,
        }
    }

    /// The encoder of the denoising model: timm's `vit_small_patch16_224` with `patch_size=4`,
    /// `img_size=128` and a patch embedding of 202 bands. 22,929,792 parameters.
    pub fn small_patch4_hsi202() -> Self {
        Self::preset(Preset::Small, 128, 4, 202)
    }

    /// Rows and columns of patches of an image.
    pub fn grid(&self) -> (usize, usize) {
        let edge = self.image_size.checked_div(self.patch_size).unwrap_or(0);
        (edge, edge)
    }

    /// Patches of an image; the encoder has one token more, CLS.
    pub fn patches(&self) -> usize {
        let (rows, cols) = self.grid();
        rows * cols
    }

    /// Channels that reach the patch embedding: the bands, or what the adapter makes of them.
    pub fn patch_channels(&self) -> usize {
        match self.front_end {
            FrontEnd::Linear => self.in_channels,
            FrontEnd::SpectralAdapter => crate::SpectralAdapter::CHANNELS,
        }
    }

    /// Whether a tensor is part of a model's state but is never trained: sin-cos positions, the
    /// decoder's positions, and the running statistics of a spectral adapter. The name may have
    /// a prefix.
    pub fn is_fixed(&self, name: &str) -> bool {
        match name.rsplit('.').next().unwrap_or(name) {
            "pos_embed" => self.position == PositionEmbedding::SinCos,
            "decoder_pos_embed" => true,
            "running_mean" | "running_var" => self.front_end == FrontEnd::SpectralAdapter,
            _ => false,
        }
    }

    /// Checks that a model of these sizes can be built.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first field that is wrong, and its value.
    pub fn validate(&self) -> Result<()> {
        let sizes = [
            ("image_size", self.image_size),
            ("patch_size", self.patch_size),
            ("in_channels", self.in_channels),
            ("dim", self.dim),
            ("depth", self.depth),
            ("heads", self.heads),
            ("mlp_dim", self.mlp_dim),
        ];
        check_sizes(&sizes)?;
        divisible("image_size", self.image_size, "patch_size", self.patch_size)?;
        divisible("dim", self.dim, "heads", self.heads)?;
        if !(self.layer_norm_eps.is_finite() && self.layer_norm_eps > 0.0) {
            let reason = format!("should be positive, got {}", self.layer_norm_eps);
            return Err(Error::Config { field: "layer_norm_eps", reason });
        }
        if self.position == PositionEmbedding::SinCos {
            check_sin_cos("dim", self.dim)?;
        }
        if self.front_end == FrontEnd::SpectralAdapter {
            crate::SpectralAdapter::check_bands(self.in_channels)?;
        }
        Ok(())
    }
}

/// The largest size of anything: products of four of them can still be counted.
const MAX_SIZE: usize = 1 << 15;

/// Checks that sizes are neither zero nor beyond counting.
pub(crate) fn check_sizes(sizes: &[(&'static str, usize)]) -> Result<()> {
    for &(field, size) in sizes {
        if !(1..=MAX_SIZE).contains(&size) {
            let reason = format!("should be from 1 to {MAX_SIZE}, got {size}");
            return Err(Error::Config { field, reason });
        }
    }
    Ok(())
}

/// Checks that one size is a multiple of another, neither being zero.
pub(crate) fn divisible(
    field: &'static str,
    size: usize,
    by: &'static str,
    divisor: usize,
) -> Result<()> {
    if size.is_multiple_of(divisor) {
        return Ok(());
    }
    let reason = format!("should be a multiple of `{by}`, got {size} and {divisor}");
    Err(Error::Config { field, reason })
}

/// Checks that a width can hold sines and cosines of two coordinates.
pub(crate) fn check_sin_cos(field: &'static str, dim: usize) -> Result<()> {
    if dim.is_multiple_of(4) {
        return Ok(());
    }
    let reason = format!("should be a multiple of 4 for sin-cos positions, got {dim}");
    Err(Error::Config { field, reason })
}
