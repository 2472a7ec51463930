//! Softmax over the last dimension.

use candle_core::Tensor;

use crate::{Result, check, composed};

const OP: &str = "softmax_last_dim";

/// Returns the softmax over the last dimension.
///
/// # Shapes
/// - `xs` and output: `(.., n)`
///
/// # Errors
/// When the tensor is empty or has no dimension, or there is no kernel for the number type.
pub fn softmax_last_dim(xs: &Tensor) -> Result<Tensor> {
    check::rows(OP, xs)?;
    check::on_cpu(OP, &[xs])?;
    composed::softmax_last_dim(xs)
}
