//! Matrix products of strided matrices, on one thread or on all of the pool.
//!
//! How a product is cut into pieces depends on its shape only, and the pieces of a sum are added
//! in a fixed order: the result does not depend on the number of threads.

use std::ops::Range;

use gemm::Parallelism;
use rayon::prelude::*;

use super::Real;
use super::tiles::tiles;

/// A matrix in a slice: element `(i, j)` lies at `i * strides.0 + j * strides.1`.
#[derive(Clone, Copy)]
pub(crate) struct Mat<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    strides: (usize, usize),
}

impl<'a, T> Mat<'a, T> {
    /// A matrix with any strides. All its elements must lie in the slice.
    pub(crate) fn strided(
        data: &'a [T],
        (rows, cols): (usize, usize),
        strides: (usize, usize),
    ) -> Self {
        assert!(extent(rows, cols, strides) <= data.len(), "a matrix exceeds its slice");
        Self { data, rows, cols, strides }
    }

    /// A matrix stored row by row without gaps.
    pub(crate) fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        Self::strided(data, (rows, cols), (cols, 1))
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn cols(&self) -> usize {
        self.cols
    }

    /// The same elements with rows and columns exchanged.
    pub(crate) fn t(self) -> Self {
        Self {
            data: self.data,
            rows: self.cols,
            cols: self.rows,
            strides: (self.strides.1, self.strides.0),
        }
    }

    /// Some rows and columns of the matrix.
    pub(crate) fn part(self, rows: Range<usize>, cols: Range<usize>) -> Self {
        let start = rows.start * self.strides.0 + cols.start * self.strides.1;
        let data = self.data.get(start..).unwrap_or_default();
        Self::strided(data, (rows.len(), cols.len()), self.strides)
    }
}

/// Number of elements from the first to the last of a matrix.
pub(super) fn extent(rows: usize, cols: usize, strides: (usize, usize)) -> usize {
    if rows == 0 || cols == 0 { 0 } else { (rows - 1) * strides.0 + (cols - 1) * strides.1 + 1 }
}

/// Where a product goes: the rows lie `stride` apart, the elements of a row side by side.
pub(crate) struct Target<'a, T> {
    data: &'a mut [T],
    stride: usize,
    add: bool,
}

impl<'a, T> Target<'a, T> {
    /// Overwrites what is there, which may be anything.
    pub(crate) fn set(data: &'a mut [T], stride: usize) -> Self {
        Self { data, stride, add: false }
    }

    /// Adds to what is there.
    pub(crate) fn add(data: &'a mut [T], stride: usize) -> Self {
        Self { data, stride, add: true }
    }
}

/// Computes `scale · a · b` on the calling thread.
pub(crate) fn product<T: Real>(to: Target<'_, T>, scale: T, a: Mat<'_, T>, b: Mat<'_, T>) {
    assert!(a.cols == b.rows && b.cols <= to.stride, "matrices do not fit");
    assert!(extent(a.rows, b.cols, (to.stride, 1)) <= to.data.len(), "a product exceeds its slice");
    // SAFETY: by the assertions here and those in `Mat` everything lies within the slices.
    unsafe { raw_product(to.data.as_mut_ptr(), to.stride, to.add, scale, a, b) };
}

