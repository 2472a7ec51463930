//! Values that are missing, found from the subspace of those that are there.

use ndarray::parallel::prelude::*;
use ndarray::{Array1, Array2, Array3, ArrayView1, ArrayView2, ArrayView3, Axis};

use super::{FastHyDe, Frame, with_spatial_noise};
use crate::linalg::{apply, regularised_inverse};
use crate::options::{Method, Setting};
use crate::{Denoiser, Error, NoiseEstimate, Result};

/// Denoises a cube and fills in missing values: [`FastHyDe`] that uses the pixels it has
/// (FastHyIn).
///
/// Noise and subspace are those of the pixels that miss no band. A pixel that misses some has the
/// coordinates in the subspace that fit its values best; one with fewer values than the subspace
/// has dimensions takes the mean of its neighbours'.
///
/// As a [`Denoiser`] it takes NaN for a missing value.
///
/// # Examples
/// ```
/// use hsi_baselines::{Denoiser, FastHyIn};
/// use ndarray::Array3;
///
/// let mut cube = Array3::from_shape_fn((8, 12, 12), |(b, r, c)| (b * r + c) as f32 * 0.01);
/// cube[[3, 5, 5]] = f32::NAN;
/// let filled = FastHyIn::default().denoise(cube.view())?;
/// assert!((filled[[3, 5, 5]] - 0.2).abs() < 0.02);
/// # Ok::<(), hsi_baselines::Error>(())
/// ```
///
/// # References
/// As [`FastHyDe`].
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FastHyIn {
    /// The parameters, those of FastHyDe.
    pub options: FastHyDe,
}

impl FastHyIn {
    /// Checks the ranges of all parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        self.options.validate()
    }

    /// Returns an estimate of all values from those that `valid` marks.
    ///
    /// # Shapes
    /// `noisy`, `valid` and the result: `[bands, rows, cols]`.
    ///
    /// # Errors
    /// [`Error::Shape`] where the two differ, [`Error::NonFinite`] for a marked value that is not
    /// finite, [`Error::NoCompletePixel`] if every pixel misses a band.
    pub fn inpaint(
        &self,
        noisy: ArrayView3<'_, f32>,
        valid: ArrayView3<'_, bool>,
    ) -> Result<Array3<f32>> {
        if noisy.dim() != valid.dim() {
            let (expected, got) = (noisy.shape().to_vec(), valid.shape().to_vec());
            return Err(Error::Shape { expected, got });
        }
        let mut cube = noisy.as_standard_layout().into_owned();
        for ((place, x), &valid) in cube.indexed_iter_mut().zip(valid) {
            if !valid {
                *x = f32::NAN;
            } else if !x.is_finite() {
                let ((band, row, col), value) = (place, *x);
                return Err(Error::NonFinite { band, row, col, value });
            }
        }
        self.fill(cube.view())
    }

    /// Takes NaN for missing; all other values are finite.
    fn fill(&self, cube: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        self.validate()?;
        let options = &self.options;
        let (bands, rows, cols) = cube.dim();
        if cube.is_empty() {
            return Err(Error::Empty { shape: [bands, rows, cols] });
        }
        let (mut matrix, frame) = Frame::apply(cube, options.poisson, options.normalise)?;
        // Bands first, as the matrix lies in memory.
        let mut complete = vec![true; rows * cols];
        for band in matrix.rows() {
            complete.iter_mut().zip(band).for_each(|(complete, x)| *complete &= !x.is_nan());
        }
        let chosen: Vec<usize> = (0..complete.len()).filter(|&p| complete[p]).collect();
        if chosen.is_empty() {
            return Err(Error::NoCompletePixel);
        }
        if bands == 1 {
            // Nothing but neighbours can tell what is missing.
            spread(
                &mut matrix,
                std::mem::replace(&mut complete, vec![true; rows * cols]),
                (rows, cols),
            );
        }
        let noise = NoiseEstimate::from_pixels(matrix.select(Axis(1), &chosen).view())?;
        let noise = with_spatial_noise(noise, &matrix, cube.dim())?;
        let (scales, model) = options.model(&noise)?;
        let mut images = apply(model.analysis(&scales).view(), matrix.view())?;
        let fitted: Vec<(usize, Option<Array1<f64>>)> = (0..complete.len())
            .into_par_iter()
            .filter(|&p| !complete[p])
            .map(|p| (p, fit(matrix.column(p), &scales, model.basis.view())))
            .collect();
        drop(matrix);
        let mut known = vec![true; rows * cols];
        for (p, fitted) in fitted {
            known[p] = fitted.is_some();
            let values = fitted.unwrap_or_else(|| Array1::zeros(images.nrows()));
            for (to, from) in images.column_mut(p).iter_mut().zip(values) {
                *to = from as f32;
            }
        }
        spread(&mut images, known, (rows, cols));
        options.finish(Self::NAME, images, &model, &scales, &frame)
    }
}

impl Method for FastHyIn {
    const NAME: &'static str = "fasthyin";
    const ABOUT: &'static str = "fasthyde that fills in missing values, which are NaN";

    fn settings(&mut self) -> Vec<(&'static str, &mut dyn Setting)> {
        self.options.settings()
    }

    fn check(&self) -> Result<()> {
        self.validate()
    }
}

impl Denoiser for FastHyIn {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn denoise(&self, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        for ((band, row, col), &value) in noisy.indexed_iter() {
            if value.is_infinite() {
                return Err(Error::NonFinite { band, row, col, value });
            }
        }
        self.fill(noisy)
    }
}

/// Returns the coordinates that fit the values of a pixel best, if they determine them.
fn fit(
    pixel: ArrayView1<'_, f32>,
    scales: &Array1<f64>,
    basis: ArrayView2<'_, f64>,
) -> Option<Array1<f64>> {
    let there: Vec<usize> = (0..pixel.len()).filter(|&b| !pixel[b].is_nan()).collect();
    if there.len() < basis.ncols() {
        return None;
    }
    let rows = basis.select(Axis(0), &there);
    let values: Array1<f64> = there.iter().map(|&b| f64::from(pixel[b]) / scales[b]).collect();
    // The ridge stops directions that the values say nothing about from being made up.
    let inverse = regularised_inverse(rows.t().dot(&rows).view(), 1e-6).ok()?;
    Some(inverse.dot(&rows.t().dot(&values)))
}

/// Gives pixels that are not known the mean of their known neighbours, from the edge inwards.
fn spread(images: &mut Array2<f32>, mut known: Vec<bool>, size: (usize, usize)) {
    let (rows, cols) = size;
    while known.iter().any(|&x| !x) {
        let mut ring = Vec::new();
        for p in (0..known.len()).filter(|&p| !known[p]) {
            let (r, c) = (p / cols, p % cols);
            let around = (r.saturating_sub(1)..(r + 2).min(rows))
                .flat_map(|r| (c.saturating_sub(1)..(c + 2).min(cols)).map(move |c| r * cols + c));
            let around: Vec<usize> = around.filter(|&q| known[q]).collect();
            if !around.is_empty() {
                ring.push((p, around));
            }
        }
        // There is a known pixel, so every round reaches further ones.
        if ring.is_empty() {
            break;
        }
        for mut image in images.rows_mut() {
            for (p, around) in &ring {
                let sum: f32 = around.iter().map(|&q| image[q]).sum();
                image[*p] = sum / around.len() as f32;
            }
        }
        for (p, _) in ring {
            known[p] = true;
        }
    }
}
