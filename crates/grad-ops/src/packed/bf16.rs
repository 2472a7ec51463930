//! A matrix in half the memory.

use std::ops::Range;

use candle_core::{CpuStorage, DType, Storage, Tensor};

use super::{PackedWeight, check_part};
use crate::{Error, Parameter, Result, check};

const OP: &str = "Bf16Weight";

/// A matrix stored as `bf16`.
#[derive(Debug, Clone)]
pub struct Bf16Weight {
    weight: Tensor,
}

impl Bf16Weight {
    /// Rounds a matrix to `bf16` (to nearest, ties to even), unless it is of that type already.
    ///
    /// # Shapes
    /// - `weight`: `(out_features, in_features)`, neither of them zero
    ///
    /// # Errors
    /// When the tensor is not such a matrix.
    pub fn new(weight: &Tensor) -> Result<Self> {
        if weight.rank() != 2 || weight.elem_count() == 0 {
            let expected = "(out_features, in_features), none zero";
            return Err(check::shape_error(OP, "the weight", expected, weight));
        }
        Ok(Self { weight: weight.detach().to_dtype(DType::BF16)?.contiguous()? })
    }

    /// The stored matrix.
    pub fn tensor(&self) -> &Tensor {
        &self.weight
    }
}

impl PackedWeight for Bf16Weight {
    fn shape(&self) -> (usize, usize) {
        let dims = self.weight.dims();
        (dims[0], dims[1])
    }

    fn unpack(&self, rows: Range<usize>, cols: Range<usize>, out: &mut [f32]) -> Result<()> {
        let shape = self.shape();
        check_part(shape, &rows, &cols, out)?;
        if out.is_empty() {
            return Ok(());
        }
        let (storage, layout) = self.weight.storage_and_layout();
        let Storage::Cpu(CpuStorage::BF16(all)) = &*storage else {
            return Err(Error::Dtype { op: OP, dtype: self.weight.dtype() });
        };
        let start = layout.start_offset();
        for (row, out) in rows.zip(out.chunks_exact_mut(cols.len())) {
            let first = start + row * shape.1 + cols.start;
            for (out, x) in out.iter_mut().zip(&all[first..first + cols.len()]) {
                *out = f32::from_bits(u32::from(x.to_bits()) << 16);
            }
        }
        Ok(())
    }

    fn parameters(&self) -> Vec<Parameter> {
        vec![Parameter::dense("weight", &self.weight)]
    }
}
