//! The pre-norm transformer block, shared by the encoder and the pretraining decoder.

use std::sync::Arc;

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder, init};
use grad_ops::{LinearFactory, LinearLayer, LinearSpec, Parameter};

use crate::Result;
use crate::start::transformer_start;

/// The sizes of a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockSizes {
    pub(crate) dim: usize,
    pub(crate) heads: usize,
    pub(crate) mlp_dim: usize,
    pub(crate) eps: f64,
    pub(crate) qkv_bias: bool,
}

/// Layer norm over the last dimension.
#[derive(Debug, Clone)]
pub(crate) struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    pub(crate) fn new(dim: usize, eps: f64, vb: &VarBuilder<'_>) -> Result<Self> {
        let weight = vb.get_with_hints(dim, "weight", init::ONE)?;
        let bias = vb.get_with_hints(dim, "bias", init::ZERO)?;
        Ok(Self { weight, bias, eps })
    }

    pub(crate) fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        Ok(grad_ops::layer_norm(xs, &self.weight, &self.bias, self.eps)?)
    }

    pub(crate) fn parameters(&self) -> Vec<Parameter> {
        vec![Parameter::dense("weight", &self.weight), Parameter::dense("bias", &self.bias)]
    }
}

/// `x + proj(attention(norm1(x)))`, then `x + mlp(norm2(x))`.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    norm1: LayerNorm,
    qkv: Arc<dyn LinearLayer>,
    proj: Arc<dyn LinearLayer>,
    norm2: LayerNorm,
    fc1: Arc<dyn LinearLayer>,
    fc2: Arc<dyn LinearLayer>,
    heads: usize,
}

impl Block {
    pub(crate) fn new(
        sizes: BlockSizes,
        factory: &dyn LinearFactory,
        vb: &VarBuilder<'_>,
    ) -> Result<Self> {
        let BlockSizes { dim, heads, mlp_dim, eps, qkv_bias } = sizes;
        let linear = |inputs, outputs, bias, vb: VarBuilder<'_>| {
            transformer_linear(factory, inputs, outputs, bias, &vb)
        };
        let (attn, mlp) = (vb.pp("attn"), vb.pp("mlp"));
        Ok(Self {
            norm1: LayerNorm::new(dim, eps, &vb.pp("norm1"))?,
            qkv: linear(dim, 3 * dim, qkv_bias, attn.pp("qkv"))?,
            proj: linear(dim, dim, true, attn.pp("proj"))?,
            norm2: LayerNorm::new(dim, eps, &vb.pp("norm2"))?,
            fc1: linear(dim, mlp_dim, true, mlp.pp("fc1"))?,
            fc2: linear(mlp_dim, dim, true, mlp.pp("fc2"))?,
            heads,
        })
    }

    pub(crate) fn forward_t(&self, xs: &Tensor, train: bool) -> Result<Tensor> {
        let qkv = self.qkv.forward_t(&self.norm1.forward(xs)?, train)?;
        let mixed = grad_ops::attention(&qkv, self.heads)?;
        let xs = (xs + self.proj.forward_t(&mixed, train)?)?;
        let hidden = self.fc1.forward_t(&self.norm2.forward(&xs)?, train)?;
        let out = self.fc2.forward_t(&grad_ops::gelu(&hidden)?, train)?;
        Ok((xs + out)?)
    }

    pub(crate) fn parameters(&self) -> Vec<Parameter> {
        let parts = [
            ("norm1", self.norm1.parameters()),
            ("attn.qkv", self.qkv.parameters()),
            ("attn.proj", self.proj.parameters()),
            ("norm2", self.norm2.parameters()),
            ("mlp.fc1", self.fc1.parameters()),
            ("mlp.fc2", self.fc2.parameters()),
        ];
        parts.into_iter().flat_map(|(path, all)| below(path, all)).collect()
    }
}

/// Asks for a linear layer that starts as those of a transformer do.
pub(crate) fn transformer_linear(
    factory: &dyn LinearFactory,
    in_features: usize,
    out_features: usize,
    bias: bool,
    vb: &VarBuilder<'_>,
) -> Result<Arc<dyn LinearLayer>> {
    let spec = LinearSpec { in_features, out_features, bias };
    Ok(factory.linear(spec, transformer_start(vb))?)
}

/// Puts a path before the names of parameters.
pub(crate) fn below(path: &str, parameters: Vec<Parameter>) -> Vec<Parameter> {
    if path.is_empty() {
        return parameters;
    }
    let rename = |p: Parameter| Parameter { name: format!("{path}.{}", p.name), ..p };
    parameters.into_iter().map(rename).collect()
}

/// Small normal numbers, as timm and MAE start tokens and positions.
pub(crate) const fn normal(stdev: f64) -> Init {
    Init::Randn { mean: 0.0, stdev }
}
