//! Linear algebra of cubes: few bands, many pixels.
//!
//! A cube is seen as a matrix of bands x pixels. What has bands on both sides is small and kept in
//! f64; what has pixels on one side stays in f32 and is walked through in blocks, so that no f64
//! copy of a cube arises. Work is cut by shape: the number of threads changes no bit.

mod blocks;
mod cross;
mod eigen;
mod gram;
mod svd;

pub use blocks::{apply, apply_in_place, apply_into};
pub use cross::cross;
pub use eigen::{SymmetricEigen, regularised_inverse, symmetric_eigen};
pub use gram::gram;
pub use svd::{ThinSvd, TruncatedSvd, procrustes, thin_svd, truncated_svd};

use faer::MatRef;
use ndarray::{Array2, ArrayView2};

/// Pixels that are handled at once: with some hundred bands they fit into the second cache.
const BLOCK: usize = 512;

/// Replaces the content of `to` by a block, row by row.
fn pack<T: From<f32>>(block: ArrayView2<'_, f32>, to: &mut Vec<T>) {
    to.clear();
    for row in block.rows() {
        match row.to_slice() {
            Some(values) => to.extend(values.iter().map(|&x| T::from(x))),
            None => to.extend(row.iter().map(|&x| T::from(x))),
        }
    }
}

/// Runs `f` on the matrix as faer sees it.
fn with_faer<R>(matrix: ArrayView2<'_, f64>, f: impl FnOnce(MatRef<'_, f64>) -> R) -> R {
    let (rows, cols) = matrix.dim();
    let matrix = matrix.as_standard_layout();
    f(MatRef::from_row_major_slice(matrix.as_slice().unwrap_or_default(), rows, cols))
}

/// Copies a matrix of faer.
fn from_faer(matrix: MatRef<'_, f64>) -> Array2<f64> {
    Array2::from_shape_fn((matrix.nrows(), matrix.ncols()), |(i, j)| matrix[(i, j)])
}
