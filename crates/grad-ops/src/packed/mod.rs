//! Linear layers whose weight is kept in another form than dense numbers.
//!
//! [`PackedWeight`] is what such a form has to offer: it unpacks any part of the matrix.
//! [`packed_linear`] multiplies panel by panel, so that no dense copy of the matrix ever exists.

mod bf16;
mod layer;
mod linear;
mod product;

use std::fmt::Debug;
use std::ops::Range;

use candle_core::{Device, Tensor};
use rayon::prelude::*;

pub use bf16::Bf16Weight;
pub use layer::PackedLinear;
pub(crate) use linear::Sizes;
pub use linear::packed_linear;

use crate::kernel::parallel::PIECE;
use crate::{Error, Parameter, Result};

/// A matrix that is kept in another form than dense numbers, and unpacked part by part.
///
/// It is never trained: a gradient passes through it, none arrives at it.
pub trait PackedWeight: Debug + Send + Sync {
    /// `(out_features, in_features)`.
    fn shape(&self) -> (usize, usize);

    /// Writes the elements of `rows` and `cols` to `out`, row by row without gaps.
    ///
    /// It runs on several threads at once, and for the same rows and columns always gives the same
    /// numbers.
    ///
    /// # Shapes
    /// - `out`: `rows.len() * cols.len()` elements
    ///
    /// # Errors
    /// When the ranges exceed the matrix, or `out` has another length.
    fn unpack(&self, rows: Range<usize>, cols: Range<usize>, out: &mut [f32]) -> Result<()>;

    /// The stored tensors, named as parameters of a layer: `weight` for the one that stands for
    /// the elements of the matrix, `weight.*` for what else is needed to unpack it. The latter
    /// stand for no elements of the model.
    fn parameters(&self) -> Vec<Parameter>;

    /// Writes whole rows to `out`, see [`unpack`](Self::unpack).
    ///
    /// # Errors
    /// When the rows exceed the matrix, or `out` has another length.
    fn unpack_rows(&self, rows: Range<usize>, out: &mut [f32]) -> Result<()> {
        self.unpack(rows, 0..self.shape().1, out)
    }

    /// Bytes that the stored tensors take in memory.
    fn stored_bytes(&self) -> usize {
        self.parameters().iter().map(Parameter::stored_bytes).sum()
    }

    /// The whole matrix as a new dense tensor of `f32`.
    ///
    /// # Shapes
    /// - output: `(out_features, in_features)`
    ///
    /// # Errors
    /// When the tensor library fails.
    fn dense(&self) -> Result<Tensor> {
        let (out, inner) = self.shape();
        let mut all = vec![0.0; out * inner];
        let rows = (PIECE / inner.max(1)).max(1);
        all.par_chunks_mut((rows * inner).max(1)).enumerate().try_for_each(|(index, part)| {
            let start = index * rows;
            self.unpack_rows(start..(start + rows).min(out), part)
        })?;
        Ok(Tensor::from_vec(all, (out, inner), &Device::Cpu)?)
    }
}

/// Checks that `rows` and `cols` lie within a matrix of `shape`, and that `out` has room for
/// exactly these elements. What an implementation of [`PackedWeight::unpack`] calls first.
///
/// # Errors
/// When they do not.
pub fn check_part(
    shape: (usize, usize),
    rows: &Range<usize>,
    cols: &Range<usize>,
    out: &[f32],
) -> Result<()> {
    let within = rows.start <= rows.end
        && rows.end <= shape.0
        && cols.start <= cols.end
        && cols.end <= shape.1;
    if within && out.len() == rows.len() * cols.len() {
        return Ok(());
    }
    Err(Error::Shape {
        op: "unpack",
        what: "the part of the matrix",
        expected: format!("within {shape:?}, of as many elements as the output"),
        got: vec![rows.start, rows.end, cols.start, cols.end, out.len()],
    })
}
