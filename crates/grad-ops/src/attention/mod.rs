//! Multi-head self-attention.
//!
//! The scores of a block of queries with all keys exist for one head at a time, on each thread.
//! The backward pass computes them again.

mod backward;
mod forward;
mod sizes;

use candle_core::{Shape, Tensor};

use crate::kernel::Real;
use crate::kernel::unary::{Unary, apply};
use crate::{Result, check, composed};
use backward::attention_grad;
use forward::attend;
pub(crate) use sizes::Sizes;

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
    let sizes = sizes(qkv, heads)?;
    if check::on_cpu(OP, &[qkv])? {
        Ok(apply(Attention { sizes }, qkv)?)
    } else {
        composed::attention(qkv, heads)
    }
}

/// Checks the input.
pub(crate) fn sizes(qkv: &Tensor, heads: usize) -> Result<Sizes> {
    match *qkv.dims() {
        [batch, tokens, width]
            if heads > 0
                && batch * tokens * width > 0
                && width.is_multiple_of(3)
                && (width / 3).is_multiple_of(heads) =>
        {
            Ok(Sizes { batch, tokens, heads, dim: width / 3 / heads })
        }
        _ => {
            let expected = format!("(batch, tokens, 3 * {heads} heads * d), none of them zero");
            Err(check::shape_error(OP, "the input", expected, qkv))
        }
    }
}

struct Attention {
    sizes: Sizes,
}

impl Unary for Attention {
    const NAME: &'static str = OP;

    fn output(&self, _input: &Shape) -> Shape {
        Shape::from((self.sizes.batch, self.sizes.tokens, self.sizes.width()))
    }

    fn forward<T: Real>(&self, xs: &[T]) -> Vec<T> {
        attend(self.sizes, xs)
    }

    fn backward<T: Real>(&self, xs: &[T], ys: &[T], grad: &[T]) -> Vec<T> {
        attention_grad(self.sizes, xs, ys, grad)
    }
}
