//! The linear layer over a packed weight.

use std::sync::Arc;

use candle_core::Tensor;

use super::{PackedWeight, packed_linear};
use crate::{LinearLayer, Parameter, Result, check};

/// A linear layer whose weight stays packed.
#[derive(Debug, Clone)]
pub struct PackedLinear {
    weight: Arc<dyn PackedWeight>,
    bias: Option<Tensor>,
}

impl PackedLinear {
    /// Makes the layer from its weight and bias.
    ///
    /// # Errors
    /// When the bias does not have one number for each output.
    pub fn new(weight: Arc<dyn PackedWeight>, bias: Option<Tensor>) -> Result<Self> {
        if let Some(bias) = &bias {
            check::dims("PackedLinear", "the bias", bias, &[weight.shape().0])?;
        }
        Ok(Self { weight, bias })
    }

    /// The weight as it is stored.
    pub fn packed(&self) -> &Arc<dyn PackedWeight> {
        &self.weight
    }
}

impl LinearLayer for PackedLinear {
    fn forward_t(&self, xs: &Tensor, _train: bool) -> Result<Tensor> {
        packed_linear(xs, &self.weight, self.bias.as_ref())
    }

    fn in_features(&self) -> usize {
        self.weight.shape().1
    }

    fn out_features(&self) -> usize {
        self.weight.shape().0
    }

    fn parameters(&self) -> Vec<Parameter> {
        let mut all = self.weight.parameters();
        all.extend(self.bias.iter().map(|bias| Parameter::dense("bias", bias)));
        all
    }

    fn weight(&self) -> Result<Tensor> {
        self.weight.dense()
    }

    fn bias(&self) -> Option<Tensor> {
        self.bias.clone()
    }
}
