//! The rectifier.

use candle_core::Tensor;

use crate::kernel::Real;
use crate::kernel::simd::vectorized;
use crate::kernel::unary::{Pointwise, apply};
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

impl Pointwise for Relu {
    const NAME: &'static str = OP;

    fn forward<T: Real>(xs: &[T], ys: &mut [T]) {
        forward(xs, ys);
    }

    fn backward<T: Real>(xs: &[T], grad: &[T], out: &mut [T]) {
        backward(xs, grad, out);
    }
}

vectorized! {
    fn forward<T>(xs: &[T], ys: &mut [T]) {
        for (y, &x) in ys.iter_mut().zip(xs) {
            // What is not a number stays.
            *y = if x <= T::zero() { T::zero() } else { x };
        }
    }

    fn backward<T>(xs: &[T], grad: &[T], out: &mut [T]) {
        for ((out, &x), &grad) in out.iter_mut().zip(xs).zip(grad) {
            *out = if x <= T::zero() { T::zero() } else { grad };
        }
    }
}
