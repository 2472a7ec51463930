//! A tensor of 4-bit codes.

use std::ops::Range;

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use crate::codes::Codes;
use crate::encode::encode;
use crate::scales::{Scales, View};
use crate::simd::vectorized;
use crate::storage::{Floats, with_bytes, with_floats};
use crate::{Error, QuantConfig, QuantReport, Result};

/// Elements that one thread dequantises at a time.
const PIECE: usize = 1 << 14;

/// A tensor whose elements are kept as 4-bit codes, with a scale for each block of them.
///
/// The elements lie in row-major order; blocks know nothing of rows. An element is the number that
/// its code stands for times the scale of its block, computed in `f32`.
///
/// Quantising gives the bytes that `bitsandbytes.functional.quantize_4bit` 0.50.2 gives on the CPU:
///
/// * Elements are divided by the largest magnitude of their block and rounded to the nearest
///   number of the type; half-way between two, to the lower. A full block is multiplied by the
///   inverse of the scale, a last block that is not full is divided by the scale.
/// * Elements of a block of zeros, or of numbers below 1e-38, are divided by 1e-38. The scale
///   that is stored is the largest magnitude, in a last block that is not full at least 1e-38.
/// * In FP4, which has two codes of zero, what rounds to zero from above takes code 8.
/// * With double quantisation the mean of the scales is taken off, and the rest rounded by a table
///   of 65536 numbers. The mean is that of PyTorch on one thread; from 32768 blocks on PyTorch's
///   own mean depends in its last bit on the number of threads.
///
/// Other than there, NaN and infinities are refused, and so are scales whose sum overflows.
#[derive(Debug, Clone)]
pub struct QuantizedTensor {
    codes: Tensor,
    scales: Scales,
    config: QuantConfig,
    shape: Vec<usize>,
    dtype: DType,
}

impl QuantizedTensor {
    /// Quantises a tensor.
    ///
    /// # Shapes
    /// - `tensor`: any with at least one element
    ///
    /// # Errors
    /// When the tensor is empty or not `f32`, `f16` or `bf16`, has an element that is NaN or
    /// infinite, or the block size is not one of the format; with double quantisation, when the sum
    /// of the scales overflows.
    pub fn quantize(tensor: &Tensor, config: &QuantConfig) -> Result<Self> {
        with_floats(tensor, "the tensor", |xs| {
            Self::encode(xs, tensor.dims(), tensor.dtype(), config)
        })?
    }

    /// Quantises numbers in row-major order.
    ///
    /// # Errors
    /// As [`quantize`](Self::quantize), and when there are not as many as the shape says.
    pub fn quantize_slice(xs: &[f32], shape: &[usize], config: &QuantConfig) -> Result<Self> {
        Self::encode(Floats::F32(xs), shape, DType::F32, config)
    }

    fn encode(xs: Floats<'_>, shape: &[usize], dtype: DType, config: &QuantConfig) -> Result<Self> {
        config.validate()?;
        let elements = elements(shape)?;
        if elements != xs.len() {
            return Err(Error::Length { what: "the input", expected: elements, got: xs.len() });
        }
        let (codes, scales) = encode(xs, config.quant_type, config.block_size)?;
        let scales =
            if config.double_quant { Scales::nested(scales) } else { Scales::plain(scales) }?;
        let bytes = codes.len();
        let codes = Tensor::from_vec(codes, (bytes, 1), &Device::Cpu)?;
        Ok(Self { codes, scales, config: *config, shape: shape.to_vec(), dtype })
    }

    /// Puts a tensor together again; the parts have been checked.
    pub(crate) fn from_parts(
        codes: Tensor,
        scales: Scales,
        config: QuantConfig,
        shape: Vec<usize>,
        dtype: DType,
    ) -> Self {
        Self { codes, scales, config, shape, dtype }
    }

