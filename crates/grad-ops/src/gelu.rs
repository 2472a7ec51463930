//! The Gaussian error linear unit.

use candle_core::Tensor;

use crate::kernel::Real;
use crate::kernel::simd::vectorized;
use crate::kernel::unary::{Pointwise, apply};
use crate::{Result, check, composed};

const OP: &str = "gelu";

/// Returns `x · Φ(x)` with the exact normal distribution function, as `torch.nn.GELU()`.
///
/// In `f32` on the CPU `Φ` is exact to 2e-7.
///
/// # Shapes
/// - `xs` and output: any
///
/// # Errors
/// When there is no kernel for the number type.
pub fn gelu(xs: &Tensor) -> Result<Tensor> {
    if check::on_cpu(OP, &[xs])? { Ok(apply(Gelu, xs)?) } else { composed::gelu(xs) }
}

struct Gelu;

impl Pointwise for Gelu {
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
            *y = x * x.normal::<FMA>().0;
        }
    }

    fn backward<T>(xs: &[T], grad: &[T], out: &mut [T]) {
        for ((out, &x), &grad) in out.iter_mut().zip(xs).zip(grad) {
            let (distribution, density) = x.normal::<FMA>();
            *out = grad * (distribution + x * density);
        }
    }
}
