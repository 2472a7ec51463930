//! Softmax over the last dimension.

use candle_core::{Shape, Tensor};

use crate::kernel::parallel::{PIECE, build};
use crate::kernel::simd::vectorized;
use crate::kernel::unary::{Unary, apply};
use crate::kernel::{Real, rows};
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
    let (_, width) = check::rows(OP, xs)?;
    if check::on_cpu(OP, &[xs])? {
        Ok(apply(Softmax { width }, xs)?)
    } else {
        composed::softmax_last_dim(xs)
    }
}

struct Softmax {
    width: usize,
}

impl Softmax {
    /// Elements of the rows that are treated in one go.
    fn piece(&self) -> usize {
        (PIECE / self.width).max(1) * self.width
    }
}

impl Unary for Softmax {
    const NAME: &'static str = OP;

    fn output(&self, input: &Shape) -> Shape {
        input.clone()
    }

    fn forward<T: Real>(&self, xs: &[T]) -> Vec<T> {
        let piece = self.piece();
        build(xs.len(), piece, |index, ys| {
            ys.copy_from_slice(&xs[index * piece..][..ys.len()]);
            forward(ys, self.width);
        })
    }

    fn backward<T: Real>(&self, _xs: &[T], ys: &[T], grad: &[T]) -> Vec<T> {
        let piece = self.piece();
        build(ys.len(), piece, |index, out| {
            backward(&ys[index * piece..], &grad[index * piece..], self.width, out);
        })
    }
}

vectorized! {
    fn forward<T>(ys: &mut [T], width: usize) {
        for row in ys.chunks_exact_mut(width) {
            let sum = rows::exponentials::<T, FMA>(row, T::one());
            for y in row {
                *y *= T::one() / sum;
            }
        }
    }

    fn backward<T>(ys: &[T], grad: &[T], width: usize, out: &mut [T]) {
        let inputs = ys.chunks_exact(width).zip(grad.chunks_exact(width));
        for (out, (ys, grad)) in out.chunks_exact_mut(width).zip(inputs) {
            let dot = rows::sum_pairs(ys, grad, |y, grad| y * grad);
            for ((out, &y), &grad) in out.iter_mut().zip(ys).zip(grad) {
                *out = y * (grad - dot);
            }
        }
    }
}
