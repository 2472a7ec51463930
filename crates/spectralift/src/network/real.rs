//! The number types of the network and products of their matrices.

use std::fmt::Debug;
use std::ops::AddAssign;

use gemm::Parallelism;
use num_traits::Float;

/// `f32`, in which the network is trained, and `f64`, in which its gradients are checked.
pub(crate) trait Real: Float + AddAssign + Default + Debug + Send + Sync + 'static {
    /// The nearest number.
    fn of(value: f64) -> Self;
    /// The number in double precision.
    fn wide(self) -> f64;
}

impl Real for f32 {
    #[inline(always)]
    fn of(value: f64) -> Self {
        value as Self
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    #[inline(always)]
    fn of(value: f64) -> Self {
        value
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }
}

/// A matrix in a slice, stored row by row without gaps, or its transpose.
#[derive(Clone, Copy)]
pub(crate) struct Mat<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    strides: (usize, usize),
}

impl<'a, T> Mat<'a, T> {
    /// The first `rows * cols` elements of a slice.
    pub(crate) fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        assert!(rows * cols <= data.len(), "a matrix exceeds its slice");
        Self { data, rows, cols, strides: (cols, 1) }
    }

    /// Rows and columns exchanged.
    pub(crate) fn t(self) -> Self {
        let (strides, data) = ((self.strides.1, self.strides.0), self.data);
        Self { data, rows: self.cols, cols: self.rows, strides }
    }
}

/// Computes `to = a · b`, or adds the product to what is there, on the calling thread.
pub(crate) fn product<T: Real>(to: &mut [T], add: bool, a: Mat<'_, T>, b: Mat<'_, T>) {
    let (rows, cols) = (a.rows, b.cols);
    assert!(a.cols == b.rows && rows * cols <= to.len(), "matrices do not fit");
    // SAFETY: `Mat` and the assertion keep all elements within their slices, `to` is exclusive.
    unsafe {
        gemm::gemm(
            rows,
            cols,
            a.cols,
            to.as_mut_ptr(),
            1,
            cols as isize,
            add,
            a.data.as_ptr(),
            a.strides.1 as isize,
            a.strides.0 as isize,
            b.data.as_ptr(),
            b.strides.1 as isize,
            b.strides.0 as isize,
            T::one(),
            T::one(),
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
