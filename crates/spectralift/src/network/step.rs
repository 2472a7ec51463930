//! One update of the network: gradients over pieces of the pixels, then Adam.

use rayon::prelude::*;

use super::layout::Layout;
use super::pass::{BLOCK, Workspace, absolute_error};
use super::real::Real;
use super::simd::vectorized;

/// Fewest pixels of a piece, and the most pieces: each has a gradient of its own to add up.
const LEAST: usize = 128;
const MOST: usize = 16;
/// Parameters that are updated in one piece.
const PARAMS: usize = 4096;

/// Computes gradients of the mean absolute error.
///
/// Pixels are cut into pieces by their number alone, and the gradients of the pieces are added in
/// their order: the result does not depend on the number of threads.
#[derive(Debug)]
pub(crate) struct Stepper<T> {
    layout: Layout,
    pieces: Vec<Piece<T>>,
    total: Vec<T>,
}

#[derive(Debug)]
struct Piece<T> {
    workspace: Workspace<T>,
    grad: Vec<T>,
    loss: f64,
}

impl<T: Real> Stepper<T> {
    /// Room for batches of at most `pixels` pixels.
    pub(crate) fn new(layout: Layout, pixels: usize) -> Self {
        let piece = || Piece {
            workspace: Workspace::new(layout),
            grad: vec![T::zero(); layout.parameters()],
            loss: 0.0,
        };
        let pieces = (0..pieces(pixels)).map(|_| piece()).collect();
        Self { layout, pieces, total: vec![T::zero(); layout.parameters()] }
    }

    /// Computes the gradients of the pieces, and returns the mean absolute error and the number of
    /// pieces.
    fn pass(&mut self, params: &[T], xs: &[T], targets: &[T]) -> (f64, usize) {
        let Layout { inputs, outputs, .. } = self.layout;
        let pixels = xs.len() / inputs;
        let step = pixels.div_ceil(pieces(pixels).min(self.pieces.len()).max(1)).max(1);
        let count = pixels.div_ceil(step);
        let scale = T::of(1.0 / targets.len().max(1) as f64);
        let parts = xs.par_chunks(step * inputs).zip(targets.par_chunks(step * outputs));
        self.pieces[..count].par_iter_mut().zip(parts).for_each(|(piece, (xs, targets))| {
            piece.loss = 0.0;
            let blocks = xs.chunks(BLOCK * inputs).zip(targets.chunks(BLOCK * outputs));
            for (index, block) in blocks.enumerate() {
                let Piece { workspace, grad, loss } = piece;
                *loss += workspace.backward(params, block, scale, grad, index > 0);
            }
        });
        let loss: f64 = self.pieces[..count].iter().map(|piece| piece.loss).sum();
        (loss / targets.len().max(1) as f64, count)
    }

    /// The mean absolute error and its gradient.
    #[cfg(test)]
    pub(crate) fn gradient(&mut self, params: &[T], xs: &[T], targets: &[T]) -> (f64, &[T]) {
        let (loss, count) = self.pass(params, xs, targets);
        self.total.fill(T::zero());
        for piece in &self.pieces[..count] {
            self.total.iter_mut().zip(&piece.grad).for_each(|(sum, &g)| *sum += g);
        }
        (loss, &self.total)
    }

    /// One update by Adam. Returns the mean absolute error before it.
    pub(crate) fn update(
        &mut self,
        params: &mut [T],
        adam: &mut Adam<T>,
        (xs, targets): (&[T], &[T]),
        lr: f64,
    ) -> f64 {
        if xs.is_empty() {
            return 0.0;
        }
        let (loss, count) = self.pass(params, xs, targets);
        let pieces = &self.pieces[..count];
        let rate = adam.rate(lr);
        let state = adam.mean.par_chunks_mut(PARAMS).zip(adam.square.par_chunks_mut(PARAMS));
        let chunks = params.par_chunks_mut(PARAMS).zip(self.total.par_chunks_mut(PARAMS));
        chunks.zip(state).enumerate().for_each(|(index, ((params, total), (mean, square)))| {
            let place = index * PARAMS..index * PARAMS + params.len();
            let mut grads = pieces.iter().map(|piece| &piece.grad[place.clone()]);
            let Some(first) = grads.next() else { return };
            total.copy_from_slice(first);
            grads.for_each(|grad| add(total, grad));
            adam_update(params, total, mean, square, rate);
        });
        loss
    }

    /// The mean absolute error.
    pub(crate) fn loss(&mut self, params: &[T], xs: &[T], targets: &[T]) -> f64 {
        let Layout { inputs, outputs, .. } = self.layout;
        let Some(Piece { workspace, .. }) = self.pieces.first_mut() else { return 0.0 };
        let blocks = xs.chunks(BLOCK * inputs).zip(targets.chunks(BLOCK * outputs));
        let of = |(xs, targets): (&[T], &[T])| {
            absolute_error(workspace.forward(params, xs, xs.len() / inputs), targets)
        };
        blocks.map(of).sum::<f64>() / targets.len().max(1) as f64
    }
}

/// Number of pieces of so many pixels.
fn pieces(pixels: usize) -> usize {
    (pixels / LEAST).clamp(1, MOST)
}

/// Adam as in Keras: `β1` 0.9, `β2` 0.999, `ε` 1e-7.
///
/// ```text
/// m += (1 - β1) (g - m)     v += (1 - β2) (g² - v)
/// w -= lr sqrt(1 - β2^t) / (1 - β1^t) m / (sqrt(v) + ε)
/// ```
///
/// # References
/// Kingma and Ba 2015, arXiv:1412.6980.
#[derive(Debug)]
pub(crate) struct Adam<T> {
    mean: Vec<T>,
    square: Vec<T>,
    updates: i32,
}

impl<T: Real> Adam<T> {
    pub(crate) fn new(layout: Layout) -> Self {
        let zeros = || vec![T::zero(); layout.parameters()];
        Self { mean: zeros(), square: zeros(), updates: 0 }
    }

    /// The rate of the next update.
    fn rate(&mut self, lr: f64) -> T {
        self.updates = self.updates.saturating_add(1);
        let t = self.updates;
        T::of(lr * (1.0 - 0.999f64.powi(t)).sqrt() / (1.0 - 0.9f64.powi(t)))
    }
}

vectorized! {
    fn add<T>(sums: &mut [T], terms: &[T]) {
        sums.iter_mut().zip(terms).for_each(|(sum, &x)| *sum += x);
    }

    fn adam_update<T>(params: &mut [T], grad: &[T], mean: &mut [T], square: &mut [T], rate: T) {
        let (keep_mean, keep_square, epsilon) = (T::of(1.0 - 0.9), T::of(1.0 - 0.999), T::of(1e-7));
        let state = mean.iter_mut().zip(square);
        for ((param, &g), (m, v)) in params.iter_mut().zip(grad).zip(state) {
            *m += keep_mean * (g - *m);
            *v += keep_square * (g * g - *v);
            *param = *param - rate * *m / (v.sqrt() + epsilon);
        }
    }
}
