//! The two convolutions that the heads are made of.

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};
use grad_ops::{Parameter, conv_transpose2x2, conv3x3};

use crate::Result;

/// A weight and its bias.
#[derive(Debug, Clone)]
pub(crate) struct WeightBias {
    path: &'static str,
    pub(crate) weight: Tensor,
    pub(crate) bias: Tensor,
}

impl WeightBias {
    /// Takes `weight` and `bias` below `path`; new variables are initialised as PyTorch does:
    /// `kaiming_uniform_(a=sqrt(5))` and a uniform bias are both `U(-b, b)`, `b = 1/sqrt(fan_in)`,
    /// where the fan-in is all but the first dimension of the weight.
    pub(crate) fn load(
        shape: &[usize],
        outputs: usize,
        path: &'static str,
        vb: &VarBuilder<'_>,
    ) -> Result<Self> {
        let vb = vb.pp(path);
        let fan_in: usize = shape[1..].iter().product();
        let bound = 1.0 / (fan_in as f64).sqrt();
        let init = Init::Uniform { lo: -bound, up: bound };
        let weight = vb.get_with_hints(shape, "weight", init)?;
        let bias = vb.get_with_hints(outputs, "bias", init)?;
        Ok(Self { path, weight, bias })
    }

    pub(crate) fn parameters(&self) -> [Parameter; 2] {
        [
            Parameter::dense(format!("{}.weight", self.path), &self.weight),
            Parameter::dense(format!("{}.bias", self.path), &self.bias),
        ]
    }
}

/// A 3 x 3 convolution with padding 1.
#[derive(Debug, Clone)]
pub(crate) struct Conv3x3(WeightBias);

impl Conv3x3 {
    pub(crate) fn load(
        inputs: usize,
        outputs: usize,
        path: &'static str,
        vb: &VarBuilder<'_>,
    ) -> Result<Self> {
        Ok(Self(WeightBias::load(&[outputs, inputs, 3, 3], outputs, path, vb)?))
    }

    pub(crate) fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        Ok(conv3x3(xs, &self.0.weight, Some(&self.0.bias), false)?)
    }

    pub(crate) fn forward_relu(&self, xs: &Tensor) -> Result<Tensor> {
        Ok(conv3x3(xs, &self.0.weight, Some(&self.0.bias), true)?)
    }

    pub(crate) fn parameters(&self) -> [Parameter; 2] {
        self.0.parameters()
    }
}

/// A transposed 2 x 2 convolution with stride 2: doubles rows and columns.
#[derive(Debug, Clone)]
pub(crate) struct Up2x2(WeightBias);

impl Up2x2 {
    pub(crate) fn load(
        inputs: usize,
        outputs: usize,
        path: &'static str,
        vb: &VarBuilder<'_>,
    ) -> Result<Self> {
        Ok(Self(WeightBias::load(&[inputs, outputs, 2, 2], outputs, path, vb)?))
    }

    pub(crate) fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        Ok(conv_transpose2x2(xs, &self.0.weight, Some(&self.0.bias))?)
    }

    pub(crate) fn parameters(&self) -> [Parameter; 2] {
        self.0.parameters()
    }
}
