//! Checks of arguments, with errors that name them.

use candle_core::{DType, Tensor};

use crate::{Error, Result};

/// The error for a tensor of another shape.
pub(crate) fn shape_error(
    op: &'static str,
    what: &'static str,
    expected: impl Into<String>,
    got: &Tensor,
) -> Error {
    Error::Shape { op, what, expected: expected.into(), got: got.dims().to_vec() }
}

/// Checks that `tensor` has exactly these dimensions.
pub(crate) fn dims(
    op: &'static str,
    what: &'static str,
    tensor: &Tensor,
    expected: &[usize],
) -> Result<()> {
    if tensor.dims() == expected {
        Ok(())
    } else {
        Err(shape_error(op, what, format!("{expected:?}"), tensor))
    }
}

/// The four dimensions of a batch of feature maps, none of them zero.
pub(crate) fn maps(op: &'static str, tensor: &Tensor) -> Result<[usize; 4]> {
    match *tensor.dims() {
        [b, c, h, w] if b * c * h * w > 0 => Ok([b, c, h, w]),
        _ => {
            Err(shape_error(op, "the input", "(batch, channels, height, width), none zero", tensor))
        }
    }
}

/// The size of the last dimension and the number of rows, neither of them zero.
pub(crate) fn rows(op: &'static str, tensor: &Tensor) -> Result<(usize, usize)> {
    match tensor.dims().last() {
        Some(&last) if tensor.elem_count() > 0 => Ok((tensor.elem_count() / last, last)),
        _ => Err(shape_error(op, "the input", "at least one dimension, none zero", tensor)),
    }
}

/// As [`on_cpu`], for an operation of an input, a weight and perhaps a bias.
pub(crate) fn affine_on_cpu(
    op: &'static str,
    xs: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
) -> Result<bool> {
    match bias {
        Some(bias) => on_cpu(op, &[xs, weight, bias]),
        None => on_cpu(op, &[xs, weight]),
    }
}

/// Checks that all tensors have the number type of the first and, on the CPU, that there is a
/// kernel for it. Returns whether the kernels of this crate apply.
pub(crate) fn on_cpu(op: &'static str, tensors: &[&Tensor]) -> Result<bool> {
    let Some(first) = tensors.first() else {
        return Ok(false);
    };
    let dtype = first.dtype();
    for tensor in tensors {
        if tensor.dtype() != dtype {
            return Err(Error::Dtype { op, dtype: tensor.dtype() });
        }
    }
    let cpu = tensors.iter().all(|tensor| tensor.device().is_cpu());
    if cpu && !matches!(dtype, DType::F32 | DType::F64) {
        return Err(Error::Dtype { op, dtype });
    }
    Ok(cpu)
}
