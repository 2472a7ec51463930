//! Products of two matrices over all pixels.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;

use super::{BLOCK, pack};
use crate::{Error, Result};

/// Number of partial sums; a constant, so that the order of summation is one.
const PARTS: usize = 16;

/// Returns `A Bᵀ` of two matrices with pixels as columns.
///
/// Products and sums over 512 pixels are made in f32, further sums in f64.
///
/// # Shapes
/// `a`: `[m, pixels]`, `b`: `[n, pixels]`; the result: `[m, n]`.
///
/// # Errors
/// [`Error::Shape`] for different numbers of pixels.
pub fn cross(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> Result<Array2<f64>> {
    let (m, pixels) = a.dim();
    let n = b.nrows();
    if b.ncols() != pixels {
        return Err(Error::Shape { expected: vec![n, pixels], got: vec![n, b.ncols()] });
    }
    let part = pixels.div_ceil(PARTS).max(1).next_multiple_of(BLOCK);
    let starts: Vec<usize> = (0..pixels).step_by(part).collect();
    let parts: Vec<Array2<f64>> = starts
        .into_par_iter()
        .map(|start| {
            let mut sum = Array2::zeros((m, n));
            let mut product = vec![0.0_f32; m * n];
            let (mut left, mut right): (Vec<f32>, Vec<f32>) = (Vec::new(), Vec::new());
            for from in (start..pixels.min(start + part)).step_by(BLOCK) {
                let to = pixels.min(from + BLOCK);
                pack(a.slice(s![.., from..to]), &mut left);
                pack(b.slice(s![.., from..to]), &mut right);
                matmul(
                    MatMut::from_row_major_slice_mut(&mut product, m, n),
                    Accum::Replace,
                    MatRef::from_row_major_slice(&left, m, to - from),
                    MatRef::from_row_major_slice(&right, n, to - from).transpose(),
                    1.0,
                    Par::Seq,
                );
                sum.iter_mut().zip(&product).for_each(|(sum, &x)| *sum += f64::from(x));
            }
            sum
        })
        .collect();
    Ok(parts.into_iter().fold(Array2::zeros((m, n)), |sum, part| sum + part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_product_for_any_shape() {
        for (m, n, pixels) in [(1, 1, 1), (3, 2, 1500), (5, 7, 513), (2, 0, 4), (2, 3, 0)] {
            let a = Array2::from_shape_fn((m, pixels), |(i, p)| ((i + 3 * p) % 11) as f32 - 5.0);
            let b = Array2::from_shape_fn((n, pixels), |(i, p)| ((2 * i + p) % 7) as f32);
            let expected = a.mapv(f64::from).dot(&b.t().mapv(f64::from));
            assert_eq!(cross(a.view(), b.view()).as_ref(), Ok(&expected));
            let turned = a.t().as_standard_layout().into_owned();
            assert_eq!(cross(turned.t(), b.view()), Ok(expected));
        }
        let got = cross(Array2::zeros((2, 3)).view(), Array2::zeros((4, 5)).view());
        assert_eq!(got, Err(Error::Shape { expected: vec![4, 3], got: vec![4, 5] }));
    }
}
