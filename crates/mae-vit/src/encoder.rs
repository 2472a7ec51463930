//! The encoder: patches in, tokens out.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use grad_ops::{LinearFactory, Parameter};

use crate::layers::{Block, BlockSizes, LayerNorm, below, normal};
use crate::patches::PatchEmbed;
use crate::position::sin_cos_positions;
use crate::{FrontEnd, Masks, PositionEmbedding, Result, SpectralAdapter, VitConfig};

/// What the encoder makes of a batch of images.
#[derive(Debug, Clone)]
pub struct Features {
    /// CLS and patch tokens after the final norm, `(batch, 1 + patches, dim)`.
    pub tokens: Tensor,
    /// Rows and columns of patches.
    pub grid: (usize, usize),
}

impl Features {
    /// Returns the CLS token, `(batch, dim)`.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn cls(&self) -> Result<Tensor> {
        Ok(self.tokens.narrow(1, 0, 1)?.squeeze(1)?)
    }

    /// Returns the patch tokens in row-major order, `(batch, patches, dim)`.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn patches(&self) -> Result<Tensor> {
        Ok(self.tokens.narrow(1, 1, self.grid.0 * self.grid.1)?)
    }

    /// Returns the patch tokens as an image, `(batch, dim, grid.0, grid.1)`, contiguous.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn map(&self) -> Result<Tensor> {
        let (batch, _, dim) = self.tokens.dims3()?;
        let (rows, cols) = self.grid;
        let channel_first = self.patches()?.transpose(1, 2)?.contiguous()?;
        Ok(channel_first.reshape((batch, dim, rows, cols))?)
    }
}

/// A vision transformer with timm's names.
///
/// The linear layers of the blocks come from a [`LinearFactory`]; the patch embedding, the
/// tokens and the norms are taken from the `VarBuilder` as they are: variables when it holds
/// variables, fixed tensors otherwise.
#[derive(Debug, Clone)]
pub struct Encoder {
    config: VitConfig,
    prefix: String,
    adapter: Option<SpectralAdapter>,
    patch_embed: PatchEmbed,
    cls_token: Tensor,
    pos_embed: Tensor,
    blocks: Vec<Block>,
    norm: LayerNorm,
}

impl Encoder {
    /// Builds the encoder from the tensors below `vb`.
    ///
    /// Tensors that `vb` creates start as in timm and MAE: tokens and learned positions small
    /// and normal, norms as the identity, the patch embedding Kaiming normal over its outputs,
    /// the `weight` of a linear layer Xavier uniform and its `bias` zero (whatever the factory
    /// asks for; its other tensors start as it says).
    /// Sin-cos positions are taken from `vb` if it has them and computed otherwise, and are
    /// never variables.
    ///
    /// # Errors
    /// When the configuration is not valid, or a tensor is missing or has another shape.
    #[expect(clippy::needless_pass_by_value, reason = "candle hands builders over by value")]
    pub fn new(
        config: &VitConfig,
        factory: &dyn LinearFactory,
        vb: VarBuilder<'_>,
    ) -> Result<Self> {
        config.validate()?;
        let dim = config.dim;
        let sizes = BlockSizes {
            dim,
            heads: config.heads,
            mlp_dim: config.mlp_dim,
            eps: config.layer_norm_eps,
            qkv_bias: config.qkv_bias,
        };
        let adapter = match config.front_end {
            FrontEnd::Linear => None,
            FrontEnd::SpectralAdapter => {
                Some(SpectralAdapter::new(config.in_channels, &vb.pp("spectral_adapter"))?)
            }
        };
        let cls_stdev = match config.position {
            PositionEmbedding::Learned => 1e-6,
            PositionEmbedding::SinCos => 0.02,
        };
        let blocks = vb.pp("blocks");
        Ok(Self {
            config: config.clone(),
            prefix: vb.prefix(),
            adapter,
            patch_embed: PatchEmbed::new(config, &vb.pp("patch_embed"))?,
            cls_token: vb.get_with_hints((1, 1, dim), "cls_token", normal(cls_stdev))?,
            pos_embed: match config.position {
                PositionEmbedding::Learned => {
                    vb.get_with_hints((1, 1 + config.patches(), dim), "pos_embed", normal(0.02))?
                }
                PositionEmbedding::SinCos => fixed_positions("pos_embed", dim, config, &vb)?,
            },
            blocks: (0..config.depth)
                .map(|i| Block::new(sizes, factory, &blocks.pp(i)))
                .collect::<Result<_>>()?,
            norm: LayerNorm::new(dim, config.layer_norm_eps, &vb.pp("norm"))?,
        })
    }

    /// The sizes that the encoder was built with.
    pub fn config(&self) -> &VitConfig {
        &self.config
    }

