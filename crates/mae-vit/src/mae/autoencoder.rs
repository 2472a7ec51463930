//! The encoder over the visible patches, the decoder over all, and the loss over the hidden ones.

use std::sync::Arc;

use candle_core::{D, Tensor};
use candle_nn::VarBuilder;
use grad_ops::{LinearFactory, LinearLayer, Parameter};

use super::{MaeConfig, Masks};
use crate::encoder::fixed_positions;
use crate::layers::{Block, BlockSizes, LayerNorm, below, normal, transformer_linear};
use crate::{Encoder, Error, Result, patchify};

/// What is added to the variance of a patch before its values are divided by the deviation.
const PATCH_EPS: f64 = 1e-6;

/// What a masked autoencoder makes of a batch.
#[derive(Debug, Clone)]
pub struct MaeOutput {
    /// Mean squared error over the hidden patches, a scalar.
    pub loss: Tensor,
    /// The predicted patches, `(batch, patches, patch_size * patch_size * band)`, the band
    /// fastest: see [`unpatchify`](crate::unpatchify).
    pub prediction: Tensor,
    /// 1 for hidden and 0 for visible patches, `(batch, patches)`.
    pub mask: Tensor,
}

/// An encoder that is trained to predict the patches it does not see.
///
/// Tensors have the names of facebookresearch/mae: those of the encoder, and `mask_token`,
/// `decoder_embed`, `decoder_blocks.N`, `decoder_norm`, `decoder_pred`. The decoder's positions
/// are fixed.
///
/// # References
/// K. He et al., Masked Autoencoders Are Scalable Vision Learners, arXiv:2111.06377.
#[derive(Debug, Clone)]
pub struct MaskedAutoencoder {
    config: MaeConfig,
    prefix: String,
    encoder: Encoder,
    mask_token: Tensor,
    embed: Arc<dyn LinearLayer>,
    positions: Tensor,
    blocks: Vec<Block>,
    norm: LayerNorm,
    pred: Arc<dyn LinearLayer>,
}

impl MaskedAutoencoder {
    /// Builds the autoencoder from the tensors below `vb`.
    ///
    /// # Errors
    /// When the configuration is not valid, or a tensor is missing or has another shape.
    pub fn new(
        config: &MaeConfig,
        factory: &dyn LinearFactory,
        vb: VarBuilder<'_>,
    ) -> Result<Self> {
        config.validate()?;
        let dim = config.decoder_dim;
        let sizes = BlockSizes {
            dim,
            heads: config.decoder_heads,
            mlp_dim: 4 * dim,
            eps: config.encoder.layer_norm_eps,
            qkv_bias: true,
        };
        let linear = |inputs, outputs, name| {
            transformer_linear(factory, inputs, outputs, true, &vb.pp(name))
        };
        let blocks = vb.pp("decoder_blocks");
        Ok(Self {
            config: config.clone(),
            prefix: vb.prefix(),
            mask_token: vb.get_with_hints((1, 1, dim), "mask_token", normal(0.02))?,
            embed: linear(config.encoder.dim, dim, "decoder_embed")?,
            positions: fixed_positions("decoder_pos_embed", dim, &config.encoder, &vb)?,
            blocks: (0..config.decoder_depth)
                .map(|i| Block::new(sizes, factory, &blocks.pp(i)))
                .collect::<Result<_>>()?,
            norm: LayerNorm::new(dim, sizes.eps, &vb.pp("decoder_norm"))?,
            pred: linear(dim, config.patch_values(), "decoder_pred")?,
            encoder: Encoder::new(&config.encoder, factory, vb)?,
        })
    }

    /// The settings that the autoencoder was built with.
    pub fn config(&self) -> &MaeConfig {
        &self.config
    }

    /// The part that is kept after pretraining.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Encodes the visible patches, predicts all, and measures the hidden ones.
    ///
    /// The error of a patch is the mean over its values; with `norm_pix_loss` its true values
    /// are first made to have mean 0 and (unbiased) variance 1.
    ///
    /// # Shapes
    /// - `images`: `(batch, band, image_size, image_size)`
    /// - `masks`: of `batch` images and `patches` patches
    ///
    /// # Errors
    /// As [`Encoder::forward_t`], and [`Error::MaskShape`] when the masks are for other images.
    pub fn forward(&self, images: &Tensor, masks: &Masks, train: bool) -> Result<MaeOutput> {
        self.encoder.check(images)?;
        let (batch, patches) = (images.dim(0)?, self.config.encoder.patches());
        let got = (masks.batch(), masks.patches());
        if got != (batch, patches) {
            return Err(Error::MaskShape { expected: (batch, patches), got });
        }
        let visible = self.encoder.embed_visible(images, masks)?;
        let latent = self.encoder.encode(&visible, train)?;
        let prediction = self.decode(&latent, masks, train)?;
        let mask = masks.mask(images.device())?.to_dtype(prediction.dtype())?;
        let loss = self.loss(images, &prediction, &mask)?;
        Ok(MaeOutput { loss, prediction, mask })
    }

    /// Puts the mask token where nothing was seen, and runs the decoder.
    fn decode(&self, latent: &Tensor, masks: &Masks, train: bool) -> Result<Tensor> {
        let (batch, kept, patches) = (masks.batch(), masks.kept(), masks.patches());
        let dim = self.config.decoder_dim;
        let xs = self.embed.forward_t(latent, train)?;
        let seen = xs.narrow(1, 1, kept)?.reshape((batch * kept, dim))?;
        let rows = Tensor::cat(&[&seen, &self.mask_token.reshape((1, dim))?], 0)?;
        let all = rows.index_select(&masks.restored_rows(xs.device())?, 0)?;
        let all = all.reshape((batch, patches, dim))?;
        let mut xs =
            Tensor::cat(&[&xs.narrow(1, 0, 1)?, &all], 1)?.broadcast_add(&self.positions)?;
        for block in &self.blocks {
            xs = block.forward_t(&xs, train)?;
        }
        let xs = self.norm.forward(&xs)?.narrow(1, 1, patches)?.contiguous()?;
        Ok(self.pred.forward_t(&xs, train)?)
    }

    /// Mean squared error over the hidden patches.
    fn loss(&self, images: &Tensor, prediction: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let mut target = patchify(&images.detach(), self.config.encoder.patch_size)?;
        if self.config.norm_pix_loss {
            let centred = target.broadcast_sub(&target.mean_keepdim(D::Minus1)?)?;
            let variance = target.var_keepdim(D::Minus1)?;
            target = centred.broadcast_div(&(variance + PATCH_EPS)?.sqrt()?)?;
        }
        let errors = (prediction - target)?.sqr()?.mean(D::Minus1)?;
        Ok(((errors * mask)?.sum_all()? / mask.sum_all()?)?)
    }

    /// All tensors with their full names, trained or not.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut all = vec![
            Parameter::dense("mask_token", &self.mask_token),
            Parameter::dense("decoder_pos_embed", &self.positions),
        ];
        all.extend(below("decoder_embed", self.embed.parameters()));
        for (i, block) in self.blocks.iter().enumerate() {
            all.extend(below(&format!("decoder_blocks.{i}"), block.parameters()));
        }
        all.extend(below("decoder_norm", self.norm.parameters()));
        all.extend(below("decoder_pred", self.pred.parameters()));
        let mut parameters = self.encoder.parameters();
        parameters.extend(below(&self.prefix, all));
        parameters
    }
}
