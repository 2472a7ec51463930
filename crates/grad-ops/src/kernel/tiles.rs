//! A matrix cut into tiles that several threads fill.

use std::marker::PhantomData;
use std::ops::Range;

use super::Real;
use super::gemm::{Mat, extent, raw_product};

/// Some rows and columns of a matrix that is borrowed mutably; no two tiles overlap.
pub(crate) struct Tile<'a, T> {
    first: *mut T,
    stride: usize,
    rows: Range<usize>,
    cols: Range<usize>,
    matrix: PhantomData<&'a mut [T]>,
}

// SAFETY: a tile is used like a mutable slice: it alone reaches its elements.
unsafe impl<T: Send> Send for Tile<'_, T> {}

impl<T: Real> Tile<'_, T> {
    /// Which rows of the matrix these are.
    pub(crate) fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// Which columns of the matrix these are.
    pub(crate) fn cols(&self) -> Range<usize> {
        self.cols.clone()
    }

    /// Computes `a · b` on the calling thread, overwriting what is there or adding to it.
    pub(crate) fn product(&mut self, add: bool, a: Mat<'_, T>, b: Mat<'_, T>) {
        let fits = a.rows() == self.rows.len() && b.cols() == self.cols.len();
        assert!(fits && a.cols() == b.rows(), "matrices do not fit");
        // SAFETY: by `tiles` the rows and columns lie within the matrix and in no other tile.
        unsafe { raw_product(self.first, self.stride, add, T::one(), a, b) };
    }
}

/// Cuts a matrix, whose rows lie `stride` apart, into tiles of at most `size` rows and columns.
pub(crate) fn tiles<T>(
    data: &mut [T],
    stride: usize,
    (rows, cols): (usize, usize),
    size: (usize, usize),
) -> Vec<Tile<'_, T>> {
    assert!(cols <= stride && extent(rows, cols, (stride, 1)) <= data.len(), "beyond the slice");
    let first = data.as_mut_ptr();
    let mut tiles = Vec::new();
    for row in (0..rows).step_by(size.0) {
        for col in (0..cols).step_by(size.1) {
            let rows = row..(row + size.0).min(rows);
            let cols = col..(col + size.1).min(cols);
            // SAFETY: row and column lie within the matrix.
            let first = unsafe { first.add(row * stride + col) };
            tiles.push(Tile { first, stride, rows, cols, matrix: PhantomData });
        }
    }
    tiles
}
