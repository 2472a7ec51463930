//! Layer normalisation.

use candle_core::Tensor;

use crate::{Result, check, composed};

const OP: &str = "layer_norm";

/// Normalises the last dimension to mean 0 and (biased) variance 1, then scales and shifts it.
///
/// # Shapes
/// - `xs` and output: `(.., n)`
/// - `weight`, `bias`: `(n)`
///
/// # Errors
/// When the shapes do not fit or there is no kernel for the number type.
pub fn layer_norm(xs: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let (_, width) = check::rows(OP, xs)?;
    check::dims(OP, "the weight", weight, &[width])?;
    check::dims(OP, "the bias", bias, &[width])?;
    check::on_cpu(OP, &[xs, weight, bias])?;
    composed::layer_norm(xs, weight, bias, eps)
}
