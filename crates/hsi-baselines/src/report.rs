//! What kind of noise a cube has.

use ndarray::{Array1, ArrayView3, Axis};

use crate::{Destripe, Result, hysime};

/// The noise of a cube in figures.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseReport {
    /// Standard deviation of the noise of each band, in units of the cube.
    pub sigma: Array1<f64>,
    /// Median over bands of [`sigma`](Self::sigma).
    pub level: f64,
    /// Number of dimensions of the signal subspace.
    pub dimension: usize,
    /// Columns that carry stripes, in ascending order.
    pub striped: Vec<usize>,
    /// Share of the values that stand at a bound at which their band was clipped.
    pub clipped: f64,
}

impl NoiseReport {
    /// Looks at a cube; stripes and clipping are taken into account before the rest is estimated.
    ///
    /// # Shapes
    /// `cube`: `[bands, rows, cols]`.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) or [`Error::NonFinite`](crate::Error::NonFinite) for a
    /// cube that cannot be used.
    ///
    /// # Examples
    /// ```
    /// use hsi_baselines::NoiseReport;
    /// use ndarray::Array3;
    ///
    /// let mut state = 1_u32;
    /// let cube = Array3::from_shape_fn((9, 24, 24), |(b, r, c)| {
    ///     state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    ///     let noise = (state >> 8) as f32 / (1 << 24) as f32 - 0.5;
    ///     r as f32 * 0.05 + (c * b) as f32 * 0.01 + 0.12_f32.sqrt() * noise
    /// });
    /// let report = NoiseReport::of(cube.view())?;
    /// assert!((report.level - 0.1).abs() < 0.01);
    /// assert_eq!((report.dimension, report.striped.len(), report.clipped), (2, 0, 0.0));
    /// # Ok::<(), hsi_baselines::Error>(())
    /// ```
    pub fn of(cube: ArrayView3<'_, f32>) -> Result<Self> {
        let found = Destripe::default().separate(cube)?;
        let dimension = hysime(found.cube.view())?.dimension();
        let lines = found.stripes.axis_iter(Axis(1)).enumerate();
        let striped = lines.filter(|(_, line)| line.iter().any(|&x| x != 0.0)).map(|(c, _)| c);
        let mut sorted = found.sigma.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let level = f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[middle]);
        Ok(Self {
            striped: striped.collect(),
            sigma: found.sigma,
            level,
            dimension,
            clipped: found.clipped,
        })
    }
}
