//! The few dense decompositions that the closed forms need.

use faer::{Mat, Side};
use ndarray::{Array1, Array2, ArrayView2};

use crate::{Error, Result};

/// Eigenvalues, ascending, and eigenvectors, as columns, of a symmetric matrix.
pub(crate) fn eigen(matrix: ArrayView2<'_, f64>) -> Result<(Array1<f64>, Array2<f64>)> {
    let n = matrix.nrows();
    let failed = || Error::NotFinite { what: "a covariance", count: n };
    if matrix.iter().any(|v| !v.is_finite()) {
        return Err(failed());
    }
    let dense = Mat::from_fn(n, n, |i, j| matrix[[i, j]]);
    let found = dense.self_adjoint_eigen(Side::Lower).map_err(|_| failed())?;
    let values = found.S().column_vector();
    let vectors = found.U();
    Ok((
        Array1::from_shape_fn(n, |i| values[i]),
        Array2::from_shape_fn((n, n), |(i, j)| vectors[(i, j)]),
    ))
}
