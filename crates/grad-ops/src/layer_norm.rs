//! Layer normalisation.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, Layout, Shape, Tensor, WithDType};

use crate::kernel::parallel::{PIECE, build, build_with_sums};
use crate::kernel::simd::vectorized;
use crate::kernel::storage::{Reader, dispatch, slice, tensor};
use crate::kernel::{Real, rows};
use crate::{Result, check, composed};

const OP: &str = "layer_norm";

/// Normalises the last dimension to mean 0 and (biased) variance 1, then scales and shifts it.
///
/// ```text
/// ys = weight · (xs - mean) / √(variance + eps) + bias
/// ```
///
/// # Shapes
/// - `xs` and output: `(.., n)`
/// - `weight`, `bias`: `(n)`
///
/// # Errors
/// When the shapes do not fit or there is no kernel for the number type.
pub fn layer_norm(xs: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let (_, width) = check::rows(OP, xs)?;
    check::dims(OP, "the weight", weight, &[width])?;
    check::dims(OP, "the bias", bias, &[width])?;
    if check::on_cpu(OP, &[xs, weight, bias])? {
        let (weight, bias) = (weight.contiguous()?, bias.contiguous()?);
        Ok(xs.contiguous()?.apply_op3(&weight, &bias, LayerNorm { width, eps })?)
    } else {
        composed::layer_norm(xs, weight, bias, eps)
    }
}

struct LayerNorm {
    width: usize,
    eps: f64,
}

impl LayerNorm {
    /// Elements of the rows that are treated in one go.
    fn piece(&self) -> usize {
        (PIECE / self.width).max(1) * self.width
    }
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        OP
    }

    fn cpu_fwd(
        &self,
        xs: &CpuStorage,
        layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let piece = self.piece();
        dispatch!(OP, xs.dtype(), T => {
            let xs = slice::<T>(xs, layout)?;
            let weight = slice::<T>(weight, weight_layout)?;
            let bias = slice::<T>(bias, bias_layout)?;
            let ys = build(xs.len(), piece, |index, ys| {
                forward(&xs[index * piece..], weight, bias, T::of(self.eps), ys);
            });
            Ok((T::to_cpu_storage_owned(ys), layout.shape().clone()))
        })
    }

    fn bwd(
        &self,
        xs: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _ys: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        // Fewer and larger pieces: each has its own sums.
        let piece = 4 * self.piece();
        let side = if weight.track_op() || bias.track_op() { 2 * self.width } else { 0 };
        dispatch!(OP, grad.dtype(), T => {
            let grad = grad.contiguous()?;
            let grad = Reader::new(&grad);
            let (input, scales) = (Reader::new(xs), Reader::new(weight));
            let (grad, input, scales) =
                (grad.slice::<T>()?, input.slice::<T>()?, scales.slice::<T>()?);
            let (dx, mut dw) = build_with_sums(input.len(), piece, side, |index, out, sums| {
                let (xs, grad) = (&input[index * piece..], &grad[index * piece..]);
                backward(xs, grad, scales, T::of(self.eps), out, sums);
            });
            let db = dw.split_off(side / 2);
            Ok((
                xs.track_op().then(|| tensor(dx, xs.shape())).transpose()?,
                weight.track_op().then(|| tensor(dw, weight.shape())).transpose()?,
                bias.track_op().then(|| tensor(db, bias.shape())).transpose()?,
            ))
        })
    }
}

/// Mean and inverse standard deviation of a row.
#[inline(always)]
fn moments<T: Real>(xs: &[T], eps: T) -> (T, T) {
    let scale = T::one() / T::of(xs.len() as f64);
    let mean = rows::sum(xs, |x| x) * scale;
    let variance = rows::sum(xs, |x| (x - mean) * (x - mean)) * scale;
    (mean, T::one() / (variance + eps).sqrt())
}

vectorized! {
    fn forward<T>(xs: &[T], weight: &[T], bias: &[T], eps: T, ys: &mut [T]) {
        let width = weight.len();
        for (ys, xs) in ys.chunks_exact_mut(width).zip(xs.chunks_exact(width)) {
            let (mean, scale) = moments(xs, eps);
            for (((y, &x), &weight), &bias) in ys.iter_mut().zip(xs).zip(weight).zip(bias) {
                *y = (x - mean) * scale * weight + bias;
            }
        }
    }

    /// Writes the gradient of the input and adds to the gradients of weight and bias, which lie
    /// one after the other in `sums` (empty if they are not wanted).
    fn backward<T>(xs: &[T], grad: &[T], weight: &[T], eps: T, out: &mut [T], sums: &mut [T]) {
        let width = weight.len();
        let share = T::one() / T::of(width as f64);
        let (dw, db) = sums.split_at_mut(sums.len() / 2);
        let inputs = xs.chunks_exact(width).zip(grad.chunks_exact(width));
        for (out, (xs, grad)) in out.chunks_exact_mut(width).zip(inputs) {
            let (mean, scale) = moments(xs, eps);
            for ((out, &grad), &weight) in out.iter_mut().zip(grad).zip(weight) {
                *out = grad * weight;
            }
            let along = rows::sum(out, |grad| grad) * share;
            let across = rows::sum_pairs(out, xs, |grad, x| grad * (x - mean)) * scale * share;
            for (out, &x) in out.iter_mut().zip(xs) {
                *out = (*out - along - (x - mean) * scale * across) * scale;
            }
            for ((dw, &grad), &x) in dw.iter_mut().zip(grad).zip(xs) {
                *dw += grad * (x - mean) * scale;
            }
            for (db, &grad) in db.iter_mut().zip(grad) {
                *db += grad;
            }
        }
    }
}
