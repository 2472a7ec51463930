//! The mean squared error.

use candle_core::Tensor;

use crate::{Result, check, composed};

const OP: &str = "mse_loss";

/// Returns the mean of `(xs - target)²` over all elements.
///
/// # Shapes
/// - `xs`, `target`: any, the same
/// - output: a scalar
///
/// # Errors
/// When the shapes differ or are empty, or there is no kernel for the number type.
pub fn mse_loss(xs: &Tensor, target: &Tensor) -> Result<Tensor> {
    check::dims(OP, "the target", target, xs.dims())?;
    if xs.elem_count() == 0 {
        return Err(check::shape_error(
            OP,
            "the input",
            "at least one element",
            xs,
        ));
    }
    check::on_cpu(OP, &[xs, target])?;
    composed::mse_loss(xs, target)
}
