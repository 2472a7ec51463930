//! The mean squared error.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, Layout, Shape, Tensor, WithDType};

use crate::kernel::Real;
use crate::kernel::parallel::{PIECE, build, sum};
use crate::kernel::rows;
use crate::kernel::simd::vectorized;
use crate::kernel::storage::{Reader, dispatch, slice, tensor};
use crate::{Result, check, composed};

const OP: &str = "mse_loss";

/// Returns the mean of `(xs - target)²` over all elements.
///
/// # Shapes
/// - `xs`, `target`: any, the same
/// - output: a scalar
///
/// # Errors
/// When the shapes differ or are empty, or there is no kernel for the number type.
pub fn mse_loss(xs: &Tensor, target: &Tensor) -> Result<Tensor> {
    check::dims(OP, "the target", target, xs.dims())?;
    if xs.elem_count() == 0 {
        return Err(check::shape_error(OP, "the input", "at least one element", xs));
    }
    if check::on_cpu(OP, &[xs, target])? {
        Ok(xs.contiguous()?.apply_op2(&target.contiguous()?, Mse)?)
    } else {
        composed::mse_loss(xs, target)
    }
}

struct Mse;

impl CustomOp2 for Mse {
    fn name(&self) -> &'static str {
        OP
    }

    fn cpu_fwd(
        &self,
        xs: &CpuStorage,
        layout: &Layout,
        target: &CpuStorage,
        target_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        dispatch!(OP, xs.dtype(), T => {
            let (xs, target) = (slice::<T>(xs, layout)?, slice::<T>(target, target_layout)?);
            let total = sum(xs.len(), |range| squared_distance(&xs[range.clone()], &target[range]));
            let mean = T::of(total / xs.len() as f64);
            Ok((T::to_cpu_storage_owned(vec![mean]), Shape::from(())))
        })
    }

    fn bwd(
        &self,
        xs: &Tensor,
        target: &Tensor,
        _loss: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        dispatch!(OP, grad.dtype(), T => {
            let factor = T::of(2.0 * grad.to_scalar::<T>()?.wide() / xs.elem_count() as f64);
            let (left, right) = (Reader::new(xs), Reader::new(target));
            let (left, right) = (left.slice::<T>()?, right.slice::<T>()?);
            let slope = |factor: T| {
                let slope = build(left.len(), PIECE, |index, out| {
                    let start = index * PIECE;
                    difference(&left[start..], &right[start..], factor, out);
                });
                tensor(slope, xs.shape())
            };
            Ok((
                xs.track_op().then(|| slope(factor)).transpose()?,
                target.track_op().then(|| slope(-factor)).transpose()?,
            ))
        })
    }
}

vectorized! {
    fn squared_distance<T>(xs: &[T], target: &[T]) -> f64 {
        rows::sum_pairs(xs, target, |x, target| (x - target) * (x - target)).wide()
    }

    fn difference<T>(xs: &[T], target: &[T], factor: T, out: &mut [T]) {
        for ((out, &x), &target) in out.iter_mut().zip(xs).zip(target) {
            *out = (x - target) * factor;
        }
    }
}
