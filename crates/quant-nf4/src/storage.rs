//! Access to the numbers in tensors on the CPU.

use candle_core::{CpuStorage, DType, Device, Storage, Tensor};

use crate::{Error, Result};

/// Numbers of one of the types that can be quantised.
#[derive(Clone, Copy)]
pub(crate) enum Floats<'a> {
    F32(&'a [f32]),
    F16(&'a [half::f16]),
    Bf16(&'a [half::bf16]),
}

impl Floats<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::F32(all) => all.len(),
            Self::F16(all) => all.len(),
            Self::Bf16(all) => all.len(),
        }
    }

    /// Copies the numbers from `start` on to `out`.
    pub(crate) fn read(&self, start: usize, out: &mut [f32]) {
        match self {
            Self::F32(all) => out.copy_from_slice(&all[start..start + out.len()]),
            Self::F16(all) => {
                for (out, x) in out.iter_mut().zip(&all[start..]) {
                    *out = x.to_f32();
                }
            }
            Self::Bf16(all) => {
                for (out, x) in out.iter_mut().zip(&all[start..]) {
                    *out = x.to_f32();
                }
            }
        }
    }
}

/// Calls `f` with the numbers of a tensor in row-major order.
pub(crate) fn with_floats<R>(
    tensor: &Tensor,
    what: &'static str,
    f: impl FnOnce(Floats<'_>) -> R,
) -> Result<R> {
    let tensor = tensor.detach().to_device(&Device::Cpu)?.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    let range = layout.start_offset()..layout.start_offset() + layout.shape().elem_count();
    match &*storage {
        Storage::Cpu(CpuStorage::F32(all)) => Ok(f(Floats::F32(&all[range]))),
        Storage::Cpu(CpuStorage::F16(all)) => Ok(f(Floats::F16(&all[range]))),
        Storage::Cpu(CpuStorage::BF16(all)) => Ok(f(Floats::Bf16(&all[range]))),
        _ => Err(Error::Dtype { what, expected: "f32, f16 or bf16", got: tensor.dtype() }),
    }
}

/// Calls `f` with the elements of a contiguous tensor of `f32` on the CPU.
pub(crate) fn with_f32<R>(
    tensor: &Tensor,
    what: &'static str,
    f: impl FnOnce(&[f32]) -> R,
) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(all)), Some((start, end))) => Ok(f(&all[start..end])),
        _ => Err(Error::Dtype { what, expected: "contiguous f32", got: tensor.dtype() }),
    }
}

/// Calls `f` with the elements of a contiguous tensor of bytes on the CPU.
pub(crate) fn with_bytes<R>(
    tensor: &Tensor,
    what: &'static str,
    f: impl FnOnce(&[u8]) -> R,
) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::U8(all)), Some((start, end))) => Ok(f(&all[start..end])),
        _ => Err(Error::Dtype { what, expected: "contiguous u8", got: tensor.dtype() }),
    }
}

/// A tensor as it is kept: of the given type, contiguous, on the CPU.
pub(crate) fn owned(tensor: &Tensor, what: &'static str, dtype: DType) -> Result<Tensor> {
    if tensor.dtype() != dtype {
        return Err(Error::Dtype { what, expected: dtype.as_str(), got: tensor.dtype() });
    }
    Ok(tensor.detach().to_device(&Device::Cpu)?.contiguous()?)
}
