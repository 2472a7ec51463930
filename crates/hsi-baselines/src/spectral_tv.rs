//! Flattening of spectra that keeps their steps.

use ndarray::parallel::prelude::*;
use ndarray::{Array2, ArrayView2, Axis};

use crate::options::Setting;
use crate::shrink::soft;
use crate::{Error, Result};

/// Pixels that are handled at once; their arrays stay in the second cache.
const BLOCK: usize = 64;

/// Minimises `‖H - X‖₁ + λ ‖D X‖₁` spectrum by spectrum, where `D` takes differences of
/// neighbouring bands, by the split Bregman method.
///
/// # References
/// T. Goldstein, S. Osher, "The Split Bregman Method for L1-Regularized Problems", SIAM Journal on
/// Imaging Sciences 2(2), 2009, for the iteration; its use is that of [`HyMiNoR`](crate::HyMiNoR).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpectralTv {
    /// Weight of the differences, at least 0.
    pub lambda: f64,
    /// Weight of the constraint on the fit, above 0.
    pub mu_fit: f64,
    /// Weight of the constraint on the differences, above 0.
    pub mu_difference: f64,
    /// Number of iterations.
    pub iterations: usize,
}

impl Default for SpectralTv {
    /// Returns a weight of 10 and 50 iterations with both constraints weighing 0.5.
    fn default() -> Self {
        Self { lambda: 10.0, mu_fit: 0.5, mu_difference: 0.5, iterations: 50 }
    }
}

impl SpectralTv {
    const METHOD: &'static str = "spectral total variation";

    /// Returns every parameter with its key.
    pub(crate) fn settings(&mut self) -> Vec<(&'static str, &mut dyn Setting)> {
        vec![
            ("lambda", &mut self.lambda),
            ("mu_fit", &mut self.mu_fit),
            ("mu_difference", &mut self.mu_difference),
            ("iterations", &mut self.iterations),
        ]
    }

    /// Checks the ranges of all parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        let method = Self::METHOD;
        let ensure = |ok: bool, parameter, expected, got: f64| {
            if ok { Ok(()) } else { Err(Error::Parameter { method, parameter, expected, got }) }
        };
        let range = "between 0 and 1e6";
        ensure((0.0..=1e6).contains(&self.lambda), "lambda", range, self.lambda)?;
        let range = "between 1e-6 and 1e6";
        ensure((1e-6..=1e6).contains(&self.mu_fit), "mu_fit", range, self.mu_fit)?;
        let got = self.mu_difference;
        ensure((1e-6..=1e6).contains(&got), "mu_difference", range, got)?;
        let got = self.iterations;
        ensure(got <= 100_000, "iterations", "at most 100000", got as f64)
    }

    /// Flattens the spectra of a matrix.
    ///
    /// # Shapes
    /// `matrix` and the result: `[bands, pixels]`.
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub fn apply(&self, matrix: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        self.validate()?;
        let mut result = Array2::zeros(matrix.dim());
        if matrix.is_empty() {
            return Ok(result);
        }
        let solver = Tridiagonal::new(matrix.nrows(), self.mu_fit, self.mu_difference);
        let blocks = matrix.axis_chunks_iter(Axis(1), BLOCK).into_par_iter();
        blocks.zip(result.axis_chunks_iter_mut(Axis(1), BLOCK)).for_each(|(from, mut to)| {
            let width = from.ncols();
            let from: Vec<f32> = from.iter().copied().collect();
            let flat = self.block(&from, width, &solver);
            to.iter_mut().zip(flat).for_each(|(to, x)| *to = x);
        });
        Ok(result)
    }

    /// Flattens a few spectra; values stand band by band.
    fn block(&self, h: &[f32], width: usize, solver: &Tridiagonal) -> Vec<f32> {
        let (mu1, mu2) = (self.mu_fit as f32, self.mu_difference as f32);
        let (shrink1, shrink2) = (1.0 / mu1, self.lambda as f32 / mu2);
        let inner = h.len() - width;
        let mut x = vec![0.0_f32; h.len()];
        // Per value: V1 and L1; per difference: V2 and L2.
        let (mut v1, mut l1) = (vec![0.0_f32; h.len()], vec![0.0_f32; h.len()]);
        let (mut v2, mut l2) = (vec![0.0_f32; inner], vec![0.0_f32; inner]);
        for _ in 0..self.iterations {
            for i in 0..h.len() {
                x[i] = -mu1 * (v1[i] - h[i] - l1[i]);
            }
            for i in 0..inner {
                let term = mu2 * (v2[i] - l2[i]);
                x[i] -= term;
                x[i + width] += term;
            }
            solver.solve(&mut x, width);
            for i in 0..h.len() {
                let rest = h[i] - x[i];
                v1[i] = soft(rest + l1[i], shrink1);
                l1[i] += rest - v1[i];
            }
            for i in 0..inner {
                let step = x[i + width] - x[i];
                v2[i] = soft(step + l2[i], shrink2);
                l2[i] += step - v2[i];
            }
        }
        x
    }
}

/// The factors of `μ₁ I + μ₂ Dᵀ D`, which is tridiagonal and positive definite.
struct Tridiagonal {
    /// One over the diagonal of the factor.
    inverse: Vec<f32>,
    /// What a row takes over from the one before, and the one before from the row.
    below: Vec<f32>,
}

impl Tridiagonal {
    fn new(size: usize, mu1: f64, mu2: f64) -> Self {
        let (mut inverse, mut below) = (Vec::new(), Vec::new());
        let mut last = 0.0; // below · mu2 of the row before
        for i in 0..size {
            let ends = usize::from(i > 0) + usize::from(i + 1 < size);
            let pivot = mu1 + mu2 * ends as f64 - last;
            inverse.push((1.0 / pivot) as f32);
            below.push((mu2 / pivot) as f32);
            last = mu2 * mu2 / pivot;
        }
        Self { inverse, below }
    }

    /// Solves for `width` right-hand sides, whose values stand row by row.
    fn solve(&self, x: &mut [f32], width: usize) {
        let size = self.inverse.len();
        for i in 1..size {
            let (before, here) = x.split_at_mut(i * width);
            let before = &before[(i - 1) * width..];
            let factor = self.below[i - 1];
            here[..width].iter_mut().zip(before).for_each(|(x, b)| *x += factor * b);
        }
        for i in (0..size).rev() {
            let (here, after) = x.split_at_mut((i + 1) * width);
            let here = &mut here[i * width..];
            let (inverse, factor) = (self.inverse[i], self.below[i]);
            if after.is_empty() {
                for x in here {
                    *x *= inverse;
                }
            } else {
                here.iter_mut().zip(after.iter()).for_each(|(x, a)| *x = *x * inverse + factor * a);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_solver_solves() {
        for size in [1_usize, 2, 3, 17] {
            let (mu1, mu2) = (0.5, 0.7);
            let right: Vec<f32> = (0..2 * size).map(|i| (i as f32 * 0.7).sin()).collect();
            let mut x = right.clone();
            Tridiagonal::new(size, mu1, mu2).solve(&mut x, 2);
            for i in 0..size {
                for k in 0..2 {
                    let at = |j: usize| f64::from(x[2 * j + k]);
                    let mut product = mu1 * at(i);
                    if i > 0 {
                        product += mu2 * (at(i) - at(i - 1));
                    }
                    if i + 1 < size {
                        product += mu2 * (at(i) - at(i + 1));
                    }
                    assert!((product - f64::from(right[2 * i + k])).abs() < 1e-5, "{size} {i}");
                }
            }
        }
    }
}
