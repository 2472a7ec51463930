//! Total variation of images by split Bregman iterations.

mod wavefront;

use ndarray::parallel::prelude::*;
use ndarray::{Array3, ArrayView3, ArrayViewMut3, Axis};

use crate::denoiser::ensure_usable;
use crate::options::{between, within};
use crate::{Error, Result};
use wavefront::{Wavefront, Weights};

/// Minimises `Σ |∇u| + weight / 2 ‖u - f‖²` with the isotropic norm, for a stack of images.
///
/// The iterations and their order are those of `denoise_tv_bregman` of scikit-image, among them its
/// smooth shrinkage `s d / (s d + 1)`; the images of a stack stop together, when the root mean
/// square of the change over all of them is small.
///
/// # References
/// T. Goldstein, S. Osher, "The Split Bregman Method for L1-Regularized Problems", SIAM J. Imaging
/// Sci. 2(2), 2009.
///
/// # Examples
/// ```
/// use hsi_baselines::SplitBregman;
/// use ndarray::Array3;
///
/// let image = Array3::from_shape_fn((1, 8, 8), |(_, r, c)| ((r + c) % 2) as f32 * 0.2);
/// let smooth = SplitBregman { weight: 5.0, ..SplitBregman::default() }.denoise(image.view())?;
/// assert!(smooth.std(0.0) < 0.5 * image.std(0.0));
/// # Ok::<(), hsi_baselines::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplitBregman {
    /// Weight of the data, between 1e-6 and 1e6: the smaller, the smoother.
    pub weight: f64,
    /// Root mean square of the change at which iterations stop; at least 0.
    pub tolerance: f64,
    /// Most iterations, 1 to 100,000.
    pub max_iterations: usize,
}

impl Default for SplitBregman {
    fn default() -> Self {
        Self { weight: 100.0, tolerance: 1e-3, max_iterations: 100 }
    }
}

impl SplitBregman {
    /// Checks the ranges of all parameters.
    ///
    /// # Errors
    /// [`Error::Range`] names the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        within("split bregman", "weight", self.weight, 1e-6, 1e6)?;
        within("split bregman", "tolerance", self.tolerance, 0.0, f64::MAX)?;
        between("split bregman", "max-iterations", self.max_iterations, 1, 100_000)
    }

    /// Denoises the images of a stack.
    ///
    /// # Shapes
    /// `images` and the result: `[images, rows, cols]`.
    ///
    /// # Errors
    /// [`Error::Range`] as [`validate`](Self::validate), [`Error::Empty`] and [`Error::NonFinite`]
    /// for images that cannot be used, [`Error::Overflow`] if values leave the range of `f32`.
    pub fn denoise(&self, images: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        self.validate()?;
        ensure_usable(images)?;
        let mut result = Array3::zeros(images.dim());
        Smoother::new(*self, images.dim()).run(images, result.view_mut())?;
        Ok(result)
    }
}

/// Room for stacks of one size, so that many can be denoised one after the other.
pub(crate) struct Smoother {
    options: SplitBregman,
    images: Vec<Wavefront>,
}

impl Smoother {
    /// Makes room for stacks `[images, rows, cols]`, none of them 0.
    pub(crate) fn new(options: SplitBregman, dim: (usize, usize, usize)) -> Self {
        let (count, rows, cols) = dim;
        Self { options, images: (0..count).map(|_| Wavefront::new(rows, cols)).collect() }
    }

    /// Denoises a stack of finite images.
    ///
    /// # Errors
    /// [`Error::Overflow`] if values leave the range of f32.
    pub(crate) fn run(
        &mut self,
        noisy: ArrayView3<'_, f32>,
        mut result: ArrayViewMut3<'_, f32>,
    ) -> Result<()> {
        let weights = Weights::new(self.options.weight);
        let pairs = self.images.par_iter_mut().zip(noisy.axis_iter(Axis(0)));
        pairs.for_each(|(image, noisy)| image.load(noisy));
        for _ in 0..self.options.max_iterations {
            let sweeps = self.images.par_iter_mut().map(|image| image.iterate(weights));
            let change: f64 = sweeps.collect::<Vec<_>>().iter().sum();
            if (change / noisy.len() as f64).sqrt() <= self.options.tolerance {
                break;
            }
        }
        let pairs = self.images.par_iter().zip(result.axis_iter_mut(Axis(0)));
        pairs.for_each(|(image, result)| image.store(result));
        ensure_usable(result.view()).map_err(|_| Error::Overflow { method: "split bregman" })
    }
}
