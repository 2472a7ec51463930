//! The orders in which the numbers of a kernel are kept.
//!
//! The copies go through a small block, because the strides of the usual channel numbers would
//! otherwise map all rows to the same few lines of the cache.

use rayon::prelude::*;

use crate::kernel::Real;
use crate::kernel::parallel::PIECE;
use crate::kernel::simd::vectorized;

/// Channels of the output in a block.
const OUT: usize = 64;
/// Channels of the input in a block.
const INNER: usize = 8;

/// The kernel `(out, inner, 3, 3)` as `(out, 3, 3, inner)`.
pub(super) fn rows<T: Real>(weight: &[T], inner: usize) -> Vec<T> {
    let mut rows = vec![T::zero(); weight.len()];
    rows.par_chunks_mut(9 * inner).zip(weight.par_chunks(9 * inner)).for_each(|(to, from)| {
        for (tap, to) in to.chunks_exact_mut(inner).enumerate() {
            for (to, from) in to.iter_mut().zip(from.as_chunks::<9>().0) {
                *to = from[tap];
            }
        }
    });
    rows
}

/// The kernel `(out, inner, 3, 3)` turned by half a turn as `(inner, 3, 3, out)`.
pub(super) fn turned_rows<T: Real>(weight: &[T], inner: usize) -> Vec<T> {
    let out = weight.len() / (9 * inner);
    let mut rows = vec![T::zero(); weight.len()];
    rows.par_chunks_mut(INNER * 9 * out).enumerate().for_each(|(index, to)| {
        let mut block = [[T::zero(); OUT]; INNER * 9];
        let size = to.len() / out;
        for first in (0..out).step_by(OUT) {
            let count = OUT.min(out - first);
            for channel in 0..count {
                let start = ((first + channel) * inner + index * INNER) * 9;
                for (block, &kernel) in block.iter_mut().zip(&weight[start..start + size]) {
                    block[channel] = kernel;
                }
            }
            for (place, block) in block[..size].iter().enumerate() {
                let (channel, tap) = (place / 9, place % 9);
                let start = (9 * channel + 8 - tap) * out + first;
                to[start..start + count].copy_from_slice(&block[..count]);
            }
        }
    });
    rows
}

/// The sum of terms `(3, 3, inner, out)`, which come row by row of the kernel `stride` apart, as
/// `(out, inner, 3, 3)`. The terms of the first group are overwritten by the sums.
pub(super) fn gather<T: Real>(
    terms: &mut [T],
    stride: usize,
    (out, inner): (usize, usize),
) -> Vec<T> {
    let matrix = 3 * inner * out;
    let (sums, rest) = terms.split_at_mut(3 * stride);
    for (row, sums) in sums.chunks_mut(stride).enumerate() {
        sums[..matrix].par_chunks_mut(PIECE).enumerate().for_each(|(index, sums)| {
            for term in rest.chunks(stride).skip(row).step_by(3) {
                add(sums, &term[index * PIECE..]);
            }
        });
    }

    let mut weight = vec![T::zero(); 3 * matrix];
    weight.par_chunks_mut(OUT * 9 * inner).enumerate().for_each(|(index, to)| {
        let count = to.len() / (9 * inner);
        for channel in 0..inner {
            let mut block = [[T::zero(); 9]; OUT];
            for tap in 0..9 {
                let start = tap / 3 * stride + (tap % 3 * inner + channel) * out + index * OUT;
                for (block, &sum) in block.iter_mut().zip(&sums[start..start + count]) {
                    block[tap] = sum;
                }
            }
            for (to, block) in to.chunks_exact_mut(9 * inner).zip(&block) {
                to[9 * channel..9 * channel + 9].copy_from_slice(block);
            }
        }
    });
    weight
}

vectorized! {
    fn add<T>(sums: &mut [T], terms: &[T]) {
        for (sum, &term) in sums.iter_mut().zip(terms) {
            *sum += term;
        }
    }
}