/// # Safety
/// `to` must be valid for writing `a.rows` rows of `b.cols` elements at distance `stride` (for
/// reading also, if `add` is set), with nobody else using those elements.
pub(super) unsafe fn raw_product<T: Real>(
    to: *mut T,
    stride: usize,
    add: bool,
    scale: T,
    a: Mat<'_, T>,
    b: Mat<'_, T>,
) {
    // SAFETY: the matrices lie within their slices by construction, the rest is the caller's.
    unsafe {
        gemm::gemm(
            a.rows,
            b.cols,
            a.cols,
            to,
            1,
            stride as isize,
            add,
            a.data.as_ptr(),
            a.strides.1 as isize,
            a.strides.0 as isize,
            b.data.as_ptr(),
            b.strides.1 as isize,
            b.strides.0 as isize,
            T::one(),
            scale,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// Computes `a · b` on the threads of the pool.
pub(crate) fn parallel_product<T: Real>(to: Target<'_, T>, a: Mat<'_, T>, b: Mat<'_, T>) {
    assert!(a.cols == b.rows && b.cols <= to.stride, "matrices do not fit");
    assert!(extent(a.rows, b.cols, (to.stride, 1)) <= to.data.len(), "a product exceeds its slice");
    let plan = Plan::new(a.rows, b.cols, a.cols);
    if plan.terms > 1 {
        return split_sum(to, a, b, &plan);
    }
    let add = to.add;
    tiles(to.data, to.stride, (a.rows, b.cols), plan.tile).into_par_iter().for_each(|mut tile| {
        let (a, b) = (a.part(tile.rows(), 0..a.cols), b.part(0..b.rows, tile.cols()));
        tile.product(add, a, b);
    });
}

/// A product with few elements of long sums: the sums are cut, too.
fn split_sum<T: Real>(to: Target<'_, T>, a: Mat<'_, T>, b: Mat<'_, T>, plan: &Plan) {
    let (rows, cols) = (a.rows, b.cols);
    let step = a.cols.div_ceil(plan.terms);
    let mut terms = vec![T::zero(); plan.terms * rows * cols];
    terms.par_chunks_mut(rows * cols).enumerate().for_each(|(index, term)| {
        let range = (index * step).min(a.cols)..((index + 1) * step).min(a.cols);
        let (a, b) = (a.part(0..rows, range.clone()), b.part(range, 0..cols));
        product(Target::set(term, cols), T::one(), a, b);
    });
    let last = (rows - 1) * to.stride + cols;
    let target = to.data.get_mut(..last).unwrap_or_default();
    target.par_chunks_mut(to.stride).enumerate().for_each(|(row, target)| {
        let target = target.get_mut(..cols).unwrap_or_default();
        for (index, term) in terms.chunks_exact(rows * cols).enumerate() {
            let term = term.get(row * cols..).unwrap_or_default();
            for (sum, &term) in target.iter_mut().zip(term) {
                *sum = if index == 0 && !to.add { term } else { *sum + term };
            }
        }
    });
}

/// How a product is cut.
struct Plan {
    tile: (usize, usize),
    terms: usize,
}

impl Plan {
    /// About this many pieces are made of a large product.
    const PIECES: usize = 16;
    /// Multiplications that are worth a piece of their own.
    const WORK: usize = 1 << 19;

    fn new(rows: usize, cols: usize, depth: usize) -> Self {
        let wanted = (rows * cols * depth / Self::WORK).clamp(1, Self::PIECES);
        let (mut down, mut across) = (1, 1);
        while down * across < wanted {
            let (height, width) = (rows.div_ceil(down), cols.div_ceil(across));
            if width > 256 || (width > 64 && width * 2 > height) {
                across *= 2;
            } else if height > 64 {
                down *= 2;
            } else {
                break;
            }
        }
        let tile = (
            rows.div_ceil(down).next_multiple_of(8).max(1),
            cols.div_ceil(across).next_multiple_of(16).max(1),
        );
        let terms = (wanted / (down * across)).clamp(1, (depth / 256).max(1));
        // Cutting the sums replaces the tiles: their partial results are whole products.
        let terms = if terms > 1 { wanted.clamp(1, (depth / 256).max(1)) } else { 1 };
        Self { tile, terms }
    }
}

#[cfg(test)]
mod tests {
    use super::{Mat, Target, parallel_product};

    #[test]
    fn products_are_right_however_they_are_cut() {
        for (rows, cols, depth) in
            [(1, 1, 1), (3, 5, 7), (130, 70, 300), (9, 11, 9000), (700, 40, 65)]
        {
            let a: Vec<f64> = (0..rows * depth).map(|i| ((i * 37) % 19) as f64 - 9.0).collect();
            let b: Vec<f64> = (0..depth * cols).map(|i| ((i * 53) % 23) as f64 - 11.0).collect();
            let stride = cols + 3;
            let mut got = vec![1.0; rows * stride];
            let right = Mat::new(&b, depth, cols);
            parallel_product(Target::add(&mut got, stride), Mat::new(&a, rows, depth), right);
            for i in 0..rows {
                for j in 0..stride {
                    let sum: f64 =
                        (0..depth).map(|l| a[i * depth + l] * b[(l * cols + j) % b.len()]).sum();
                    let expected = if j < cols { 1.0 + sum } else { 1.0 };
                    assert_eq!(got[i * stride + j], expected, "{rows} {cols} {depth} at {i} {j}");
                }
            }
        }
    }
}
