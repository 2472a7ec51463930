//! Multi-head self-attention.

use candle_core::Tensor;

use crate::{Result, check, composed};

const OP: &str = "attention";

/// Returns `softmax(q kᵀ / √d) v` of each head, without keeping the probabilities.
///
/// The last dimension of `qkv` is `(3, heads, d)` in row-major order, as timm's `Attention` has it.
///
/// # Shapes
/// - `qkv`: `(batch, tokens, 3 * heads * d)`
/// - output: `(batch, tokens, heads * d)`
///
/// # Errors
/// When the last dimension is not a multiple of `3 * heads` or a dimension is zero, or there is no
/// kernel for the number type.
pub fn attention(qkv: &Tensor, heads: usize) -> Result<Tensor> {
    dimensions(qkv, heads)?;
    check::on_cpu(OP, &[qkv])?;
    composed::attention(qkv, heads)
}

/// Batch, tokens and width of a head.
fn dimensions(qkv: &Tensor, heads: usize) -> Result<(usize, usize, usize)> {
    match *qkv.dims() {
        [batch, tokens, width]
            if heads > 0 && batch * tokens * width > 0 && width.is_multiple_of(3 * heads) =>
        {
            Ok((batch, tokens, width / (3 * heads)))
        }
        _ => {
            let expected = format!("(batch, tokens, a multiple of {}), none zero", 3 * heads);
            Err(check::shape_error(OP, "the input", expected, qkv))
        }
    }
}
