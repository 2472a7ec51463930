//! The matrix of second moments.

use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;

use super::{BLOCK, pack};

/// Number of partial sums; a constant, so that the order of summation is one.
const PARTS: usize = 16;

/// Returns `Y Yᵀ` of the bands x pixels matrix `Y`, summed in f64.
///
/// # Shapes
/// `matrix`: `[bands, pixels]`; the result: `[bands, bands]`, symmetric.
pub fn gram(matrix: ArrayView2<'_, f32>) -> Array2<f64> {
    let (bands, pixels) = matrix.dim();
    let part = pixels.div_ceil(PARTS).max(1).next_multiple_of(BLOCK);
    let starts: Vec<usize> = (0..pixels).step_by(part).collect();
    let parts: Vec<Vec<f64>> = starts
        .into_par_iter()
        .map(|start| partial(matrix.slice(s![.., start..pixels.min(start + part)])))
        .collect();
    let mut sum = Array2::<f64>::zeros((bands, bands));
    for part in parts {
        for (total, value) in sum.iter_mut().zip(part) {
            *total += value;
        }
    }
    for i in 0..bands {
        for j in 0..i {
            sum[[j, i]] = sum[[i, j]];
        }
    }
    sum
}

/// Returns the lower triangle of the product of a few blocks with itself, row by row.
fn partial(matrix: ArrayView2<'_, f32>) -> Vec<f64> {
    let (bands, pixels) = matrix.dim();
    let mut sum = vec![0.0; bands * bands];
    let mut wide: Vec<f64> = Vec::with_capacity(bands * BLOCK.min(pixels));
    for start in (0..pixels).step_by(BLOCK) {
        let block = matrix.slice(s![.., start..pixels.min(start + BLOCK)]);
        pack(block, &mut wide);
        let block = MatRef::from_row_major_slice(&wide, bands, block.ncols());
        matmul(
            MatMut::from_row_major_slice_mut(&mut sum, bands, bands),
            BlockStructure::TriangularLower,
            Accum::Add,
            block,
            BlockStructure::Rectangular,
            block.transpose(),
            BlockStructure::Rectangular,
            1.0,
            Par::Seq,
        );
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_definition_for_any_shape_and_layout() {
        for (bands, pixels) in [(1, 1), (3, 2), (7, 1500), (5, 8193), (4, 0), (0, 4)] {
            let cube = Array2::from_shape_fn((bands, pixels), |(b, p)| {
                ((b * 31 + p * 17) % 29) as f32 * 0.125 - 1.0
            });
            let wide = cube.mapv(f64::from);
            let expected = wide.dot(&wide.t());
            assert_eq!(gram(cube.view()), expected, "{bands} x {pixels}");
            let turned = cube.t().as_standard_layout().into_owned();
            assert_eq!(gram(turned.t()), expected, "{bands} x {pixels}, pixels first");
        }
    }
}
