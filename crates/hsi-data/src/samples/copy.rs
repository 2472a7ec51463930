//! Copies between memory orders, in blocks that stay in the cache.

use ndarray::parallel::prelude::*;
use ndarray::{Array3, ArrayView2, ArrayView3, ArrayViewMut2, Axis, s};

/// Sides of the blocks in which two orders are exchanged.
const BLOCK: usize = 32;

/// The samples in standard layout, moved only if they are not.
pub(crate) fn standard<T: Copy + Default + Send + Sync>(array: Array3<T>) -> Array3<T> {
    if array.is_standard_layout() { array } else { in_order(array.view()) }
}

/// A copy in standard layout.
pub(crate) fn in_order<T: Copy + Default + Send + Sync>(view: ArrayView3<'_, T>) -> Array3<T> {
    let mut copy = Array3::from_elem(view.raw_dim(), T::default());
    let strides = view.strides();
    let fastest = (0..3).rev().min_by_key(|&axis| strides[axis].unsigned_abs()).unwrap_or(2);
    // The planes that hold the fastest axis of both sides.
    let across = usize::from(fastest == 0);
    copy.axis_iter_mut(Axis(across))
        .into_par_iter()
        .zip(view.axis_iter(Axis(across)))
        .for_each(|(to, from)| copy_plane(to, from));
    copy
}

fn copy_plane<T: Copy>(mut to: ArrayViewMut2<'_, T>, from: ArrayView2<'_, T>) {
    if from.strides()[1] == 1 {
        to.assign(&from);
        return;
    }
    let (rows, cols) = from.dim();
    for row in (0..rows).step_by(BLOCK) {
        for col in (0..cols).step_by(BLOCK) {
            let part = s![row..(row + BLOCK).min(rows), col..(col + BLOCK).min(cols)];
            to.slice_mut(part).assign(&from.slice(part));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_of_axes_is_copied() {
        let cube = Array3::from_shape_fn((35, 40, 33), |(a, b, c)| (a * 4000 + b * 50 + c) as u32);
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let view = cube.view().permuted_axes(order);
            assert_eq!(in_order(view), view);
        }
        let view = cube.slice(s![..;-1, 3..9, ..;2]);
        assert_eq!(in_order(view), view);
    }
}
