//! Total variation of images by split Bregman iterations.

use ndarray::{Array3, ArrayView3};
use rayon::prelude::*;

use crate::denoiser::ensure_usable;
use crate::options::{between, within};
use crate::{Error, Result};

/// Images that are worked on side by side, one a lane of a vector register.
const LANES: usize = 8;

type Lanes = [f32; LANES];

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
    /// for images that cannot be used.
    pub fn denoise(&self, images: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        self.validate()?;
        ensure_usable(images)?;
        let (count, rows, cols) = images.dim();
        let mut stacks: Vec<Stack> = (0..count)
            .step_by(LANES)
            .map(|first| Stack::new(images, first, self.weight as f32))
            .collect();
        for _ in 0..self.max_iterations {
            let changes: Vec<f64> = stacks.par_iter_mut().map(Stack::iterate).collect();
            let change: f64 = changes.iter().sum();
            if (change / (count * rows * cols) as f64).sqrt() <= self.tolerance {
                break;
            }
        }
        let mut result = Array3::zeros((count, rows, cols));
        for (index, stack) in stacks.iter().enumerate() {
            stack.write(result.view_mut(), index * LANES);
        }
        if ensure_usable(result.view()).is_err() {
            return Err(Error::Overflow { method: "split bregman" });
        }
        Ok(result)
    }
}

/// The state of a few images.
struct Stack {
    rows: usize,
    cols: usize,
    /// Weight of the differences, twice that of the data.
    lambda: f32,
    weight: f32,
    data: Vec<Lanes>,
    /// The estimate with a border of one pixel, which never changes: mirrored without the edge at
    /// the top and left, the edge repeated at the bottom and right.
    u: Vec<Lanes>,
    /// Differences along rows (x) and columns (y) less their multipliers (Bregman variables), and
    /// the multipliers, with a border of zeros at the top and left.
    dx: Vec<Lanes>,
    dy: Vec<Lanes>,
    bx: Vec<Lanes>,
    by: Vec<Lanes>,
}

impl Stack {
    /// Takes up to [`LANES`] images from the `first` on; spare lanes are zero.
    fn new(images: ArrayView3<'_, f32>, first: usize, weight: f32) -> Self {
        let (count, rows, cols) = images.dim();
        let pixel = |row: usize, col: usize| {
            let mut lanes = [0.0; LANES];
            for (lane, value) in lanes.iter_mut().enumerate().take(count - first) {
                *value = images[[first + lane, row, col]];
            }
            lanes
        };
        let mut data = Vec::with_capacity(rows * cols);
        for row in 0..rows {
            data.extend((0..cols).map(|col| pixel(row, col)));
        }
        let width = cols + 2;
        let mut u = vec![[0.0; LANES]; (rows + 2) * width];
        for row in 0..rows {
            let line = (row + 1) * width;
            for col in 0..cols {
                u[line + col + 1] = data[row * cols + col];
            }
            u[line] = data[row * cols + 1.min(cols - 1)];
            u[line + cols + 1] = data[row * cols + cols - 1];
        }
        for col in 0..cols {
            u[col + 1] = data[1.min(rows - 1) * cols + col];
            u[(rows + 1) * width + col + 1] = data[(rows - 1) * cols + col];
        }
        let zeros = || vec![[0.0; LANES]; (rows + 1) * (cols + 1)];
        let (dx, dy, bx, by) = (zeros(), zeros(), zeros(), zeros());
        Self { rows, cols, lambda: 2.0 * weight, weight, data, u, dx, dy, bx, by }
    }

    /// Visits every pixel once, row by row, and returns the sum of squared changes.
    fn iterate(&mut self) -> f64 {
        let (lambda, weight) = (self.lambda, self.weight);
        let norm = weight + 4.0 * lambda;
        let (width, inner) = (self.cols + 2, self.cols + 1);
        let mut total = 0.0;
        for row in 0..self.rows {
            let mut changes = [0.0; LANES];
            for col in 0..self.cols {
                let at = (row + 1) * width + col + 1;
                // In the arrays with a border at the top and left only.
                let here = (row + 1) * inner + col + 1;
                let (left, above) = (here - 1, here - inner);
                let f = &self.data[row * self.cols + col];
                let (now, east, west) = (self.u[at], self.u[at + 1], self.u[at - 1]);
                let (south, north) = (self.u[at + width], self.u[at - width]);
                let (dx_left, dy_above) = (self.dx[left], self.dy[above]);
                let (bx_left, by_above) = (self.bx[left], self.by[above]);
                let (dx, dy) = (&mut self.dx[here], &mut self.dy[here]);
                let (bx, by) = (&mut self.bx[here], &mut self.by[here]);
                let u = &mut self.u[at];
                for k in 0..LANES {
                    let (ux, uy) = (east[k] - now[k], south[k] - now[k]);
                    let sum = south[k] + north[k] + east[k] + west[k] + dx_left[k] - dx[k]
                        + dy_above[k]
                        - dy[k]
                        - bx_left[k]
                        + bx[k]
                        - by_above[k]
                        + by[k];
                    u[k] = (lambda * sum + weight * f[k]) / norm;
                    let change = u[k] - now[k];
                    changes[k] += change * change;
                    let (tx, ty) = (ux + bx[k], uy + by[k]);
                    let shrunk = lambda * (tx * tx + ty * ty).sqrt();
                    let factor = shrunk / (shrunk + 1.0);
                    dx[k] = factor * tx;
                    dy[k] = factor * ty;
                    bx[k] += ux - dx[k];
                    by[k] += uy - dy[k];
                }
            }
            total += changes.iter().map(|&change: &f32| f64::from(change)).sum::<f64>();
        }
        total
    }

    /// Writes the images to their places in a stack.
    fn write(&self, mut images: ndarray::ArrayViewMut3<'_, f32>, first: usize) {
        let count = images.dim().0;
        for row in 0..self.rows {
            for col in 0..self.cols {
                let lanes = &self.u[(row + 1) * (self.cols + 2) + col + 1];
                for (lane, &value) in lanes.iter().enumerate().take(count - first) {
                    images[[first + lane, row, col]] = value;
                }
            }
        }
    }
}
