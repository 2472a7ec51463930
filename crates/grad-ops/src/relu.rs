//! The rectifier.

use candle_core::Tensor;

use crate::{Result, check, composed};

const OP: &str = "relu";

/// Returns `max(xs, 0)`; the gradient is 0 where the input is 0, as in PyTorch.
///
/// # Shapes
/// - `xs` and output: any
///
/// # Errors
/// When there is no kernel for the number type.
pub fn relu(xs: &Tensor) -> Result<Tensor> {
    check::on_cpu(OP, &[xs])?;
    composed::relu(xs)
}
