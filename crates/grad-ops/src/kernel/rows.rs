//! Reductions over a row that become vector code, with a fixed order of summation.

use super::Real;
use super::simd::vectorized;

/// Partial results kept side by side: a few vector registers.
const LANES: usize = 32;

vectorized! {
    /// The sum of the elements.
    fn total<T>(xs: &[T]) -> T {
        sum(xs, |x| x)
    }

    /// The inner product.
    fn dot<T>(xs: &[T], ys: &[T]) -> T {
        sum_pairs(xs, ys, |x, y| x * y)
    }
}

/// The sum of `f` over the elements.
#[inline(always)]
pub(crate) fn sum<T: Real>(xs: &[T], f: impl Fn(T) -> T) -> T {
    let mut lanes = [T::zero(); LANES];
    let (chunks, rest) = xs.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f(x);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane += f(x);
    }
    fold(lanes, |a, b| a + b)
}

/// The sum of `f` over pairs of elements.
#[inline(always)]
pub(crate) fn sum_pairs<T: Real>(xs: &[T], ys: &[T], f: impl Fn(T, T) -> T) -> T {
    let mut lanes = [T::zero(); LANES];
    let ((xs, xs_rest), (ys, ys_rest)) = (xs.as_chunks::<LANES>(), ys.as_chunks::<LANES>());
    for (xs, ys) in xs.iter().zip(ys) {
        for ((lane, &x), &y) in lanes.iter_mut().zip(xs).zip(ys) {
            *lane += f(x, y);
        }
    }
    for ((lane, &x), &y) in lanes.iter_mut().zip(xs_rest).zip(ys_rest) {
        *lane += f(x, y);
    }
    fold(lanes, |a, b| a + b)
}

/// Replaces each element by `e^(factor · (x - max))`, for a positive factor, and returns the sum.
#[inline(always)]
pub(crate) fn exponentials<T: Real, const FMA: bool>(row: &mut [T], factor: T) -> T {
    let max = max(row);
    for x in row.iter_mut() {
        *x = ((*x - max) * factor).exp_negative::<FMA>();
    }
    sum(row, |x| x)
}

/// The maximum of the elements; what is not a number is passed over.
#[inline(always)]
pub(crate) fn max<T: Real>(xs: &[T]) -> T {
    let larger = |a: T, b: T| if b > a { b } else { a };
    let mut lanes = [T::neg_infinity(); LANES];
    let (chunks, rest) = xs.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, x);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane = larger(*lane, x);
    }
    fold(lanes, larger)
}

#[inline(always)]
fn fold<T: Real>(mut lanes: [T; LANES], f: impl Fn(T, T) -> T) -> T {
    let mut width = LANES / 2;
    while width > 0 {
        for index in 0..width {
            lanes[index] = f(lanes[index], lanes[index + width]);
        }
        width /= 2;
    }
    lanes[0]
}
