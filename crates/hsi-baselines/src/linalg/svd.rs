//! Singular vectors and the orthogonal matrix nearest to a given one.

use faer::linalg::solvers::Svd;
use ndarray::{Array2, ArrayView2, Axis, s};

use super::{apply, from_faer, gram, symmetric_eigen, with_faer};
use crate::{Error, Result};

/// A thin decomposition `U diag(s) Vᵀ` of a small matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct ThinSvd {
    /// Left singular vectors as columns.
    pub u: Array2<f64>,
    /// Singular values, the largest first.
    pub s: Vec<f64>,
    /// Right singular vectors as columns.
    pub v: Array2<f64>,
}

/// Returns the thin singular value decomposition of a small matrix.
///
/// # Shapes
/// `matrix`: `[m, n]`; `u`: `[m, k]`, `v`: `[n, k]` with `k = min(m, n)`.
///
/// # Errors
/// [`Error::Decomposition`] if the iteration does not converge, as for values that are not finite.
pub fn thin_svd(matrix: ArrayView2<'_, f64>) -> Result<ThinSvd> {
    let (rows, cols) = matrix.dim();
    let size = rows.min(cols);
    if size == 0 {
        let (u, v) = (Array2::zeros((rows, 0)), Array2::zeros((cols, 0)));
        return Ok(ThinSvd { u, s: Vec::new(), v });
    }
    let failed = Error::Decomposition { what: "singular vectors", size };
    if !matrix.iter().all(|x| x.is_finite()) {
        return Err(failed);
    }
    let svd = with_faer(matrix, Svd::new_thin).map_err(|_| failed)?;
    let s = svd.S().column_vector();
    let s = (0..size).map(|i| s[i]).collect();
    Ok(ThinSvd { u: from_faer(svd.U()), s, v: from_faer(svd.V()) })
}

/// The leading part of a decomposition `Y = U diag(s) Vᵀ` of a bands x pixels matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct TruncatedSvd {
    /// Spectra `U`, one a column: `[bands, rank]`.
    pub spectra: Array2<f64>,
    /// Singular values, the largest first.
    pub s: Vec<f64>,
    /// Images `diag(s) Vᵀ`: `[rank, pixels]`.
    pub images: Array2<f32>,
}

/// Returns the `rank` leading singular triples of a bands x pixels matrix.
///
/// The spectra are eigenvectors of `Y Yᵀ`, which is summed in f64: vectors whose singular value is
/// below about 1e-7 of the largest are not resolved. `rank` above the number of bands is cut to it.
///
/// # Errors
/// [`Error::Decomposition`] for values that are not finite.
pub fn truncated_svd(matrix: ArrayView2<'_, f32>, rank: usize) -> Result<TruncatedSvd> {
    let eigen = symmetric_eigen(gram(matrix).view())?;
    let rank = rank.min(matrix.nrows());
    let spectra = eigen.vectors.slice(s![.., ..rank]).to_owned();
    let s = eigen.values.iter().take(rank).map(|x| x.max(0.0).sqrt()).collect();
    let images = apply(spectra.t(), matrix)?;
    Ok(TruncatedSvd { spectra, s, images })
}

/// Returns the matrix with orthonormal columns nearest to a given one, `C Gᵀ` of its thin
/// decomposition `C Σ Gᵀ`: the solution of the orthogonal Procrustes problem.
///
/// # Shapes
/// `matrix` and the result: `[m, n]` with `m >= n`.
///
/// # Errors
/// [`Error::Shape`] for more columns than rows, [`Error::Decomposition`] for values that are not
/// finite.
pub fn procrustes(matrix: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
    let (rows, cols) = matrix.dim();
    if cols > rows {
        return Err(Error::Shape { expected: vec![rows, rows], got: vec![rows, cols] });
    }
    let svd = thin_svd(matrix)?;
    debug_assert_eq!(svd.u.len_of(Axis(1)), cols);
    Ok(svd.u.dot(&svd.v.t()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(rows: usize, cols: usize) -> Array2<f64> {
        Array2::from_shape_fn((rows, cols), |(i, j)| ((i * i + 5 * j + i * j) % 13) as f64 - 6.0)
    }

    fn largest(a: &Array2<f64>) -> f64 {
        a.iter().fold(0.0, |max, x| x.abs().max(max))
    }

    #[test]
    fn the_thin_decomposition_rebuilds_the_matrix() {
        for (rows, cols) in [(7, 3), (3, 7), (1, 1), (4, 0)] {
            let matrix = example(rows, cols);
            let svd = thin_svd(matrix.view()).expect("converges");
            let s = ndarray::aview1(&svd.s);
            assert!(largest(&((&svd.u * &s).dot(&svd.v.t()) - &matrix)) < 1e-12);
            assert!(svd.s.is_sorted_by(|a, b| a >= b));
        }
        assert!(thin_svd(Array2::from_elem((2, 2), f64::INFINITY).view()).is_err());
    }

    #[test]
    fn the_truncated_decomposition_is_the_best_of_its_rank() {
        let matrix = example(9, 40);
        let svd = thin_svd(matrix.view()).expect("converges");
        let narrow = matrix.mapv(|x| x as f32);
        for rank in [1, 3, 9, 20] {
            let truncated = truncated_svd(narrow.view(), rank).expect("converges");
            let rank = rank.min(9);
            let rebuilt = truncated.spectra.dot(&truncated.images.mapv(f64::from));
            let error = (&rebuilt - &matrix).mapv(|x| x * x).sum();
            let best: f64 = svd.s[rank..].iter().map(|s| s * s).sum();
            assert!((error - best).abs() < 1e-4 * (1.0 + best), "{rank}: {error} and {best}");
            assert_eq!(truncated.s.len(), rank);
        }
    }

    #[test]
    fn the_procrustes_solution_is_orthogonal_and_best() {
        let matrix = example(8, 3);
        let nearest = procrustes(matrix.view()).expect("converges");
        assert!(largest(&(nearest.t().dot(&nearest) - Array2::<f64>::eye(3))) < 1e-12);
        // trace(Qᵀ M) is largest at the solution, where it is the sum of singular values.
        let svd = thin_svd(matrix.view()).expect("converges");
        let trace = nearest.t().dot(&matrix).diag().sum();
        assert!((trace - svd.s.iter().sum::<f64>()).abs() < 1e-9);
        assert!(procrustes(example(3, 8).view()).is_err());
    }
}
