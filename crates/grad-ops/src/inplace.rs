//! Sums, scalings and norms of gradients, in place.

use candle_core::{Tensor, Var};
use rayon::prelude::*;

use crate::kernel::Real;
use crate::kernel::parallel::{PIECE, sum};
use crate::kernel::rows;
use crate::kernel::simd::vectorized;
use crate::kernel::storage::{Reader, dispatch, same_storage, write};
use crate::{Error, Result, check};

/// Adds `src` to `dst` in place.
///
/// # Shapes
/// - `dst`, `src`: any, the same
///
/// # Errors
/// When the shapes or number types differ, or `src` shares the memory of `dst`.
pub fn accumulate(dst: &Var, src: &Tensor) -> Result<()> {
    const OP: &str = "accumulate";
    check::dims(OP, "the source", src, dst.dims())?;
    if !check::on_cpu(OP, &[dst, src])? {
        return Ok(dst.set(&(dst.as_detached_tensor() + src.detach())?)?);
    }
    if same_storage(dst, src) {
        return Err(Error::Aliased { op: OP, what: "the source" });
    }
    let src = src.detach().contiguous()?;
    dispatch!(OP, dst.dtype(), T => {
        let reader = Reader::new(&src);
        let src = reader.slice::<T>()?;
        Ok(write::<T, _>(dst, |dst| {
            let pieces = dst.par_chunks_mut(PIECE).zip(src.par_chunks(PIECE));
            pieces.for_each(|(dst, src)| add(dst, src));
        })?)
    })
}

/// Multiplies `dst` by `factor` in place.
///
/// # Errors
/// When there is no kernel for the number type.
pub fn scale_in_place(dst: &Var, factor: f64) -> Result<()> {
    const OP: &str = "scale_in_place";
    if !check::on_cpu(OP, &[dst])? {
        return Ok(dst.set(&(dst.as_detached_tensor() * factor)?)?);
    }
    dispatch!(OP, dst.dtype(), T => {
        Ok(write::<T, _>(dst, |dst| {
            dst.par_chunks_mut(PIECE).for_each(|dst| scale(dst, T::of(factor)));
        })?)
    })
}

/// Returns the Euclidean norm of all elements of all tensors together, 0 for none.
///
/// # Errors
/// When there is no kernel for a number type.
pub fn global_norm(grads: &[Tensor]) -> Result<f64> {
    const OP: &str = "global_norm";
    let mut total = 0.0;
    for grad in grads {
        let grad = grad.detach();
        total += if check::on_cpu(OP, &[&grad])? {
            let grad = grad.contiguous()?;
            let reader = Reader::new(&grad);
            dispatch!(OP, grad.dtype(), T => {
                let grad = reader.slice::<T>()?;
                Ok::<_, Error>(sum(grad.len(), |range| squares(&grad[range])))
            })?
        } else {
            let squares = grad.to_dtype(candle_core::DType::F32)?.sqr()?.sum_all()?;
            f64::from(squares.to_scalar::<f32>()?)
        };
    }
    Ok(total.sqrt())
}

vectorized! {
    fn add<T>(dst: &mut [T], src: &[T]) {
        for (dst, &src) in dst.iter_mut().zip(src) {
            *dst += src;
        }
    }

    fn scale<T>(dst: &mut [T], factor: T) {
        for dst in dst {
            *dst *= factor;
        }
    }

    fn squares<T>(xs: &[T]) -> f64 {
        rows::sum(xs, |x| x * x).wide()
    }
}
