//! Two images that may be compared, and the walk over their bands.

use ndarray::parallel::prelude::*;
use ndarray::{ArrayView2, ArrayView3, Axis, Zip};

use crate::{Error, Image, Result};

/// Two images of one shape, not empty, all values finite.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair<'a> {
    pub(crate) reference: ArrayView3<'a, f32>,
    pub(crate) estimate: ArrayView3<'a, f32>,
}

impl<'a> Pair<'a> {
    /// Checks the images.
    pub(crate) fn new(
        reference: ArrayView3<'a, f32>,
        estimate: ArrayView3<'a, f32>,
    ) -> Result<Self> {
        let (bands, rows, cols) = reference.dim();
        let shape = [bands, rows, cols];
        let (b, r, c) = estimate.dim();
        if shape != [b, r, c] {
            return Err(Error::Shape { expected: shape, got: [b, r, c] });
        }
        if reference.is_empty() {
            return Err(Error::Empty { shape });
        }
        ensure_finite(reference, Image::Reference)?;
        ensure_finite(estimate, Image::Estimate)?;
        Ok(Self { reference, estimate })
    }

    /// Checks that a window of `size` x `size` fits.
    pub(crate) fn ensure_window(&self, metric: &'static str, size: usize) -> Result<()> {
        let (_, rows, cols) = self.reference.dim();
        if rows < size || cols < size {
            return Err(Error::Window { metric, window: size, rows, cols });
        }
        Ok(())
    }

    /// Returns what `f` makes of each band, in the order of the bands on any number of threads.
    pub(crate) fn per_band<T: Send>(
        &self,
        f: impl Fn(ArrayView2<'_, f32>, ArrayView2<'_, f32>) -> T + Sync + Send,
    ) -> Vec<T> {
        let estimates = self.estimate.axis_iter(Axis(0)).into_par_iter();
        let references = self.reference.axis_iter(Axis(0)).into_par_iter();
        references.zip(estimates).map(|(reference, estimate)| f(reference, estimate)).collect()
    }
}

/// Checks a data range.
pub(crate) fn ensure_range(data_range: f32) -> Result<f64> {
    if data_range.is_finite() && data_range > 0.0 {
        return Ok(f64::from(data_range));
    }
    Err(Error::DataRange { expected: "a finite number above 0", got: data_range })
}

/// Arithmetic mean in the given order; NaN where there is nothing.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Calls `f` for the two values of every pixel of a band.
pub(crate) fn for_each_value(
    reference: ArrayView2<'_, f32>,
    estimate: ArrayView2<'_, f32>,
    mut f: impl FnMut(f64, f64),
) {
    for (reference, estimate) in reference.rows().into_iter().zip(estimate.rows()) {
        Zip::from(reference).and(estimate).for_each(|&x, &y| f(f64::from(x), f64::from(y)));
    }
}

fn ensure_finite(cube: ArrayView3<'_, f32>, image: Image) -> Result<()> {
    // No early exit inside a band, so that the check runs in vector registers.
    let bands = cube.axis_iter(Axis(0)).into_par_iter().enumerate();
    let bad = bands.find_map_first(|(band, values)| {
        let clean = values.fold(true, |clean, value| clean & value.is_finite());
        (!clean).then_some(band)
    });
    let Some(band) = bad else { return Ok(()) };
    let values = cube.index_axis_move(Axis(0), band);
    match values.indexed_iter().find(|(_, value)| !value.is_finite()) {
        Some(((row, col), &value)) => Err(Error::NonFinite { image, band, row, col, value }),
        None => Ok(()),
    }
}