    /// Encodes images. `train` is handed to the linear layers.
    ///
    /// # Shapes
    /// - `images`: `(batch, band, image_size, image_size)`
    /// - [`Features::tokens`]: `(batch, 1 + patches, dim)`
    ///
    /// # Errors
    /// [`Error::BandCount`](crate::Error::BandCount),
    /// [`Error::NotDivisible`](crate::Error::NotDivisible) and
    /// [`Error::ImageSize`](crate::Error::ImageSize) when the images are not the configured ones.
    pub fn forward_t(&self, images: &Tensor, train: bool) -> Result<Features> {
        let tokens = self.encode(&self.embed(images)?, train)?;
        Ok(Features { tokens, grid: self.config.grid() })
    }

    /// Checks the sizes of images.
    pub(crate) fn check(&self, images: &Tensor) -> Result<()> {
        self.patch_embed.check(images, self.config.in_channels)
    }

    /// Embeds images as patch tokens with their positions, `(batch, patches, dim)`; no CLS yet.
    fn embed(&self, images: &Tensor) -> Result<Tensor> {
        self.check(images)?;
        let tokens = self.patch_embed.project(&self.unfold(images)?)?;
        Ok(tokens.broadcast_add(&self.patch_positions()?)?)
    }

    /// Embeds the visible patches alone, `(batch, kept, dim)`.
    pub(crate) fn embed_visible(&self, images: &Tensor, masks: &Masks) -> Result<Tensor> {
        let (batch, kept, dim) = (masks.batch(), masks.kept(), self.config.dim);
        let device = images.device();
        let patches = self.unfold(images)?.flatten(0, 1)?;
        let visible = patches.index_select(&masks.visible_rows(device)?, 0)?;
        let tokens = self.patch_embed.project(&visible)?;
        let keep = masks.keep(device)?.flatten_all()?;
        let positions = self.patch_positions()?.squeeze(0)?.index_select(&keep, 0)?;
        Ok((tokens + positions)?.reshape((batch, kept, dim))?)
    }

    /// Cuts images into the patches that the embedding projects, after the front end.
    fn unfold(&self, images: &Tensor) -> Result<Tensor> {
        match &self.adapter {
            Some(adapter) => self.patch_embed.unfold(&adapter.forward(images)?),
            None => self.patch_embed.unfold(images),
        }
    }

    /// The position embedding without the row of CLS, `(1, patches, dim)`.
    fn patch_positions(&self) -> Result<Tensor> {
        Ok(self.pos_embed.narrow(1, 1, self.config.patches())?)
    }

    /// Puts CLS before patch tokens (any subset of them) and runs the blocks and the norm.
    pub(crate) fn encode(&self, patches: &Tensor, train: bool) -> Result<Tensor> {
        let (batch, _, dim) = patches.dims3()?;
        let cls = (&self.cls_token + self.pos_embed.narrow(1, 0, 1)?)?;
        let mut xs = Tensor::cat(&[&cls.broadcast_as((batch, 1, dim))?, patches], 1)?;
        for block in &self.blocks {
            xs = block.forward_t(&xs, train)?;
        }
        self.norm.forward(&xs)
    }

    /// All tensors with their full names, trained or not; running statistics are not among
    /// them, see [`Encoder::buffers`].
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut all = vec![
            Parameter::dense("cls_token", &self.cls_token),
            Parameter::dense("pos_embed", &self.pos_embed),
        ];
        all.extend(below("patch_embed", self.patch_embed.parameters()));
        for (i, block) in self.blocks.iter().enumerate() {
            all.extend(below(&format!("blocks.{i}"), block.parameters()));
        }
        all.extend(below("norm", self.norm.parameters()));
        if let Some(adapter) = &self.adapter {
            all.extend(below("spectral_adapter", adapter.parameters()));
        }
        below(&self.prefix, all)
    }

    /// The tensors that are part of the model's state but are no parameters: the running
    /// statistics of the spectral adapter, with their full names.
    pub fn buffers(&self) -> Vec<Parameter> {
        let all = self.adapter.iter().flat_map(|a| below("spectral_adapter", a.buffers()));
        below(&self.prefix, all.collect())
    }
}

/// Sin-cos positions: stored ones if there are any, otherwise computed; never a variable.
pub(crate) fn fixed_positions(
    name: &str,
    dim: usize,
    config: &VitConfig,
    vb: &VarBuilder<'_>,
) -> Result<Tensor> {
    if vb.contains_tensor(name) {
        return Ok(vb.get((1, 1 + config.patches(), dim), name)?.detach());
    }
    sin_cos_positions(dim, config.grid(), vb.dtype(), vb.device())
}
