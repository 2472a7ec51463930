//! Sums, scalings and norms of gradients, in place.

use candle_core::{Tensor, Var};

use crate::{Result, check};

/// Adds `src` to `dst` in place.
///
/// # Shapes
/// - `dst`, `src`: any, the same
///
/// # Errors
/// When the shapes or number types differ.
pub fn accumulate(dst: &Var, src: &Tensor) -> Result<()> {
    const OP: &str = "accumulate";
    check::dims(OP, "the source", src, dst.dims())?;
    check::on_cpu(OP, &[dst, src])?;
    Ok(dst.set(&(dst.detach() + src.detach())?)?)
}

/// Multiplies `dst` by `factor` in place.
///
/// # Errors
/// When there is no kernel for the number type.
pub fn scale_in_place(dst: &Var, factor: f64) -> Result<()> {
    check::on_cpu("scale_in_place", &[dst])?;
    Ok(dst.set(&(dst.detach() * factor)?)?)
}

/// Returns the Euclidean norm of all elements of all tensors together, 0 for none.
///
/// # Errors
/// When there is no kernel for a number type.
pub fn global_norm(grads: &[Tensor]) -> Result<f64> {
    let mut sum = 0.0;
    for grad in grads {
        check::on_cpu("global_norm", &[grad])?;
        let squares = grad.detach().sqr()?.sum_all()?;
        sum += squares
            .to_dtype(candle_core::DType::F64)?
            .to_scalar::<f64>()?;
    }
    Ok(sum.sqrt())
}
