//! The linear layer.

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder, init};

use crate::{LinearLayer, LinearSpec, Parameter, Result, linear};

/// A linear layer with plain weights.
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// Makes the layer from its tensors.
    pub fn new(weight: Tensor, bias: Option<Tensor>) -> Self {
        Self { weight, bias }
    }

    /// Takes `weight` and `bias` from `vb`.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    #[expect(clippy::needless_pass_by_value, reason = "candle's constructors take it so")]
    pub fn load(spec: LinearSpec, vb: VarBuilder<'_>) -> Result<Self> {
        let shape = (spec.out_features, spec.in_features);
        let weight = vb.get_with_hints(shape, "weight", init::DEFAULT_KAIMING_UNIFORM)?;
        let bound = 1.0 / (spec.in_features as f64).sqrt();
        let bias = if spec.bias {
            let hint = Init::Uniform { lo: -bound, up: bound };
            Some(vb.get_with_hints(spec.out_features, "bias", hint)?)
        } else {
            None
        };
        Ok(Self { weight, bias })
    }
}

impl LinearLayer for Linear {
    fn forward_t(&self, xs: &Tensor, _train: bool) -> Result<Tensor> {
        linear(xs, &self.weight, self.bias.as_ref())
    }

    fn in_features(&self) -> usize {
        self.weight.dims()[1]
    }

    fn out_features(&self) -> usize {
        self.weight.dims()[0]
    }

    fn parameters(&self) -> Vec<Parameter> {
        let mut all = vec![Parameter::dense("weight", &self.weight)];
        all.extend(self.bias.iter().map(|bias| Parameter::dense("bias", bias)));
        all
    }

    fn weight(&self) -> Result<Tensor> {
        Ok(self.weight.clone())
    }

    fn bias(&self) -> Option<Tensor> {
        self.bias.clone()
    }
}
