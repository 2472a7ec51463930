//! Small matrices applied to every pixel.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::parallel::prelude::*;
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, aview1};

use super::{BLOCK, pack};
use crate::{Error, Result};

/// Returns `map · matrix`: the same linear map of the spectrum of every pixel.
///
/// The product is made in f32.
///
/// # Shapes
/// `map`: `[components, bands]`, `matrix`: `[bands, pixels]`; the result: `[components, pixels]`.
///
/// # Errors
/// [`Error::Shape`] if the map does not take that number of bands.
pub fn apply(map: ArrayView2<'_, f64>, matrix: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
    let mut product = Array2::zeros((map.nrows(), matrix.ncols()));
    apply_into(map, matrix, product.view_mut())?;
    Ok(product)
}

/// Writes `map · matrix` into `product`, as [`apply`] does.
///
/// # Errors
/// [`Error::Shape`] if the three shapes do not agree.
pub fn apply_into(
    map: ArrayView2<'_, f64>,
    matrix: ArrayView2<'_, f32>,
    mut product: ArrayViewMut2<'_, f32>,
) -> Result<()> {
    let (components, bands) = map.dim();
    let pixels = matrix.ncols();
    if matrix.nrows() != bands || product.dim() != (components, pixels) {
        return Err(Error::Shape {
            expected: vec![components, bands, pixels],
            got: vec![product.nrows(), matrix.nrows(), product.ncols()],
        });
    }
    if bands == 0 {
        product.fill(0.0);
        return Ok(());
    }
    let map = narrow(map);
    let blocks = matrix.axis_chunks_iter(Axis(1), BLOCK).into_par_iter();
    blocks.zip(product.axis_chunks_iter_mut(Axis(1), BLOCK)).for_each_init(
        Room::default,
        |room, (from, to)| {
            pack(from, &mut room.from);
            multiply(&map, (components, bands), room, to);
        },
    );
    Ok(())
}

/// Replaces `matrix` by `map · matrix`, made as in [`apply`].
///
/// # Errors
/// [`Error::Shape`] if the map is not square or does not fit.
pub fn apply_in_place(map: ArrayView2<'_, f64>, mut matrix: ArrayViewMut2<'_, f32>) -> Result<()> {
    let dim = map.dim();
    let bands = matrix.nrows();
    if dim != (bands, bands) {
        return Err(Error::Shape { expected: vec![bands, bands], got: vec![dim.0, dim.1] });
    }
    let map = narrow(map);
    let blocks = matrix.axis_chunks_iter_mut(Axis(1), BLOCK).into_par_iter();
    blocks.for_each_init(Room::default, |room, block| {
        pack(block.view(), &mut room.from);
        multiply(&map, dim, room, block);
    });
    Ok(())
}

fn narrow(map: ArrayView2<'_, f64>) -> Vec<f32> {
    map.iter().map(|&x| x as f32).collect()
}

/// What one block needs, kept from block to block.
#[derive(Default)]
struct Room {
    from: Vec<f32>,
    product: Vec<f32>,
}

/// Multiplies the block in `room.from`, its matrix row by row.
fn multiply(map: &[f32], dim: (usize, usize), room: &mut Room, mut to: ArrayViewMut2<'_, f32>) {
    let (components, bands) = dim;
    let width = to.ncols();
    room.product.resize(components * width, 0.0);
    matmul(
        MatMut::from_row_major_slice_mut(&mut room.product, components, width),
        Accum::Replace,
        MatRef::from_row_major_slice(map, components, bands),
        MatRef::from_row_major_slice(&room.from, bands, width),
        1.0,
        Par::Seq,
    );
    for (mut to, from) in to.rows_mut().into_iter().zip(room.product.chunks_exact(width.max(1))) {
        to.assign(&aview1(from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_product_for_any_shape() {
        for (components, bands, pixels) in [(1, 1, 1), (3, 5, 1300), (5, 2, 7), (0, 3, 4)] {
            let map = Array2::from_shape_fn((components, bands), |(i, j)| (i + 2 * j) as f64);
            let matrix = Array2::from_shape_fn((bands, pixels), |(b, p)| ((b + p) % 9) as f32);
            let expected = map.dot(&matrix.mapv(f64::from)).mapv(|x| x as f32);
            assert_eq!(apply(map.view(), matrix.view()).as_ref(), Ok(&expected));
            let turned = matrix.t().as_standard_layout().into_owned();
            assert_eq!(apply(map.view(), turned.t()), Ok(expected));
        }
        let square = Array2::from_shape_fn((3, 3), |(i, j)| (2 * i) as f64 - j as f64);
        let mut matrix = Array2::from_shape_fn((3, 1025), |(b, p)| ((b + p) % 9) as f32);
        let expected = apply(square.view(), matrix.view());
        apply_in_place(square.view(), matrix.view_mut()).expect("the shapes agree");
        assert_eq!(expected, Ok(matrix));
    }

    #[test]
    fn shapes_that_do_not_agree_are_errors() {
        let got = apply(Array2::zeros((2, 3)).view(), Array2::zeros((4, 5)).view());
        assert_eq!(got, Err(Error::Shape { expected: vec![2, 3, 5], got: vec![2, 4, 5] }));
        let got = apply_in_place(Array2::zeros((2, 3)).view(), Array2::zeros((3, 5)).view_mut());
        assert_eq!(got, Err(Error::Shape { expected: vec![3, 3], got: vec![2, 3] }));
    }
}
