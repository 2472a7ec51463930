//! L1HyMixDe: a subspace that leaves room for what is sparse.

use std::collections::VecDeque;

use ndarray::parallel::prelude::*;
use ndarray::{Array1, Array2, Array3, ArrayView3, Axis, s};

use crate::denoiser::{ensure_usable, finish, reshape};
use crate::fasthyde::{Frame, at_least_one, denoise_images};
use crate::linalg::{apply, gram, symmetric_eigen};
use crate::options::{Method, Setting};
use crate::{AdaptiveMedian, Bm3d, Denoiser, Error, NoiseEstimate, Result};

/// Number of changes whose mean is compared with the last one.
const MEMORY: usize = 5;

/// Separates a cube into a low-rank scene, sparse noise such as impulses and stripes, and normal
/// noise (L1HyMixDe).
///
/// Bands are scaled to [0, 1], outliers are replaced by the [`AdaptiveMedian`] of their
/// neighbours to estimate noise and subspace, and `½ ‖Y - E Z - V‖² + ‖V‖₁` is minimised by the
/// method of multipliers with [`Bm3d`] as the prior of the images `Z` of the subspace.
///
/// # References
/// L. Zhuang, M. Ng, "Hyperspectral Mixed Noise Removal By ℓ1-Norm-Based Subspace Representation",
/// IEEE JSTARS 13, 2020.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct L1HyMixDe {
    /// Dimensions of the subspace, at least 1.
    pub dimension: usize,
    /// Difference from the adaptive median above which a value is an outlier, at least 0, on the
    /// scale of a band.
    pub outlier: f32,
    /// Most iterations, 1 to 1000.
    pub iterations: usize,
    /// Whether each band is scaled to [0, 1] before and back after.
    pub normalise: bool,
    /// Largest window of the adaptive median, odd, at least 3.
    pub window: usize,
    /// How the images of the subspace are denoised.
    pub bm3d: Bm3d,
}

impl Default for L1HyMixDe {
    /// Returns 10 dimensions, outliers of 0.05 and at most 10 iterations.
    fn default() -> Self {
        Self {
            dimension: 10,
            outlier: 0.05,
            iterations: 10,
            normalise: true,
            window: AdaptiveMedian::default().largest,
            bm3d: Bm3d::default(),
        }
    }
}

impl L1HyMixDe {
    /// Checks the ranges of all parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        let method = Self::NAME;
        at_least_one(method, "dimension", self.dimension)?;
        let ensure = |ok: bool, parameter, expected, got: f64| {
            if ok { Ok(()) } else { Err(Error::Parameter { method, parameter, expected, got }) }
        };
        let ok = (1..=1000).contains(&self.iterations);
        ensure(ok, "iterations", "between 1 and 1000", self.iterations as f64)?;
        let ok = (0.0..=1e6).contains(&self.outlier);
        ensure(ok, "outlier", "between 0 and 1e6", f64::from(self.outlier))?;
        AdaptiveMedian { largest: self.window }.validate()?;
        self.bm3d.validate()
    }

    /// Returns the matrix with its outliers replaced by the adaptive median.
    fn clean(&self, matrix: &Array2<f32>, size: (usize, usize)) -> Result<Array2<f32>> {
        let shape = (matrix.nrows(), size.0, size.1);
        let cube = reshape(matrix.view(), shape)?;
        let median = AdaptiveMedian { largest: self.window }.denoise(cube)?;
        let mut cleaned = reshape(median, matrix.dim())?;
        cleaned.zip_mut_with(matrix, |median, &x| {
            if (x - *median).abs() <= self.outlier {
                *median = x;
            }
        });
        Ok(cleaned)
    }
}

impl Method for L1HyMixDe {
    const NAME: &'static str = "l1hymixde";
    const ABOUT: &'static str = "subspace denoised by BM3D beside a sparse part";

