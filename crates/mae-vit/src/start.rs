//! How the linear layers of a transformer start when nothing is loaded.

use candle_core::{DType, Device, Result, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder, init};

/// Returns a builder at the same place whose layer starts as in facebookresearch/mae: the weight
/// Xavier uniform, the bias zero.
///
/// A factory names the start of a layer that could stand anywhere; behind a layer norm its
/// weights would be too large. Only the hints for `weight` and `bias` of this very layer change:
/// adapters and everything that is loaded stay what they are.
pub(crate) fn transformer_start<'a>(vb: &VarBuilder<'a>) -> VarBuilder<'a> {
    let (prefix, dtype, device) = (vb.prefix(), vb.dtype(), vb.device().clone());
    let backend = Start {
        inner: vb.root(),
        weight: format!("{prefix}.weight"),
        bias: format!("{prefix}.bias"),
    };
    VarBuilder::from_backend(Box::new(backend), dtype, device).set_prefix(prefix)
}

/// Hands everything on to another builder, with other hints for one layer.
struct Start<'a> {
    inner: VarBuilder<'a>,
    weight: String,
    bias: String,
}

impl SimpleBackend for Start<'_> {
    fn get(&self, s: Shape, name: &str, hint: Init, dtype: DType, _: &Device) -> Result<Tensor> {
        let hint = match *s.dims() {
            [outputs, inputs] if name == self.weight => {
                let bound = (6.0 / (outputs + inputs) as f64).sqrt();
                Init::Uniform { lo: -bound, up: bound }
            }
            [_] if name == self.bias => init::ZERO,
            _ => hint,
        };
        self.inner.get_with_hints_dtype(s, name, hint, dtype)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, _: &Device) -> Result<Tensor> {
        self.inner.get_unchecked_dtype(name, dtype)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.inner.contains_tensor(name)
    }
}
