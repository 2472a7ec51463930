//! Forward and backward pass of the whole network over a block of pixels.
//!
//! A block is small enough for all its activations to stay in the cache of a core from the first
//! layer to the last and back: nothing but inputs, targets and weights is read from memory.

use super::layout::{LAYERS, Layout};
use super::real::{Mat, Real, product};
use super::simd::vectorized;

/// Pixels of a block.
pub(crate) const BLOCK: usize = 256;
/// Slope of the rectifier for negative values.
const SLOPE: f64 = 0.3;
/// Hidden layers.
const HIDDEN: usize = LAYERS - 1;

/// The activations and gradients of a block.
#[derive(Debug)]
pub(crate) struct Workspace<T> {
    layout: Layout,
    /// Rectified values of the hidden layers, whose signs are those before the rectifier.
    rectified: [Vec<T>; HIDDEN],
    /// What the second, fourth and sixth layer pass on: their values and the skip.
    sums: [Vec<T>; HIDDEN / 2],
    /// Output, then its gradient.
    ys: Vec<T>,
    /// Gradients that flow past and through a pair of layers.
    passing: Vec<T>,
    inner: [Vec<T>; 2],
}

impl<T: Real> Workspace<T> {
    pub(crate) fn new(layout: Layout) -> Self {
        let hidden = || vec![T::zero(); BLOCK * layout.hidden];
        Self {
            layout,
            rectified: std::array::from_fn(|_| hidden()),
            sums: std::array::from_fn(|_| hidden()),
            ys: vec![T::zero(); BLOCK * layout.outputs],
            passing: hidden(),
            inner: [hidden(), hidden()],
        }
    }

    /// The output for at most [`BLOCK`] pixels, `[rows, outputs]`.
    pub(crate) fn forward(&mut self, params: &[T], xs: &[T], rows: usize) -> &mut [T] {
        let layers = self.layout.layers();
        for (index, layer) in layers[..HIDDEN].iter().enumerate() {
            let (before, rest) = self.rectified.split_at_mut(index);
            let out = &mut rest[0];
            let input = match index {
                0 => xs,
                odd if odd % 2 == 1 => &before[index - 1],
                _ => &self.sums[index / 2 - 1],
            };
            let weight = Mat::new(&params[layer.weight()], layer.inputs, layer.outputs);
            product(out, false, Mat::new(input, rows, layer.inputs), weight);
            let out = &mut out[..rows * layer.outputs];
            let bias = &params[layer.bias()];
            if index % 2 == 0 {
                rectify(out, bias);
            } else {
                let (done, rest) = self.sums.split_at_mut(index / 2);
                let skipped = done.last().unwrap_or(&before[0]);
                rectify_and_add(out, bias, skipped, &mut rest[0]);
            }
        }
        let layer = layers[HIDDEN];
        let weight = Mat::new(&params[layer.weight()], layer.inputs, layer.outputs);
        let input = Mat::new(&self.sums[HIDDEN / 2 - 1], rows, layer.inputs);
        product(&mut self.ys, false, input, weight);
        let ys = &mut self.ys[..rows * layer.outputs];
        add_bias(ys, &params[layer.bias()]);
        ys
    }

    /// The sum of absolute errors of a block and, in `grad`, `scale` times its gradient: set
    /// there, or added with `add`.
    pub(crate) fn backward(
        &mut self,
        params: &[T],
        (xs, targets): (&[T], &[T]),
        scale: T,
        grad: &mut [T],
        add: bool,
    ) -> f64 {
        let Layout { inputs, hidden, outputs } = self.layout;
        let rows = xs.len() / inputs;
        let loss = signs(self.forward(params, xs, rows), targets, scale);
        let layers = self.layout.layers();
        let Self { rectified, sums, ys, passing, inner: [upper, lower], .. } = self;
        let mut weights = |index: usize, input: &[T], delta: &[T]| {
            let layer = layers[index];
            let delta = &delta[..rows * layer.outputs];
            let input = Mat::new(input, rows, layer.inputs).t();
            let to = &mut grad[layer.weight()];
            product(to, add, input, Mat::new(delta, rows, layer.outputs));
            let bias = &mut grad[layer.bias()];
            if !add {
                bias.fill(T::zero());
            }
            add_rows(bias, delta);
        };
        let back = |index: usize, delta: &[T], to: &mut [T], add: bool| {
            let layer = layers[index];
            let weight = Mat::new(&params[layer.weight()], layer.inputs, layer.outputs);
            product(to, add, Mat::new(delta, rows, layer.outputs), weight.t());
        };
        let used = ..rows * hidden;
        weights(HIDDEN, &sums[HIDDEN / 2 - 1], &ys[..rows * outputs]);
        back(HIDDEN, ys, passing, false);
        for pair in (0..HIDDEN / 2).rev() {
            let (first, second) = (2 * pair, 2 * pair + 1);
            slope_of(&mut upper[used], &passing[used], &rectified[second]);
            weights(second, &rectified[first], upper);
            if pair > 0 {
                back(second, upper, lower, false);
                slope(&mut lower[used], &rectified[first]);
                weights(first, &sums[pair - 1], lower);
                back(first, lower, passing, true);
            } else {
                // The skip of the first pair starts behind the first layer.
                back(second, upper, passing, true);
                slope(&mut passing[used], &rectified[first]);
                weights(first, xs, passing);
            }
        }
        loss
    }
}