    fn settings(&mut self) -> Vec<(&'static str, &mut dyn Setting)> {
        let Self { dimension, outlier, iterations, normalise, window, bm3d } = self;
        let mut settings: Vec<(&'static str, &mut dyn Setting)> = vec![
            ("dimension", dimension),
            ("outlier", outlier),
            ("iterations", iterations),
            ("normalise", normalise),
            ("window", window),
        ];
        settings.extend(bm3d.settings());
        settings
    }

    fn check(&self) -> Result<()> {
        self.validate()
    }
}

impl Denoiser for L1HyMixDe {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn denoise(&self, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        self.validate()?;
        ensure_usable(noisy)?;
        let dim @ (bands, rows, cols) = noisy.dim();
        let (mut matrix, frame) = Frame::apply(noisy, false, self.normalise)?;
        let mut cleaned = self.clean(&matrix, (rows, cols))?;
        let variance = NoiseEstimate::from_pixels(cleaned.view())?.variance;
        let scales = variance.mapv(|v| if v > 0.0 { v.sqrt() } else { 1.0 });
        for mut part in [matrix.view_mut(), cleaned.view_mut()] {
            scale(&mut part, &scales.mapv(|x| 1.0 / x));
        }
        let rank = self.dimension.min(bands);
        let basis =
            symmetric_eigen(gram(cleaned.view()).view())?.vectors.slice_move(s![.., ..rank]);
        let sigma = vec![1.0; rank];

        // The sparse part begins with the outliers.
        let mut sparse = &matrix - &cleaned;
        drop(cleaned);
        let mut dual = Array2::<f32>::zeros(matrix.dim());
        let mut previous = Array2::<f32>::zeros((rank, rows * cols));
        let mut scene = Array2::<f32>::zeros((0, 0));
        let mut changes: VecDeque<f64> = VecDeque::new();
        for iteration in 0..self.iterations {
            // Y - V + D, on the way to its projection.
            let mut target = &matrix - &sparse;
            target += &dual;
            let mut images = apply(basis.t(), target.view())?;
            drop(target);
            denoise_images(&self.bm3d, &mut images, (rows, cols), &sigma)?;
            scene = apply(basis.view(), images.view())?;
            let arrays = sparse.axis_iter_mut(Axis(0)).into_par_iter();
            let arrays = arrays.zip(dual.axis_iter_mut(Axis(0)));
            arrays.zip(matrix.axis_iter(Axis(0))).zip(scene.axis_iter(Axis(0))).for_each(
                |(((mut sparse, mut dual), y), scene)| {
                    for (((v, d), &y), &x) in sparse.iter_mut().zip(&mut dual).zip(y).zip(scene) {
                        let rest = y - x;
                        *v = (rest + *d - 1.0).max(0.0) + (rest + *d + 1.0).min(0.0);
                        *d += rest - *v;
                    }
                },
            );
            let change = relative_change(&images, &previous);
            previous = images;
            changes.push_back(change);
            if changes.len() > MEMORY {
                changes.pop_front();
            }
            let mean = changes.iter().sum::<f64>() / changes.len() as f64;
            if change < 1e-3 || (iteration >= 2 && mean - change < 1e-4) {
                break;
            }
        }
        scale(&mut scene.view_mut(), &scales);
        frame.undo(&mut scene);
        finish(Self::NAME, scene, dim)
    }
}

fn scale(matrix: &mut ndarray::ArrayViewMut2<'_, f32>, factors: &Array1<f64>) {
    matrix
        .axis_iter_mut(Axis(0))
        .into_par_iter()
        .zip(factors.as_slice().unwrap_or_default())
        .for_each(|(mut row, &factor)| row.mapv_inplace(|x| x * factor as f32));
}

/// Returns the norm of a difference, relative to that of the first matrix.
fn relative_change(new: &Array2<f32>, old: &Array2<f32>) -> f64 {
    let (mut difference, mut size) = (0.0, 0.0);
    for (&new, &old) in new.iter().zip(old) {
        difference += f64::from(new - old).powi(2);
        size += f64::from(new).powi(2);
    }
    if size > 0.0 { (difference / size).sqrt() } else { 0.0 }
}
