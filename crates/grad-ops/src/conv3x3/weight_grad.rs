//! The gradient of the kernel and the bias.

use rayon::prelude::*;

use super::convolve::Maps;
use super::tile::Tiling;
use crate::kernel::Real;
use crate::kernel::gemm::{Mat, Target, product};
use crate::kernel::rows;

/// About this many pixels make a tile.
const PIXELS: usize = 512;
/// The tiles are shared out to at most this many sums, which are then added up in order.
const GROUPS: usize = 8;

/// Returns the gradients of the kernel (empty if it is not wanted) and of the bias.
pub(super) fn weight_grad<T: Real>(
    xs: &Maps<'_, T>,
    grad: &Maps<'_, T>,
    wanted: bool,
) -> (Vec<T>, Vec<T>) {
    let [batch, inner, height, width] = xs.shape;
    let out = grad.shape[1];
    let tiling = Tiling::new(height, width, PIXELS);
    let tiles = batch * tiling.count;
    let groups = tiles.min(GROUPS);
    let per_group = tiles.div_ceil(groups);

    // One sum for each group and row of the kernel, `(out, 3, inner)`, and one for the bias.
    let matrix = if wanted { out * 3 * inner } else { 0 };
    let size = matrix + out;
    let mut sums = vec![T::zero(); 3 * groups * size];
    sums.par_chunks_mut(size).enumerate().for_each_init(
        || (Vec::new(), Vec::new()),
        |(copy, slopes), (task, sums)| {
            let (group, row) = (task / 3, task % 3);
            if row > 0 && !wanted {
                return;
            }
            let (kernel, bias) = sums.split_at_mut(matrix);
            for index in (group * per_group..tiles).take(per_group) {
                let tile = tiling.tile(index % tiling.count);
                let pixels = tile.pixels();
                let (map, mask) = grad.image(index / tiling.count);
                tile.copy(map, mask, slopes);
                if row == 0 {
                    for (bias, slopes) in bias.iter_mut().zip(slopes.chunks_exact(pixels)) {
                        *bias += rows::total(slopes);
                    }
                }
                if wanted {
                    let (map, mask) = xs.image(index / tiling.count);
                    tile.seen_by(row).copy(map, mask, copy);
                    let shifted = Mat::new(copy, 3 * inner, pixels);
                    let slopes = Mat::new(slopes, out, pixels);
                    product(Target::add(kernel, 3 * inner), T::one(), slopes, shifted.t());
                }
            }
        },
    );

    let mut dw = vec![T::zero(); 3 * matrix];
    dw.par_chunks_mut(9 * inner).enumerate().for_each_init(Vec::new, |total, (channel, dw)| {
        for row in 0..3 {
            total.clear();
            total.resize(3 * inner, T::zero());
            for sums in sums.chunks_exact(size).skip(row).step_by(3) {
                for (total, &sum) in total.iter_mut().zip(&sums[channel * 3 * inner..]) {
                    *total += sum;
                }
            }
            for (column, total) in total.chunks_exact(inner).enumerate() {
                for (kernel, &total) in dw.as_chunks_mut::<9>().0.iter_mut().zip(total) {
                    kernel[3 * row + column] = total;
                }
            }
        }
    });
    let mut db = vec![T::zero(); out];
    for sums in sums.chunks_exact(size).step_by(3) {
        for (db, &sum) in db.iter_mut().zip(&sums[matrix..]) {
            *db += sum;
        }
    }
    (dw, db)
}
