//! The linear layer with 4-bit weights.

use std::ops::Range;
use std::sync::Arc;

use candle_core::Tensor;
use grad_ops::{LinearLayer, PackedLinear, PackedWeight, Parameter, check_part};

use crate::{Error, QuantConfig, QuantizedTensor, Result};

/// A quantised matrix as the weight of a linear layer.
#[derive(Debug, Clone)]
pub struct Weight4bit {
    tensor: QuantizedTensor,
    shape: (usize, usize),
}

impl Weight4bit {
    /// Takes a quantised matrix.
    ///
    /// # Shapes
    /// - `tensor`: `(out_features, in_features)`
    ///
    /// # Errors
    /// When it has not two dimensions.
    pub fn new(tensor: QuantizedTensor) -> Result<Self> {
        match *tensor.shape() {
            [out, inner] => Ok(Self { tensor, shape: (out, inner) }),
            _ => Err(Error::Shape {
                what: "the weight",
                expected: "(out_features, in_features)".to_owned(),
                got: tensor.shape().to_vec(),
            }),
        }
    }

    /// The matrix.
    pub fn tensor(&self) -> &QuantizedTensor {
        &self.tensor
    }
}

impl PackedWeight for Weight4bit {
    fn shape(&self) -> (usize, usize) {
        self.shape
    }

    fn unpack(
        &self,
        rows: Range<usize>,
        cols: Range<usize>,
        out: &mut [f32],
    ) -> grad_ops::Result<()> {
        check_part(self.shape, &rows, &cols, out)?;
        Ok(self.tensor.write_part(rows, cols, out)?)
    }

    /// The codes, which stand for all elements of the matrix, and the scales, which stand for
    /// none. The elements that are stored, as published counts give them, are those of the tensors
    /// that stand for some.
    fn parameters(&self) -> Vec<Parameter> {
        let codes = Parameter {
            name: "weight".to_owned(),
            tensor: self.tensor.codes().clone(),
            elements: self.tensor.elements(),
        };
        let statistics = self.tensor.statistics().into_iter().map(|(key, tensor)| Parameter {
            name: format!("weight.{key}"),
            tensor: tensor.clone(),
            elements: 0,
        });
        std::iter::once(codes).chain(statistics).collect()
    }

    fn stored_bytes(&self) -> usize {
        self.tensor.stored_bytes()
    }
}

/// A frozen linear layer with 4-bit weights.
///
/// In the forward and in the backward pass the weight is unpacked panel by panel
/// ([`grad_ops::packed_linear`]). The input gets a gradient, and so does the bias if it is a
/// variable.
#[derive(Debug, Clone)]
pub struct Linear4bit {
    weight: Arc<Weight4bit>,
    layer: PackedLinear,
}

impl Linear4bit {
    /// Makes the layer from its weight and bias.
    ///
    /// # Shapes
    /// - `weight`: `(out_features, in_features)`
    /// - `bias`: `(out_features)`
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn new(weight: Weight4bit, bias: Option<Tensor>) -> Result<Self> {
        let weight = Arc::new(weight);
        let layer = PackedLinear::new(Arc::clone(&weight) as Arc<dyn PackedWeight>, bias)?;
        Ok(Self { weight, layer })
    }

    /// Quantises a dense weight.
    ///
    /// # Shapes
    /// - `weight`: `(out_features, in_features)`
    /// - `bias`: `(out_features)`
    ///
    /// # Errors
    /// When the shapes do not fit or the weight cannot be quantised.
    pub fn quantize(weight: &Tensor, bias: Option<Tensor>, config: &QuantConfig) -> Result<Self> {
        Self::new(Weight4bit::new(QuantizedTensor::quantize(weight, config)?)?, bias)
    }

    /// The weight as it is stored.
    pub fn quantized(&self) -> &QuantizedTensor {
        self.weight.tensor()
    }
}

impl LinearLayer for Linear4bit {
    fn forward_t(&self, xs: &Tensor, train: bool) -> grad_ops::Result<Tensor> {
        self.layer.forward_t(xs, train)
    }

    fn in_features(&self) -> usize {
        self.layer.in_features()
    }

    fn out_features(&self) -> usize {
        self.layer.out_features()
    }

    fn parameters(&self) -> Vec<Parameter> {
        self.layer.parameters()
    }

    fn weight(&self) -> grad_ops::Result<Tensor> {
        self.layer.weight()
    }

    fn bias(&self) -> Option<Tensor> {
        self.layer.bias()
    }
}
