//! A small vision transformer with timm's names, built by a factory of linear layers: that of
//! `tests/data/golden.py`, for the example and the tests.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Result, Shape, Tensor, Var};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use grad_ops::{LinearFactory, LinearLayer, LinearSpec, attention, gelu, layer_norm, linear};

const DIM: usize = 24;
const HEADS: usize = 2;
const DEPTH: usize = 2;
const BANDS: usize = 5;
const PATCH: usize = 4;
const GRID: usize = 4;
const EPS: f64 = 1e-6;

/// Tensors by name for a `VarBuilder`; those of adapters become variables, with values drawn
/// where there are none.
pub(crate) struct Weights(pub(crate) HashMap<String, Tensor>);

impl Weights {
    /// Reads a safetensors file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        Ok(Self(candle_core::safetensors::load(path, &Device::Cpu)?))
    }

    pub(crate) fn builder(self, dtype: DType) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self), dtype, Device::Cpu)
    }
}

impl SimpleBackend for Weights {
    fn get(&self, s: Shape, name: &str, init: Init, dtype: DType, dev: &Device) -> Result<Tensor> {
        let adapter = peft_lora::is_adapter_parameter(name);
        match self.0.get(name) {
            Some(tensor) if *tensor.shape() != s => {
                let (expected, got) = (s, tensor.shape().clone());
                let msg = format!("shape of `{name}`");
                Err(candle_core::Error::UnexpectedShape { msg, expected, got }.bt())
            }
            Some(tensor) if adapter => Ok(Var::from_tensor(&tensor.to_dtype(dtype)?)?.into_inner()),
            Some(tensor) => tensor.to_dtype(dtype),
            None if adapter => Ok(init.var(s, dtype, dev)?.into_inner()),
            None => candle_core::bail!("no tensor `{name}`"),
        }
    }

    fn get_unchecked(&self, name: &str, dtype: DType, dev: &Device) -> Result<Tensor> {
        let shape = self.0.get(name).map(|tensor| tensor.shape().clone());
        self.get(shape.unwrap_or(Shape::from(0)), name, Init::Const(0.0), dtype, dev)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

struct Block {
    norms: [(Tensor, Tensor); 2],
    qkv: Arc<dyn LinearLayer>,
    proj: Arc<dyn LinearLayer>,
    fc1: Arc<dyn LinearLayer>,
    fc2: Arc<dyn LinearLayer>,
}

/// The model.
pub(crate) struct Vit {
    patch: (Tensor, Tensor),
    cls_token: Tensor,
    pos_embed: Tensor,
    blocks: Vec<Block>,
    norm: (Tensor, Tensor),
}

fn norm(vb: &VarBuilder<'_>) -> Result<(Tensor, Tensor)> {
    Ok((vb.get(DIM, "weight")?, vb.get(DIM, "bias")?))
}

impl Vit {
    pub(crate) fn new(factory: &dyn LinearFactory, vb: &VarBuilder<'_>) -> Result<Self> {
        let block = |index: usize| {
            let vb = vb.pp("blocks").pp(index);
            let linear = |name: &str, in_features, out_features| {
                let spec = LinearSpec { in_features, out_features, bias: true };
                factory.linear(spec, vb.pp(name))
            };
            Ok(Block {
                norms: [norm(&vb.pp("norm1"))?, norm(&vb.pp("norm2"))?],
                qkv: linear("attn.qkv", DIM, 3 * DIM)?,
                proj: linear("attn.proj", DIM, DIM)?,
                fc1: linear("mlp.fc1", DIM, 2 * DIM)?,
                fc2: linear("mlp.fc2", 2 * DIM, DIM)?,
            })
        };
        let patch = vb.pp("patch_embed.proj");
        Ok(Self {
            patch: (patch.get((DIM, BANDS, PATCH, PATCH), "weight")?, patch.get(DIM, "bias")?),
            cls_token: vb.get((1, 1, DIM), "cls_token")?,
            pos_embed: vb.get((1, 1 + GRID * GRID, DIM), "pos_embed")?,
            blocks: (0..DEPTH).map(block).collect::<Result<_>>()?,
            norm: norm(&vb.pp("norm"))?,
        })
    }

    /// The tokens after the last norm, `(batch, 17, 24)`, of images `(batch, 5, 16, 16)`.
    pub(crate) fn features(&self, images: &Tensor, train: bool) -> Result<Tensor> {
        let batch = images.dim(0)?;
        let cut = images.reshape(&[batch, BANDS, GRID, PATCH, GRID, PATCH])?;
        let cut = cut.permute([0, 2, 4, 1, 3, 5].as_slice())?;
        let cut = cut.reshape((batch, GRID * GRID, BANDS * PATCH * PATCH))?;
        let patches = linear(&cut, &self.patch.0.flatten_from(1)?, Some(&self.patch.1))?;
        let cls = self.cls_token.broadcast_as((batch, 1, DIM))?;
        let mut xs = Tensor::cat(&[&cls, &patches], 1)?.broadcast_add(&self.pos_embed)?;
        for block in &self.blocks {
            let [norm1, norm2] = &block.norms;
            let qkv = block.qkv.forward_t(&layer_norm(&xs, &norm1.0, &norm1.1, EPS)?, train)?;
            xs = (xs + block.proj.forward_t(&attention(&qkv, HEADS)?, train)?)?;
            let hidden = block.fc1.forward_t(&layer_norm(&xs, &norm2.0, &norm2.1, EPS)?, train)?;
            xs = (xs + block.fc2.forward_t(&gelu(&hidden)?, train)?)?;
        }
        Ok(layer_norm(&xs, &self.norm.0, &self.norm.1, EPS)?)
    }

    /// All tensors of the linear layers under their full names.
    pub(crate) fn linear_tensors(&self) -> Vec<(String, Tensor)> {
        let mut all = Vec::new();
        for (index, block) in self.blocks.iter().enumerate() {
            for (name, layer) in [
                ("attn.qkv", &block.qkv),
                ("attn.proj", &block.proj),
                ("mlp.fc1", &block.fc1),
                ("mlp.fc2", &block.fc2),
            ] {
                let own = layer.parameters().into_iter();
                all.extend(own.map(|p| (format!("blocks.{index}.{name}.{}", p.name), p.tensor)));
            }
        }
        all
    }
}
