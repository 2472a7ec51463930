//! One linear layer from a token to the pixels of its patch.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use grad_ops::{Parameter, linear};

use crate::head::check_features;
use crate::layers::WeightBias;
use crate::{Head, HeadConfig, HeadKind, Result};

/// The FC head: every token is mapped to its patch, band first, and the patches are laid out.
///
/// ```text
/// fc: D -> C p p;  (B, h, w, C, p, p) -> (B, C, h p, w p)
/// ```
#[derive(Debug, Clone)]
pub struct FcHead {
    fc: WeightBias,
    embed_dim: usize,
    bands: usize,
    patch_size: usize,
}

impl FcHead {
    /// Takes `fc.{weight,bias}` from `vb`; `config.kind` is not looked at.
    ///
    /// # Errors
    /// When the config is not valid, or a tensor is missing or has another shape.
    pub fn new(config: &HeadConfig, vb: VarBuilder<'_>) -> Result<Self> {
        HeadConfig { kind: HeadKind::Fc, ..config.clone() }.validate()?;
        let HeadConfig { embed_dim, bands, patch_size, .. } = *config;
        let outputs = bands * patch_size * patch_size;
        let fc = WeightBias::load(&[outputs, embed_dim], outputs, "fc", &vb)?;
        Ok(Self { fc, embed_dim, bands, patch_size })
    }
}

impl Head for FcHead {
    fn forward_t(&self, features: &Tensor, _train: bool) -> Result<Tensor> {
        check_features(features, self.embed_dim)?;
        let (b, _, h, w) = features.dims4()?;
        let (c, p) = (self.bands, self.patch_size);
        let tokens = features.permute((0, 2, 3, 1))?.contiguous()?;
        let patches = linear(&tokens, &self.fc.weight, Some(&self.fc.bias))?;
        let image = patches.reshape(&[b, h, w, c, p, p])?.permute(vec![0, 3, 1, 4, 2, 5])?;
        Ok(image.reshape((b, c, h * p, w * p))?)
    }

    fn parameters(&self) -> Vec<Parameter> {
        self.fc.parameters().to_vec()
    }
}
