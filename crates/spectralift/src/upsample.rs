//! Bicubic upsampling: what a low-resolution cube shows without any other image.

use ndarray::parallel::prelude::*;
use ndarray::{Array2, Array3, ArrayView3, Axis};

use crate::{Error, Result};

/// Cubic convolution to a larger size, with `a = -0.5`.
///
/// Areas of the images are aligned, not centres of their corner pixels; the pixels at the border
/// are repeated outwards.
///
/// # Shapes
/// - `cube`: `[bands, low rows, low cols]`
/// - output: `[bands, rows, cols]`
///
/// # Errors
/// [`Error::Shape`] if the cube is empty or has more rows or columns than are asked for.
///
/// # References
/// Keys 1981, doi:10.1109/TASSP.1981.1163711.
pub fn upsample_bicubic(
    cube: ArrayView3<'_, f32>,
    rows: usize,
    cols: usize,
) -> Result<Array3<f32>> {
    let (bands, low_rows, low_cols) = cube.dim();
    if cube.is_empty() || low_rows > rows || low_cols > cols {
        return Err(Error::Shape {
            what: "the cube to upsample",
            expected: format!("not empty, at most {rows} x {cols} pixels"),
            got: cube.shape().to_vec(),
        });
    }
    let (left, right) = (weights(low_rows, rows), weights(low_cols, cols));
    let mut out = Array3::zeros((bands, rows, cols));
    out.axis_iter_mut(Axis(0))
        .into_par_iter()
        .zip(cube.axis_iter(Axis(0)))
        .for_each(|(mut out, band)| out.assign(&left.dot(&band).dot(&right.t())));
    Ok(out)
}

/// `[high, low]`: what each pixel takes from those of low resolution.
fn weights(low: usize, high: usize) -> Array2<f32> {
    let mut weights = Array2::zeros((high, low));
    for (i, mut row) in weights.outer_iter_mut().enumerate() {
        let place = (i as f64 + 0.5) * low as f64 / high as f64 - 0.5;
        let first = place.floor() as isize - 1;
        for at in first..first + 4 {
            let from = at.clamp(0, low as isize - 1) as usize;
            row[from] += keys(place - at as f64) as f32;
        }
    }
    weights
}

fn keys(distance: f64) -> f64 {
    let t = distance.abs();
    if t <= 1.0 {
        (1.5 * t - 2.5) * t * t + 1.0
    } else if t < 2.0 {
        ((-0.5 * t + 2.5) * t - 4.0) * t + 2.0
    } else {
        0.0
    }
}
