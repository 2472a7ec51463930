//! Least squares with coefficients that cannot be negative.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use crate::{Error, Result};

/// A gradient below this part of the largest is zero.
const TOLERANCE: f64 = 1e-10;

/// The `x >= 0` that makes `x' A x - 2 b' x` smallest, for a positive semidefinite `A`: with
/// `A = M'M` and `b = M'y` the non-negative least squares solution of `M x = y`.
///
/// # Shapes
/// - `gram`: `[n, n]`, symmetric; `moment`: `[n]`; output: `[n]`
///
/// # Errors
/// [`Error::Shape`] if they do not fit, [`Error::NotFinite`].
///
/// # References
/// - R. Bro, S. de Jong, "A fast non-negativity-constrained least squares algorithm", Journal of
///   Chemometrics 11, 1997.
pub fn nonnegative_least_squares(
    gram: ArrayView2<'_, f64>,
    moment: ArrayView1<'_, f64>,
) -> Result<Array1<f64>> {
    let n = moment.len();
    if gram.dim() != (n, n) {
        return Err(Error::Shape {
            what: "the Gram matrix",
            expected: format!("{n} x {n}"),
            got: gram.shape().to_vec(),
        });
    }
    let count = gram.iter().chain(moment).filter(|v| !v.is_finite()).count();
    if count > 0 {
        return Err(Error::NotFinite { what: "the normal equations", count });
    }
    let mut x = Array1::<f64>::zeros(n);
    let mut passive: Vec<usize> = Vec::new();
    // Columns that rounding brought in for nothing, until the next step.
    let mut barred: Vec<usize> = Vec::new();
    let scale = moment.iter().fold(0.0f64, |top, b| top.max(b.abs()));
    // Each step makes the objective smaller, so no set comes back; the bound is for rounding.
    for _ in 0..20 * n {
        let gradient = &moment - &gram.dot(&x);
        let free = (0..n).filter(|i| !passive.contains(i) && !barred.contains(i));
        let steepest = free.max_by(|&i, &j| gradient[i].total_cmp(&gradient[j]));
        let Some(next) = steepest.filter(|&i| gradient[i] > TOLERANCE * scale) else { break };
        passive.push(next);
        let enters = |solution: &Vec<f64>| solution.last().is_some_and(|&last| last > 0.0);
        let Some(mut solution) = solve(&gram, &moment, &passive).filter(enters) else {
            passive.pop();
            barred.push(next);
            continue;
        };
        barred.clear();
        loop {
            // Go towards the solution until the first coefficient is zero.
            let ends = passive.iter().zip(&solution).filter(|&(_, &s)| s <= 0.0);
            let step = ends.map(|(&i, &s)| x[i] / (x[i] - s)).fold(1.0, f64::min);
            for (&i, &s) in passive.iter().zip(&solution) {
                x[i] += step * (s - x[i]);
            }
            if step >= 1.0 {
                break;
            }
            let smallest = TOLERANCE * x.iter().fold(0.0f64, |top, &v| top.max(v));
            passive.retain(|&i| x[i] > smallest);
            (0..n).filter(|i| !passive.contains(i)).for_each(|i| x[i] = 0.0);
            match solve(&gram, &moment, &passive) {
                Some(next) => solution = next,
                None => break,
            }
        }
    }
    Ok(x)
}

/// Solves the normal equations of some of the columns by Cholesky's decomposition; `None` if they
/// depend on each other or there are none.
fn solve(
    gram: &ArrayView2<'_, f64>,
    moment: &ArrayView1<'_, f64>,
    columns: &[usize],
) -> Option<Vec<f64>> {
    let n = columns.len();
    if n == 0 {
        return None;
    }
    let mut lower = Array2::<f64>::zeros((n, n));
    for i in 0..n {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| lower[[i, k]] * lower[[j, k]]).sum();
            let rest = gram[[columns[i], columns[j]]] - dot;
            if i > j {
                lower[[i, j]] = rest / lower[[j, j]];
            } else if rest > 1e-13 * gram[[columns[i], columns[i]]] {
                lower[[i, i]] = rest.sqrt();
            } else {
                return None;
            }
        }
    }
    let mut x: Vec<f64> = columns.iter().map(|&i| moment[i]).collect();
    for i in 0..n {
        let dot: f64 = (0..i).map(|k| lower[[i, k]] * x[k]).sum();
        x[i] = (x[i] - dot) / lower[[i, i]];
    }
    for i in (0..n).rev() {
        let dot: f64 = (i + 1..n).map(|k| lower[[k, i]] * x[k]).sum();
        x[i] = (x[i] - dot) / lower[[i, i]];
    }
    Some(x)
}
