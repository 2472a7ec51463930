//! The rectifier.

use candle_core::{Shape, Tensor};

use crate::kernel::Real;
use crate::kernel::parallel::{PIECE, build};
use crate::kernel::simd::vectorized;
use crate::kernel::unary::{Unary, apply};
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
    if check::on_cpu(OP, &[xs])? { Ok(apply(Relu, xs)?) } else { composed::relu(xs) }
}

struct Relu;

impl Unary for Relu {
    const NAME: &'static str = OP;

    fn output(&self, input: &Shape) -> Shape {
        input.clone()
    }

    fn forward<T: Real>(&self, xs: &[T]) -> Vec<T> {
        build(xs.len(), PIECE, |index, ys| {
            forward(&xs[index * PIECE..], ys);
        })
    }

    fn backward<T: Real>(&self, _xs: &[T], ys: &[T], grad: &[T]) -> Vec<T> {
        build(ys.len(), PIECE, |index, out| {
            backward(&ys[index * PIECE..], &grad[index * PIECE..], out);
        })
    }
}

vectorized! {
    fn forward<T>(xs: &[T], ys: &mut [T]) {
        for (y, &x) in ys.iter_mut().zip(xs) {
            // What is not a number stays.
            *y = if x <= T::zero() { T::zero() } else { x };
        }
    }

    fn backward<T>(ys: &[T], grad: &[T], out: &mut [T]) {
        for ((out, &y), &grad) in out.iter_mut().zip(ys).zip(grad) {
            *out = if y <= T::zero() { T::zero() } else { grad };
        }
    }
}
