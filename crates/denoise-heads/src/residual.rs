//! Upsampling, a projection to bands, and residual blocks on them.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use grad_ops::Parameter;

use crate::head::upsample;
use crate::layers::Conv3x3;
use crate::{Head, HeadConfig, HeadKind, Result};

/// Paths of the two convolutions of every block.
const BLOCKS: [[&str; 2]; 3] = [
    ["res_blocks.0.net.0", "res_blocks.0.net.2"],
    ["res_blocks.1.net.0", "res_blocks.1.net.2"],
    ["res_blocks.2.net.0", "res_blocks.2.net.2"],
];

/// The Residual head: bilinear x4, a 3 x 3 convolution to bands, then three residual blocks.
///
/// ```text
/// up4 -> initial_conv: D -> C -> 3 times  x + net.2(relu(net.0(x))),  C -> C
/// ```
#[derive(Debug, Clone)]
pub struct ResidualHead {
    initial: Conv3x3,
    blocks: Vec<[Conv3x3; 2]>,
    embed_dim: usize,
}

impl ResidualHead {
    /// Takes `initial_conv.{weight,bias}` and `res_blocks.{0,1,2}.net.{0,2}.{weight,bias}` from
    /// `vb`; `config.kind` is not looked at.
    ///
    /// # Errors
    /// When the config is not valid, or a tensor is missing or has another shape.
    pub fn new(config: &HeadConfig, vb: VarBuilder<'_>) -> Result<Self> {
        HeadConfig { kind: HeadKind::Residual, ..config.clone() }.validate()?;
        let HeadConfig { embed_dim, bands, .. } = *config;
        let initial = Conv3x3::load(embed_dim, bands, "initial_conv", &vb)?;
        let blocks = BLOCKS.into_iter().map(|[first, second]| {
            let first = Conv3x3::load(bands, bands, first, &vb)?;
            let second = Conv3x3::load(bands, bands, second, &vb)?;
            Ok([first, second])
        });
        Ok(Self { initial, blocks: blocks.collect::<Result<_>>()?, embed_dim })
    }
}

impl Head for ResidualHead {
    fn forward_t(&self, features: &Tensor, _train: bool) -> Result<Tensor> {
        let mut xs = self.initial.forward(&upsample(features, self.embed_dim)?)?;
        for [first, second] in &self.blocks {
            xs = (&xs + second.forward(&first.forward_relu(&xs)?)?)?;
        }
        Ok(xs)
    }

    fn parameters(&self) -> Vec<Parameter> {
        let blocks = self.blocks.iter().flatten();
        std::iter::once(&self.initial).chain(blocks).flat_map(Conv3x3::parameters).collect()
    }
}
