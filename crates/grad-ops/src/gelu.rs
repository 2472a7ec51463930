//! The Gaussian error linear unit.

use candle_core::Tensor;

use crate::{Result, check, composed};

const OP: &str = "gelu";

/// Returns `x · Φ(x)` with the exact normal distribution function, as `torch.nn.GELU()`.
///
/// # Shapes
/// - `xs` and output: any
///
/// # Errors
/// When there is no kernel for the number type.
pub fn gelu(xs: &Tensor) -> Result<Tensor> {
    check::on_cpu(OP, &[xs])?;
    composed::gelu(xs)
}
