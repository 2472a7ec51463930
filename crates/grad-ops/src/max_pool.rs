//! Maximum over 2 x 2 windows.

use candle_core::{Shape, Tensor};

use crate::kernel::Real;
use crate::kernel::parallel::{PIECE, build};
use crate::kernel::simd::vectorized;
use crate::kernel::unary::{Unary, apply};
use crate::{Result, check, composed};

const OP: &str = "max_pool2x2";

/// Halves height and width (rounding down): each output is the maximum of a 2 x 2 window, and the
/// gradient goes to the first maximum in row-major order, as in PyTorch.
///
/// # Shapes
/// - `xs`: `(batch, channels, height, width)`, height and width at least 2
/// - output: `(batch, channels, height / 2, width / 2)`
///
/// # Errors
/// When the shape does not fit or there is no kernel for the number type.
pub fn max_pool2x2(xs: &Tensor) -> Result<Tensor> {
    let op = MaxPool::new(xs)?;
    if check::on_cpu(OP, &[xs])? { Ok(apply(op, xs)?) } else { composed::max_pool2x2(xs) }
}

/// The sizes of the input.
pub(crate) struct MaxPool {
    /// Samples and channels.
    pub(crate) maps: (usize, usize),
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl MaxPool {
    /// Checks the input.
    pub(crate) fn new(xs: &Tensor) -> Result<Self> {
        let [batch, channels, height, width] = check::maps(OP, xs)?;
        if height < 2 || width < 2 {
            let expected = "(batch, channels, at least 2, at least 2)";
            return Err(check::shape_error(OP, "the input", expected, xs));
        }
        Ok(Self { maps: (batch, channels), height, width })
    }

    /// Size of a map in the input, in the output, and number of maps that are treated together.
    fn sizes(&self) -> (usize, usize, usize) {
        let size = self.height * self.width;
        (size, (self.height / 2) * (self.width / 2), (PIECE / size).max(1))
    }
}

impl Unary for MaxPool {
    const NAME: &'static str = OP;

    fn output(&self, _input: &Shape) -> Shape {
        Shape::from((self.maps.0, self.maps.1, self.height / 2, self.width / 2))
    }

    fn forward<T: Real>(&self, xs: &[T]) -> Vec<T> {
        let (size, pooled, count) = self.sizes();
        build(self.maps.0 * self.maps.1 * pooled, count * pooled, |index, ys| {
            let maps = xs[index * count * size..].chunks(size);
            for (ys, map) in ys.chunks_mut(pooled).zip(maps) {
                let rows = map.chunks_exact(2 * self.width);
                for (ys, rows) in ys.chunks_mut(self.width / 2).zip(rows) {
                    let (upper, lower) = rows.split_at(self.width);
                    pool_row(upper, lower, ys);
                }
            }
        })
    }

    fn backward<T: Real>(&self, xs: &[T], ys: &[T], grad: &[T]) -> Vec<T> {
        let (size, pooled, count) = self.sizes();
        build(xs.len(), count * size, |index, out| {
            let maps = xs[index * count * size..].chunks(size);
            let results = ys[index * count * pooled..].chunks(pooled);
            let grads = grad[index * count * pooled..].chunks(pooled);
            for ((out, map), (ys, grad)) in out.chunks_mut(size).zip(maps).zip(results.zip(grads)) {
                let rows = map.chunks_exact(2 * self.width);
                let results = ys.chunks(self.width / 2).zip(grad.chunks(self.width / 2));
                for ((out, rows), (ys, grad)) in
                    out.chunks_exact_mut(2 * self.width).zip(rows).zip(results)
                {
                    let (upper, lower) = rows.split_at(self.width);
                    let (out_upper, out_lower) = out.split_at_mut(self.width);
                    spread_row([upper, lower], ys, grad, out_upper, out_lower);
                }
            }
        })
    }
}

/// The larger of two numbers, the first if they are equal; what is not a number wins.
#[inline(always)]
fn later<T: Real>(first: T, second: T) -> T {
    if second > first || second.is_nan() { second } else { first }
}

vectorized! {
    /// The maxima of the windows in two rows.
    fn pool_row<T>(upper: &[T], lower: &[T], ys: &mut [T]) {
        let windows = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
        for (y, (upper, lower)) in ys.iter_mut().zip(windows) {
            *y = later(later(later(upper[0], upper[1]), lower[0]), lower[1]);
        }
    }

    /// Gives the gradients to the first maxima of the windows, zero to the other elements. In a
    /// window with something that is not a number the first element gets it.
    fn spread_row<T>(
        rows: [&[T]; 2],
        ys: &[T],
        grad: &[T],
        out_upper: &mut [T],
        out_lower: &mut [T],
    ) {
        let upper = rows[0].as_chunks::<2>().0.iter().zip(out_upper.as_chunks_mut::<2>().0);
        let lower = rows[1].as_chunks::<2>().0.iter().zip(out_lower.as_chunks_mut::<2>().0);
        for (((upper, to_upper), (lower, to_lower)), (&y, &grad)) in
            upper.zip(lower).zip(ys.iter().zip(grad))
        {
            // What is not a number is not smaller, either.
            let smaller = |x: T| x < y;
            let a = !smaller(upper[0]);
            let b = !smaller(upper[1]) && !a;
            let c = !smaller(lower[0]) && !a && !b;
            let d = !a && !b && !c;
            let give = |hit: bool| if hit { grad } else { T::zero() };
            *to_upper = [give(a), give(b)];
            *to_lower = [give(c), give(d)];
        }
    }
}
