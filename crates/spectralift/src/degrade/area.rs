//! Averaging over areas: to fewer pixels, also where they do not divide each other.

use ndarray::parallel::prelude::*;
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis};

use crate::{Error, Result};

/// Where a Gaussian ends, in standard deviations: as the published kernel of radius 7 and width 3.4.
const REACH: f64 = 7.0 / 3.4;

/// Averages a cube to fewer pixels.
///
/// A pixel of the output is the mean of the area that it covers, pixels of the input at its edge
/// counting by the part covered: the mean of `ratio x ratio` pixels where the sizes divide each
/// other, `INTER_AREA` of OpenCV in general.
///
/// # Shapes
/// - `cube`: `[bands, rows, cols]`
/// - output: `[bands, out_rows, out_cols]`
///
/// # Errors
/// [`Error::Shape`] if a side of the output is 0 or longer than the input's.
pub fn area_average(
    cube: ArrayView3<'_, f32>,
    out_rows: usize,
    out_cols: usize,
) -> Result<Array3<f32>> {
    let (_, rows, cols) = cube.dim();
    Ok(AreaPlan::new((rows, cols), (out_rows, out_cols))?.apply_to_bands(cube))
}

/// Averages a cube that is blurred first, by a Gaussian with its own width along rows and columns,
/// in pixels; 0 blurs nothing. Outside the image there is nothing.
///
/// # Shapes
/// As [`area_average`].
///
/// # Errors
/// As [`area_average`].
pub(crate) fn blurred_average(
    cube: ArrayView3<'_, f32>,
    (out_rows, out_cols): (usize, usize),
    (row_sigma, col_sigma): (f64, f64),
) -> Result<Array3<f32>> {
    let (_, rows, cols) = cube.dim();
    let mut plan = AreaPlan::new((rows, cols), (out_rows, out_cols))?;
    for (pieces, pixels, sigma) in
        [(&mut plan.rows, rows, row_sigma), (&mut plan.cols, cols, col_sigma)]
    {
        if sigma > 0.0 {
            for piece in pieces {
                *piece = piece.blurred(pixels, sigma);
            }
        }
    }
    Ok(plan.apply_to_bands(cube))
}

/// Weights of the averages along both axes.
#[derive(Debug)]
pub(super) struct AreaPlan {
    rows: Vec<Piece>,
    cols: Vec<Piece>,
}

/// Weights of consecutive pixels of the input.
#[derive(Debug)]
struct Piece {
    start: usize,
    weights: Vec<f32>,
}

impl AreaPlan {
    pub(super) fn new(input: (usize, usize), output: (usize, usize)) -> Result<Self> {
        let fits = |input: usize, output: usize| (1..=input).contains(&output);
        if !fits(input.0, output.0) || !fits(input.1, output.1) {
            return Err(Error::Shape {
                what: "the averaged image",
                expected: format!("1 x 1 to {} x {} pixels", input.0, input.1),
                got: vec![output.0, output.1],
            });
        }
        Ok(Self { rows: pieces(input.0, output.0), cols: pieces(input.1, output.1) })
    }

    fn apply_to_bands(&self, cube: ArrayView3<'_, f32>) -> Array3<f32> {
        let mut out = Array3::zeros((cube.dim().0, self.rows.len(), self.cols.len()));
        out.axis_iter_mut(Axis(0))
            .into_par_iter()
            .zip(cube.axis_iter(Axis(0)))
            .for_each(|(mut out, band)| out.assign(&self.apply(band)));
        out
    }

    /// Averages one band.
    pub(super) fn apply(&self, band: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut out = Array2::zeros((self.rows.len(), self.cols.len()));
        let mut line = vec![0.0f32; band.ncols()];
        for (mut out, piece) in out.outer_iter_mut().zip(&self.rows) {
            line.fill(0.0);
            for (row, weight) in band.outer_iter().skip(piece.start).zip(&piece.weights) {
                line.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * value);
            }
            for (out, piece) in out.iter_mut().zip(&self.cols) {
                let values = &line[piece.start..];
                *out = piece.weights.iter().zip(values).map(|(w, v)| w * v).sum();
            }
        }
        out
    }
}

impl Piece {
    /// The weights on the `n` pixels of the input before a Gaussian blurs them.
    fn blurred(&self, n: usize, sigma: f64) -> Self {
        let radius = (REACH * sigma).ceil() as usize;
        let gauss = |distance: usize| (-0.5 * (distance as f64 / sigma).powi(2)).exp();
        let kernel: Vec<f64> = (0..=radius).map(gauss).collect();
        let sum = 2.0 * kernel.iter().sum::<f64>() - kernel[0];
        let (start, end) = (self.start, self.start + self.weights.len());
        let pixels = start.saturating_sub(radius)..n.min(end + radius);
        let weight = |pixel: usize| -> f32 {
            let parts = (start..end).zip(&self.weights);
            let near =
                parts.filter_map(|(at, w)| Some(f64::from(*w) * kernel.get(at.abs_diff(pixel))?));
            (near.sum::<f64>() / sum) as f32
        };
        Self { start: pixels.start, weights: pixels.map(weight).collect() }
    }
}

/// Output `i` covers the interval from `i n / m` to `(i + 1) n / m`. Integers keep it exact: in
/// units of `1 / m` of a pixel.
fn pieces(n: usize, m: usize) -> Vec<Piece> {
    (0..m)
        .map(|i| {
            let (from, to) = (i * n, (i + 1) * n);
            let pixels = from / m..to.div_ceil(m);
            let covered = |pixel: usize| to.min((pixel + 1) * m) - from.max(pixel * m);
            let weights = pixels.clone().map(|pixel| (covered(pixel) as f64 / n as f64) as f32);
            Piece { start: pixels.start, weights: weights.collect() }
        })
        .collect()
}
