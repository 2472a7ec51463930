//! What every baseline offers, and what it may expect of a cube.

use std::fmt::Debug;

use ndarray::parallel::prelude::*;
use ndarray::{
    Array2, Array3, ArrayBase, ArrayView2, ArrayView3, Axis, Data, Dimension, IntoDimension, Ix3,
    RawData,
};

use crate::{Error, Result};

/// A denoiser of hyperspectral cubes without trained weights.
///
/// # Examples
/// A denoiser of one's own stands beside those of this crate:
///
/// ```
/// use hsi_baselines::{Denoiser, Result};
/// use ndarray::{Array3, ArrayView3};
///
/// #[derive(Debug)]
/// struct Identity;
///
/// impl Denoiser for Identity {
///     fn name(&self) -> &str {
///         "identity"
///     }
///
///     fn denoise(&self, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
///         Ok(noisy.to_owned())
///     }
/// }
///
/// let methods: Vec<Box<dyn Denoiser>> = vec![hsi_baselines::by_name("median")?, Box::new(Identity)];
/// assert_eq!(methods[1].name(), "identity");
/// # Ok::<(), hsi_baselines::Error>(())
/// ```
pub trait Denoiser: Send + Sync + Debug {
    /// Returns the short name, for tables.
    fn name(&self) -> &str;

    /// Returns an estimate of the clean cube.
    ///
    /// The same input gives the same output on any number of threads.
    ///
    /// # Shapes
    /// `noisy` and the result: `[bands, rows, cols]`.
    ///
    /// # Errors
    /// [`Error::Empty`] or [`Error::NonFinite`] for a cube that cannot be denoised, and what the
    /// method has to say about its parameters.
    fn denoise(&self, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>>;

    /// Returns a better estimate as a stage of a [`Chain`](crate::Chain), which also shows it the
    /// cube that the chain began with.
    ///
    /// Denoises `estimate` where a method does not say otherwise.
    ///
    /// # Shapes
    /// `estimate`, `noisy` and the result: `[bands, rows, cols]`.
    ///
    /// # Errors
    /// As [`denoise`](Self::denoise).
    fn refine(
        &self,
        estimate: ArrayView3<'_, f32>,
        _noisy: ArrayView3<'_, f32>,
    ) -> Result<Array3<f32>> {
        self.denoise(estimate)
    }
}

/// Checks that a cube has values and that all are finite.
pub(crate) fn ensure_usable(cube: ArrayView3<'_, f32>) -> Result<()> {
    if cube.is_empty() {
        let (bands, rows, cols) = cube.dim();
        return Err(Error::Empty { shape: [bands, rows, cols] });
    }
    // No early exit inside a band, so that the check runs in vector registers.
    let bad =
        cube.axis_iter(Axis(0)).into_par_iter().enumerate().find_map_first(|(band, values)| {
            (!values.fold(true, |finite, value| finite & value.is_finite())).then_some(band)
        });
    let Some(band) = bad else { return Ok(()) };
    let values = cube.index_axis_move(Axis(0), band);
    match values.indexed_iter().find(|(_, value)| !value.is_finite()) {
        Some(((row, col), &value)) => Err(Error::NonFinite { band, row, col, value }),
        None => Ok(()),
    }
}

/// Returns an array in standard layout in another shape.
pub(crate) fn reshape<S: RawData, D: Dimension, E: IntoDimension>(
    array: ArrayBase<S, D>,
    shape: E,
) -> Result<ArrayBase<S, E::Dim>> {
    let shape = shape.into_dimension();
    let (expected, got) = (shape.slice().to_vec(), array.shape().to_vec());
    array.into_shape_with_order(shape).map_err(|_| Error::Shape { expected, got })
}

/// Returns a cube in standard layout as bands x pixels.
pub(crate) fn as_matrix<S: Data<Elem = f32>>(
    cube: &ArrayBase<S, Ix3>,
) -> Result<ArrayView2<'_, f32>> {
    let (bands, rows, cols) = cube.dim();
    reshape(cube.view(), (bands, rows * cols))
}

/// Returns the rows of a matrix as images.
pub(crate) fn into_images(matrix: Array2<f32>, size: (usize, usize)) -> Result<Array3<f32>> {
    let count = matrix.nrows();
    reshape(matrix, (count, size.0, size.1))
}

/// Returns a matrix of bands x pixels as a cube, unless values have left the range of f32.
pub(crate) fn finish(
    method: &'static str,
    matrix: Array2<f32>,
    dim: (usize, usize, usize),
) -> Result<Array3<f32>> {
    finish_cube(method, reshape(matrix, dim)?)
}

/// Returns a cube unless values have left the range of f32.
pub(crate) fn finish_cube(method: &'static str, cube: Array3<f32>) -> Result<Array3<f32>> {
    match ensure_usable(cube.view()) {
        Ok(()) => Ok(cube),
        Err(_) => Err(Error::Overflow { method }),
    }
}
