//! The joint between models and the linear layers they are built from.
//!
//! A model asks a [`LinearFactory`] for each of its linear layers and calls what it gets through
//! [`LinearLayer`]. It does not know whether that is a plain layer, a frozen one, one under a
//! low-rank adapter, or one with 4-bit weights: one forward pass serves all methods.

use std::fmt::Debug;
use std::sync::Arc;

use candle_core::Tensor;
use candle_nn::VarBuilder;

use crate::{Linear, Result};

/// A named tensor of a layer, for counting and inspection.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Name below the path of the layer: `weight`, `bias`, `lora_A.weight`.
    pub name: String,
    /// The tensor as stored; a variable if and only if it is trained.
    pub tensor: Tensor,
    /// How many model parameters it stands for (a packed byte of 4-bit codes stands for two).
    pub elements: usize,
}

impl Parameter {
    /// A parameter that is stored one number an element.
    pub fn dense(name: impl Into<String>, tensor: &Tensor) -> Self {
        Self { name: name.into(), tensor: tensor.clone(), elements: tensor.elem_count() }
    }

    /// Whether an optimiser updates this tensor.
    pub fn is_trainable(&self) -> bool {
        self.tensor.is_variable()
    }

    /// Bytes that the tensor takes in memory.
    pub fn stored_bytes(&self) -> usize {
        self.tensor.elem_count() * self.tensor.dtype().size_in_bytes()
    }
}

/// An affine map of the last dimension, however its weights are kept.
pub trait LinearLayer: Debug + Send + Sync {
    /// Applies the layer. `train` switches what differs between training and inference (dropout).
    ///
    /// # Shapes
    /// - `xs`: `(.., in_features)`
    /// - output: `(.., out_features)`
    ///
    /// # Errors
    /// When the last dimension of `xs` is not `in_features`, or the tensor library fails.
    fn forward_t(&self, xs: &Tensor, train: bool) -> Result<Tensor>;

    /// Size of the last dimension of the input.
    fn in_features(&self) -> usize;

    /// Size of the last dimension of the output.
    fn out_features(&self) -> usize;

    /// All tensors of the layer, trained or not.
    fn parameters(&self) -> Vec<Parameter>;

    /// The weight as one dense tensor: what adapters are merged into. A layer that keeps it in
    /// another form makes it for this call; a caller should not hold it for long.
    ///
    /// # Shapes
    /// - output: `(out_features, in_features)`
    ///
    /// # Errors
    /// When the tensor library fails.
    fn weight(&self) -> Result<Tensor>;

    /// The bias, `(out_features)`.
    fn bias(&self) -> Option<Tensor>;
}

/// What a model asks for when it needs a linear layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinearSpec {
    /// Size of the last dimension of the input.
    pub in_features: usize,
    /// Size of the last dimension of the output.
    pub out_features: usize,
    /// Whether the layer adds a bias.
    pub bias: bool,
}

/// Builds the linear layers of a model.
///
/// The place of the layer in the model is [`VarBuilder::prefix`], `blocks.3.attn.qkv` for
/// example: a factory decides by it which layers it adapts or quantises.
pub trait LinearFactory {
    /// Builds one layer from the tensors below `vb`.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    fn linear(&self, spec: LinearSpec, vb: VarBuilder<'_>) -> Result<Arc<dyn LinearLayer>>;
}

/// The factory of plain layers: whatever `VarBuilder` gives, variables or fixed tensors.
#[derive(Debug, Clone, Copy, Default)]
pub struct Dense;

impl LinearFactory for Dense {
    fn linear(&self, spec: LinearSpec, vb: VarBuilder<'_>) -> Result<Arc<dyn LinearLayer>> {
        Ok(Arc::new(Linear::load(spec, vb)?))
    }
}
