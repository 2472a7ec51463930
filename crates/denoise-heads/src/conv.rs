//! Upsampling and two convolutions.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use grad_ops::Parameter;

use crate::head::upsample;
use crate::layers::Conv3x3;
use crate::{Head, HeadConfig, HeadKind, Result};

/// The Conv head: bilinear x4, then two 3 x 3 convolutions with a ReLU between them.
///
/// ```text
/// up4 -> conv.0: D -> W, relu -> conv.2: W -> C          (W = 512)
/// ```
#[derive(Debug, Clone)]
pub struct ConvHead {
    hidden: Conv3x3,
    output: Conv3x3,
    embed_dim: usize,
}

impl ConvHead {
    /// Takes `conv.{0,2}.{weight,bias}` from `vb`; `config.kind` is not looked at.
    ///
    /// # Errors
    /// When the config is not valid, or a tensor is missing or has another shape.
    pub fn new(config: &HeadConfig, vb: VarBuilder<'_>) -> Result<Self> {
        let config = HeadConfig { kind: HeadKind::Conv, ..config.clone() };
        config.validate()?;
        let (d, w, c) = (config.embed_dim, config.hidden(), config.bands);
        let hidden = Conv3x3::load(d, w, "conv.0", &vb)?;
        let output = Conv3x3::load(w, c, "conv.2", &vb)?;
        Ok(Self { hidden, output, embed_dim: d })
    }
}

impl Head for ConvHead {
    fn forward_t(&self, features: &Tensor, _train: bool) -> Result<Tensor> {
        let xs = upsample(features, self.embed_dim)?;
        self.output.forward(&self.hidden.forward_relu(&xs)?)
    }

    fn parameters(&self) -> Vec<Parameter> {
        [&self.hidden, &self.output].into_iter().flat_map(Conv3x3::parameters).collect()
    }
}
