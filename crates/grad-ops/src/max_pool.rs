//! Maximum over 2 x 2 windows.

use candle_core::{Shape, Tensor};

use crate::kernel::Real;
use crate::kernel::parallel::{PIECE, build};
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

    /// The two rows under a row of the output.
    fn rows<'a, T>(&self, map: &'a [T], row: usize) -> (&'a [T], &'a [T]) {
        map[2 * row * self.width..][..2 * self.width].split_at(self.width)
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
                for (row, ys) in ys.chunks_mut(self.width / 2).enumerate() {
                    let (upper, lower) = self.rows(map, row);
                    let windows = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
                    for (y, (upper, lower)) in ys.iter_mut().zip(windows) {
                        *y = later(later(later(upper[0], upper[1]), lower[0]), lower[1]);
                    }
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
            for (((out, map), ys), grad) in out.chunks_mut(size).zip(maps).zip(results).zip(grads) {
                let pairs = ys.chunks(self.width / 2).zip(grad.chunks(self.width / 2));
                for (row, (out, (ys, grad))) in
                    out.chunks_exact_mut(2 * self.width).zip(pairs).enumerate()
                {
                    let (upper, lower) = self.rows(map, row);
                    let (out_upper, out_lower) = out.split_at_mut(self.width);
                    let windows = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
                    let targets = out_upper
                        .as_chunks_mut::<2>()
                        .0
                        .iter_mut()
                        .zip(out_lower.as_chunks_mut::<2>().0);
                    for ((targets, windows), (&y, &grad)) in
                        targets.zip(windows).zip(ys.iter().zip(grad))
                    {
                        spread(y, grad, [windows.0, windows.1], [targets.0, targets.1]);
                    }
                }
            }
        })
    }
}

/// The larger of two numbers, the first if they are equal; what is not a number wins, the last
/// one of them.
#[inline(always)]
fn later<T: Real>(first: T, second: T) -> T {
    if second > first || second.is_nan() { second } else { first }
}

/// Gives the gradient to the first element of the window that is the maximum (the last one that is
/// not a number, if there is one); the others get zero.
#[inline(always)]
fn spread<T: Real>(max: T, grad: T, window: [&[T; 2]; 2], to: [&mut [T; 2]; 2]) {
    let [[a, b], [c, d]] = window;
    let hits = if max.is_nan() {
        let is_nan = [a.is_nan(), b.is_nan(), c.is_nan(), d.is_nan()];
        let last = is_nan.iter().rposition(|&is_nan| is_nan);
        [0, 1, 2, 3].map(|index| Some(index) == last)
    } else {
        let (first, second, third) = (*a == max, *b == max, *c == max);
        let second = second && !first;
        let third = third && !first && !second;
        [first, second, third, !(first || second || third)]
    };
    let [upper, lower] = to;
    let [a, b, c, d] = hits.map(|hit| if hit { grad } else { T::zero() });
    *upper = [a, b];
    *lower = [c, d];
}
