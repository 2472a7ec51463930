//! Eigenvectors and inverses of symmetric matrices.

use faer::Side;
use faer::linalg::solvers::{DenseSolveCore, Llt, SelfAdjointEigen};
use ndarray::{Array1, Array2, ArrayView2};

use super::{from_faer, with_faer};
use crate::{Error, Result};

/// Eigenvalues in descending order and their eigenvectors.
#[derive(Debug, Clone, PartialEq)]
pub struct SymmetricEigen {
    /// Eigenvalues, the largest first.
    pub values: Array1<f64>,
    /// Eigenvectors as columns, of unit length, each of arbitrary sign.
    pub vectors: Array2<f64>,
}

/// Returns the eigenvalues and eigenvectors of a symmetric matrix; its lower triangle is read.
///
/// # Errors
/// [`Error::Shape`] for a matrix that is not square, [`Error::Decomposition`] if the iteration does
/// not converge, as for values that are not finite.
pub fn symmetric_eigen(matrix: ArrayView2<'_, f64>) -> Result<SymmetricEigen> {
    let size = ensure_square(matrix)?;
    if size == 0 {
        return Ok(SymmetricEigen { values: Array1::zeros(0), vectors: Array2::zeros((0, 0)) });
    }
    let failed = Error::Decomposition { what: "eigenvectors", size };
    if !matrix.iter().all(|x| x.is_finite()) {
        return Err(failed);
    }
    let eigen = with_faer(matrix, |matrix| SelfAdjointEigen::new(matrix, Side::Lower));
    let eigen = eigen.map_err(|_| failed)?;
    let last = size - 1;
    let values = eigen.S().column_vector();
    let vectors = eigen.U();
    Ok(SymmetricEigen {
        values: Array1::from_shape_fn(size, |i| values[last - i]),
        vectors: Array2::from_shape_fn((size, size), |(i, j)| vectors[(i, last - j)]),
    })
}

/// Returns the inverse of a positive semi-definite matrix with `ridge` added to its diagonal.
///
/// # Errors
/// [`Error::Shape`] for a matrix that is not square, [`Error::Decomposition`] if the sum is not
/// positive definite in f64.
pub fn regularised_inverse(matrix: ArrayView2<'_, f64>, ridge: f64) -> Result<Array2<f64>> {
    let size = ensure_square(matrix)?;
    let mut sum = matrix.to_owned();
    sum.diag_mut().iter_mut().for_each(|x| *x += ridge);
    let inverse = with_faer(sum.view(), |sum| {
        Llt::new(sum, Side::Lower).map(|factor| from_faer(factor.inverse().as_ref()))
    });
    inverse
        .ok()
        .filter(|inverse| inverse.iter().all(|x| x.is_finite()))
        .ok_or(Error::Decomposition { what: "the inverse", size })
}

fn ensure_square(matrix: ArrayView2<'_, f64>) -> Result<usize> {
    let (rows, cols) = matrix.dim();
    if rows != cols {
        return Err(Error::Shape { expected: vec![rows, rows], got: vec![rows, cols] });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positive(size: usize) -> Array2<f64> {
        let root = Array2::from_shape_fn((size, size), |(i, j)| {
            ((i * 7 + j * 13) % 11) as f64 - 5.0 + if i == j { 9.0 } else { 0.0 }
        });
        root.dot(&root.t())
    }

    fn largest_difference(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
        (a - b).iter().fold(0.0, |max, x| x.abs().max(max))
    }

    #[test]
    fn eigenvectors_rebuild_the_matrix_in_descending_order() {
        for size in [0, 1, 2, 9, 60] {
            let matrix = positive(size);
            let eigen = symmetric_eigen(matrix.view()).expect("converges");
            assert!(eigen.values.windows(2).into_iter().all(|pair| pair[0] >= pair[1]));
            let rebuilt = (&eigen.vectors * &eigen.values).dot(&eigen.vectors.t());
            assert!(largest_difference(&rebuilt, &matrix) < 1e-9 * (1.0 + eigen.values.sum()));
            let product = eigen.vectors.t().dot(&eigen.vectors);
            assert!(largest_difference(&product, &Array2::eye(size)) < 1e-12);
        }
    }

    #[test]
    fn the_inverse_inverts_what_the_ridge_makes_regular() {
        let matrix = positive(9);
        let inverse = regularised_inverse(matrix.view(), 0.0).expect("positive definite");
        assert!(largest_difference(&inverse.dot(&matrix), &Array2::eye(9)) < 1e-9);
        let flat = Array2::from_elem((3, 3), 1.0);
        assert!(regularised_inverse(flat.view(), 0.0).is_err());
        let inverse = regularised_inverse(flat.view(), 0.5).expect("regular");
        let product = inverse.dot(&(flat + 0.5 * Array2::<f64>::eye(3)));
        assert!(largest_difference(&product, &Array2::eye(3)) < 1e-12);
    }

    #[test]
    fn matrices_without_a_decomposition_are_errors() {
        let nan = Array2::from_elem((2, 2), f64::NAN);
        assert!(matches!(symmetric_eigen(nan.view()), Err(Error::Decomposition { size: 2, .. })));
        assert!(matches!(regularised_inverse(nan.view(), 1.0), Err(Error::Decomposition { .. })));
        let oblong = Array2::zeros((2, 3));
        assert!(matches!(symmetric_eigen(oblong.view()), Err(Error::Shape { .. })));
        assert!(matches!(regularised_inverse(oblong.view(), 1.0), Err(Error::Shape { .. })));
    }
}
