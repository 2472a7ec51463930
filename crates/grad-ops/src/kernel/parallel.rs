//! Loops over large slices on the threads of the pool, in pieces of a fixed size.

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use super::Real;

/// Elements in a piece: a part of the first-level cache.
pub(crate) const PIECE: usize = 1 << 12;

/// A vector whose pieces of `size` elements are filled by `fill`, which gets the index of a piece
/// and the piece, all zeros.
///
/// The zeros are written piece by piece, while the piece is in the cache.
pub(crate) fn build<T: Real>(
    len: usize,
    size: usize,
    fill: impl Fn(usize, &mut [T]) + Sync,
) -> Vec<T> {
    let mut all = Vec::with_capacity(len);
    let spare = &mut all.spare_capacity_mut()[..len];
    spare.par_chunks_mut(size.max(1)).enumerate().for_each(|(index, piece)| {
        fill(index, zeroed(piece));
    });
    // SAFETY: the pieces cover the first `len` elements, and `zeroed` has written all of them.
    unsafe { all.set_len(len) };
    all
}

/// As [`build`], with `side` more zeros for each piece, in which `fill` collects sums. Returns the
/// vector and the sums over the pieces.
pub(crate) fn build_with_sums<T: Real>(
    len: usize,
    size: usize,
    side: usize,
    fill: impl Fn(usize, &mut [T], &mut [T]) + Sync,
) -> (Vec<T>, Vec<T>) {
    if side == 0 {
        return (build(len, size, |index, piece| fill(index, piece, &mut [])), Vec::new());
    }
    let mut all = Vec::with_capacity(len);
    let spare = &mut all.spare_capacity_mut()[..len];
    let size = size.max(1);
    let mut sums = vec![T::zero(); len.div_ceil(size) * side];
    spare
        .par_chunks_mut(size)
        .zip(sums.par_chunks_mut(side))
        .enumerate()
        .for_each(|(index, (piece, sums))| fill(index, zeroed(piece), sums));
    // SAFETY: as in `build`.
    unsafe { all.set_len(len) };
    (all, add_up(&sums, side))
}

/// Sums of vectors of `len` elements that lie one after the other, in that order.
pub(crate) fn add_up<T: Real>(terms: &[T], len: usize) -> Vec<T> {
    let (first, rest) = terms.split_at(len.min(terms.len()));
    let mut sums = first.to_vec();
    sums.par_chunks_mut(PIECE).enumerate().for_each(|(index, sums)| {
        for term in rest.chunks_exact(len) {
            for (sum, &term) in sums.iter_mut().zip(&term[index * PIECE..]) {
                *sum += term;
            }
        }
    });
    sums
}

/// The sum of `f` over ranges of a fixed size that cover `0..len`, added in order.
pub(crate) fn sum(len: usize, f: impl Fn(Range<usize>) -> f64 + Sync) -> f64 {
    let ranges = (0..len.div_ceil(PIECE)).into_par_iter();
    let terms: Vec<f64> =
        ranges.map(|index| f(index * PIECE..((index + 1) * PIECE).min(len))).collect();
    terms.into_iter().sum()
}

fn zeroed<T: Real>(piece: &mut [MaybeUninit<T>]) -> &mut [T] {
    for element in piece.iter_mut() {
        element.write(T::zero());
    }
    // SAFETY: all elements have just been written, and `MaybeUninit` has the layout of its content.
    unsafe { &mut *(std::ptr::from_mut(piece) as *mut [T]) }
}