vectorized! {
    /// `φ(values + bias)` in place, row by row.
    fn rectify<T>(values: &mut [T], bias: &[T]) {
        let small = T::of(SLOPE);
        for row in values.chunks_exact_mut(bias.len()) {
            for (value, &bias) in row.iter_mut().zip(bias) {
                let x = *value + bias;
                *value = if x > T::zero() { x } else { small * x };
            }
        }
    }

    /// As `rectify`, and the sum of the result and `skipped`.
    fn rectify_and_add<T>(values: &mut [T], bias: &[T], skipped: &[T], sums: &mut [T]) {
        let small = T::of(SLOPE);
        let n = bias.len();
        let rows = values.chunks_exact_mut(n).zip(skipped.chunks_exact(n));
        for ((row, skipped), sums) in rows.zip(sums.chunks_exact_mut(n)) {
            for (((value, &bias), &skipped), sum) in row.iter_mut().zip(bias).zip(skipped).zip(sums)
            {
                let x = *value + bias;
                *value = if x > T::zero() { x } else { small * x };
                *sum = *value + skipped;
            }
        }
    }

    fn add_bias<T>(values: &mut [T], bias: &[T]) {
        for row in values.chunks_exact_mut(bias.len()) {
            row.iter_mut().zip(bias).for_each(|(value, &bias)| *value += bias);
        }
    }

    /// Replaces outputs by `scale` times the signs of their errors, and sums the absolute errors.
    fn signs<T>(ys: &mut [T], targets: &[T], scale: T) -> f64 {
        let mut sum = 0.0;
        // Short sums in the number type itself, long ones in double precision.
        for (ys, targets) in ys.chunks_mut(64).zip(targets.chunks(64)) {
            let mut part = [T::zero(); 16];
            for (ys, targets) in ys.chunks_mut(16).zip(targets.chunks(16)) {
                for ((y, &target), part) in ys.iter_mut().zip(targets).zip(&mut part) {
                    let error = *y - target;
                    *part += error.abs();
                    *y = if error > T::zero() {
                        scale
                    } else if error < T::zero() {
                        -scale
                    } else {
                        T::zero()
                    };
                }
            }
            sum += part.iter().fold(T::zero(), |sum, &part| sum + part).wide();
        }
        sum
    }

    /// Multiplies a gradient by the slope of the rectifier, 1 or 0.3.
    fn slope<T>(delta: &mut [T], rectified: &[T]) {
        let small = T::of(SLOPE);
        for (delta, &value) in delta.iter_mut().zip(rectified) {
            *delta = *delta * if value > T::zero() { T::one() } else { small };
        }
    }

    /// As `slope`, from one buffer to another.
    fn slope_of<T>(to: &mut [T], delta: &[T], rectified: &[T]) {
        let small = T::of(SLOPE);
        for ((to, &delta), &value) in to.iter_mut().zip(delta).zip(rectified) {
            *to = delta * if value > T::zero() { T::one() } else { small };
        }
    }

    /// Adds all rows to one.
    fn add_rows<T>(sums: &mut [T], rows: &[T]) {
        for row in rows.chunks_exact(sums.len()) {
            sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += x);
        }
    }

    /// The sum of absolute differences of two lists.
    pub(crate) fn absolute_error<T>(ys: &[T], targets: &[T]) -> f64 {
        let mut sum = 0.0;
        for (ys, targets) in ys.chunks(64).zip(targets.chunks(64)) {
            let mut part = [T::zero(); 16];
            for (ys, targets) in ys.chunks(16).zip(targets.chunks(16)) {
                for ((&y, &target), part) in ys.iter().zip(targets).zip(&mut part) {
                    *part += (y - target).abs();
                }
            }
            sum += part.iter().fold(T::zero(), |sum, &part| sum + part).wide();
        }
        sum
    }
}
