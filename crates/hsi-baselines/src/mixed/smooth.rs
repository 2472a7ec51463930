//! An estimate of the scene from a cube whose noise is known.

use ndarray::parallel::prelude::*;
use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut1, Axis};

use super::moments::Basis;
use crate::Result;
use crate::denoiser::{into_images, reshape};
use crate::linalg::apply;
use crate::shrink::{SureGrid, soft};
use crate::wavelet::{Wavelet, WaveletTransform};

/// Vanishing moments of the wavelet.
const MOMENTS: usize = 5;
/// Most levels of the transform.
const LEVELS: usize = 4;
/// Thresholds that are tried.
const GRID: usize = 15;

/// Returns the projection of a cube on a subspace, its images shrunk in the wavelet domain by the
/// threshold of least estimated risk (SURE), as HyRes does.
///
/// # Shapes
/// `matrix` and the result: `[bands, pixels]` of images of `size`.
pub(crate) fn smooth(
    matrix: ArrayView2<'_, f32>,
    size: (usize, usize),
    basis: &Basis,
    sigma: &Array1<f64>,
    inverse: &Array1<f64>,
) -> Result<Array2<f32>> {
    let narrow = size.0.min(size.1);
    let levels = (narrow.max(1).ilog2() as usize).clamp(1, LEVELS);
    let transform = WaveletTransform::new(Wavelet::daubechies(MOMENTS)?, levels, size)?;
    let analysis = &basis.vectors.t() * inverse;
    let images = apply(analysis.view(), matrix)?;
    let rank = images.nrows();
    let images = into_images(images, size)?;
    let mut coefficients = transform.forward(images.view())?;
    drop(images);
    coefficients.axis_iter_mut(Axis(0)).into_par_iter().for_each(shrink);
    let images = transform.inverse(coefficients.view())?;
    let images = reshape(images, (rank, size.0 * size.1))?;
    let synthesis: Array2<f64> = &basis.vectors * &sigma.view().insert_axis(Axis(1));
    apply(synthesis.view(), images.view())
}

/// Applies the soft threshold of least risk to values with noise of variance 1.
fn shrink(mut values: ArrayViewMut1<'_, f32>) {
    let Some(values) = values.as_slice_mut() else { return }; // rows of a new array are contiguous
    let threshold = SureGrid::short(GRID).choose(values).threshold as f32;
    for x in values {
        *x = soft(*x, threshold);
    }
}
