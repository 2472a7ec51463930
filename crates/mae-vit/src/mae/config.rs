//! The settings of pretraining that shape the model.

use serde::{Deserialize, Serialize};

use crate::config::{check_sin_cos, check_sizes, divisible};
use crate::{Error, Result, VitConfig};

/// The sizes of a masked autoencoder, and its loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MaeConfig {
    /// The encoder. The MAE paper gives it [sin-cos positions](crate::PositionEmbedding::SinCos).
    pub encoder: VitConfig,
    /// Width of the decoder's tokens; a multiple of `decoder_heads` and of 4. Its MLPs are four
    /// times as wide.
    pub decoder_dim: usize,
    /// Number of blocks of the decoder.
    pub decoder_depth: usize,
    /// Attention heads of a block of the decoder.
    pub decoder_heads: usize,
    /// Share of the patches that the encoder does not see, above 0 and below 1.
    pub mask_ratio: f64,
    /// Whether the patches to predict are normalised, each by its own mean and deviation.
    pub norm_pix_loss: bool,
}

impl MaeConfig {
    /// Returns the settings of the MAE paper: decoder of width 512, 8 blocks and 16 heads, three
    /// quarters of the patches hidden, normalised patches. (SpectralEarth hides 0.9.)
    pub fn new(encoder: VitConfig) -> Self {
        Self {
            encoder,
            decoder_dim: 512,
            decoder_depth: 8,
            decoder_heads: 16,
            mask_ratio: 0.75,
            norm_pix_loss: true,
        }
    }

    /// Checks that a model of these sizes can be built and trained.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first field that is wrong, and its value.
    pub fn validate(&self) -> Result<()> {
        self.encoder.validate()?;
        let sizes = [
            ("decoder_dim", self.decoder_dim),
            ("decoder_depth", self.decoder_depth),
            ("decoder_heads", self.decoder_heads),
        ];
        check_sizes(&sizes)?;
        divisible("decoder_dim", self.decoder_dim, "decoder_heads", self.decoder_heads)?;
        check_sin_cos("decoder_dim", self.decoder_dim)?;
        kept_patches(self.encoder.patches(), self.mask_ratio)?;
        if self.norm_pix_loss && self.patch_values() < 2 {
            let reason = "needs patches of at least 2 values".to_owned();
            return Err(Error::Config { field: "norm_pix_loss", reason });
        }
        Ok(())
    }

    /// How many patches the encoder sees of an image.
    ///
    /// # Errors
    /// When the mask ratio is not above 0 and below 1, or there is only one patch.
    pub fn kept_patches(&self) -> Result<usize> {
        kept_patches(self.encoder.patches(), self.mask_ratio)
    }

    /// Values of a patch: pixels times bands.
    pub(crate) fn patch_values(&self) -> usize {
        let VitConfig { patch_size, in_channels, .. } = self.encoder;
        patch_size * patch_size * in_channels
    }
}

/// How many of a number of patches stay visible: `patches * (1 - mask_ratio)` rounded down, at
/// least one, and not all of them.
pub(crate) fn kept_patches(patches: usize, mask_ratio: f64) -> Result<usize> {
    if !(mask_ratio > 0.0 && mask_ratio < 1.0) {
        let reason = format!("should be above 0 and below 1, got {mask_ratio}");
        return Err(Error::Config { field: "mask_ratio", reason });
    }
    if patches < 2 {
        let reason = format!("hides nothing or everything of {patches} patches");
        return Err(Error::Config { field: "mask_ratio", reason });
    }
    let kept = (patches as f64 * (1.0 - mask_ratio)) as usize;
    Ok(kept.clamp(1, patches - 1))
}