    /// The tensor that the codes stand for, in the number type of the original.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn dequantize(&self) -> Result<Tensor> {
        let mut all = vec![0.0; self.elements()];
        self.with(|codes, scales| {
            all.par_chunks_mut(PIECE).enumerate().for_each(|(index, out)| {
                let start = index * PIECE;
                self.write(codes, scales, start..start + out.len(), out);
            });
        })?;
        let all = Tensor::from_vec(all, self.shape.as_slice(), &Device::Cpu)?;
        Ok(all.to_dtype(self.dtype)?)
    }

    /// Writes the elements of a range in row-major order, on the calling thread.
    ///
    /// # Errors
    /// When the range exceeds the tensor, or `out` has another length.
    pub fn dequantize_range(&self, range: Range<usize>, out: &mut [f32]) -> Result<()> {
        if range.start > range.end || range.end > self.elements() {
            let (expected, got) = (self.elements(), range.end);
            return Err(Error::Length { what: "a tensor to read from", expected, got });
        }
        if out.len() != range.len() {
            let (expected, got) = (range.len(), out.len());
            return Err(Error::Length { what: "the output", expected, got });
        }
        self.with(|codes, scales| self.write(codes, scales, range, out))
    }

    /// Writes some columns of some rows of a matrix, which both must lie within.
    pub(crate) fn write_part(
        &self,
        rows: Range<usize>,
        cols: Range<usize>,
        out: &mut [f32],
    ) -> Result<()> {
        let Some(&width) = self.shape.last() else { return Ok(()) };
        self.with(|codes, scales| {
            if cols.len() == width {
                self.write(codes, scales, rows.start * width..rows.end * width, out);
            } else if !cols.is_empty() {
                for (row, out) in rows.zip(out.chunks_exact_mut(cols.len())) {
                    let range = row * width + cols.start..row * width + cols.end;
                    self.write(codes, scales, range, out);
                }
            }
        })
    }

    fn with<R>(&self, f: impl FnOnce(&[u8], View<'_>) -> R) -> Result<R> {
        with_bytes(&self.codes, "the codes", |codes| self.scales.with(|scales| f(codes, scales)))?
    }

    fn write(&self, codes: &[u8], scales: View<'_>, range: Range<usize>, out: &mut [f32]) {
        let table = Codes::of(self.config.quant_type);
        decode(table, codes, scales, self.config.block_size, range, out);
    }

    /// How far the tensor lies from the original.
    ///
    /// # Shapes
    /// - `original`: the shape of this tensor
    ///
    /// # Errors
    /// When the original has another shape or is not `f32`, `f16` or `bf16`.
    pub fn report(&self, original: &Tensor) -> Result<QuantReport> {
        if original.dims() != self.shape {
            return Err(Error::Shape {
                what: "the original",
                expected: format!("{:?}", self.shape),
                got: original.dims().to_vec(),
            });
        }
        with_floats(original, "the original", |xs| {
            self.with(|codes, scales| {
                QuantReport::new(xs, self.bits_per_weight(), |range, out| {
                    self.write(codes, scales, range, out);
                })
            })
        })?
    }

    /// The settings it was quantised with.
    pub fn config(&self) -> &QuantConfig {
        &self.config
    }

    /// The dimensions of the tensor that the codes stand for.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The number type of the original.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// How many elements the codes stand for.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// The packed codes, `(bytes, 1)`.
    pub fn codes(&self) -> &Tensor {
        &self.codes
    }

    pub(crate) fn scales(&self) -> &Scales {
        &self.scales
    }

    /// The stored tensors but the codes, under the keys of the format.
    pub fn statistics(&self) -> Vec<(&'static str, &Tensor)> {
        match &self.scales {
            Scales::Plain(scales) => vec![("absmax", scales)],
            Scales::Nested { codes, absmax, .. } => {
                vec![("absmax", codes), ("nested_absmax", absmax)]
            }
        }
    }

    /// Bytes that codes and scales take in memory. Tables, which all tensors share, do not count.
    pub fn stored_bytes(&self) -> usize {
        let bytes = |tensor: &Tensor| tensor.elem_count() * tensor.dtype().size_in_bytes();
        let offset = if self.config.double_quant { size_of::<f32>() } else { 0 };
        let statistics: usize = self.statistics().into_iter().map(|(_, x)| bytes(x)).sum();
        bytes(&self.codes) + statistics + offset
    }

    /// Stored bits for each element.
    pub fn bits_per_weight(&self) -> f64 {
        8.0 * self.stored_bytes() as f64 / self.elements() as f64
    }
}

/// The number of elements of a shape, which must not be zero.
pub(crate) fn elements(shape: &[usize]) -> Result<usize> {
    let count = shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
    match count {
        Some(0) => Err(Error::Empty { shape: shape.to_vec() }),
        Some(count) => Ok(count),
        None => Err(Error::Shape {
            what: "the tensor",
            expected: "a countable number of elements".to_owned(),
            got: shape.to_vec(),
        }),
    }
}

vectorized! {
    /// Writes the numbers of a range of elements, block by block.
    fn decode(
        table: &Codes,
        packed: &[u8],
        scales: View<'_>,
        block_size: usize,
        range: Range<usize>,
        out: &mut [f32],
    ) {
        let (mut start, mut out) = (range.start, out);
        while start < range.end {
            let block = start / block_size;
            let end = ((block + 1) * block_size).min(range.end);
            let (part, rest) = out.split_at_mut(end - start);
            table.unpack(packed, start..end, scales.of(block), part);
            (start, out) = (end, rest);
        }
    }
}
