//! The gradient of the kernel and the bias.

use rayon::prelude::*;

use super::convolve::Maps;
use super::tile::Tiling;
use super::weights;
use crate::kernel::Real;
use crate::kernel::gemm::{Mat, Target, product};
use crate::kernel::rows;

/// About this many pixels make a tile.
const PIXELS: usize = 256;
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

    // One sum for each group and row of the kernel, `(3, inner, out)`, and one for the bias.
    let matrix = if wanted { 3 * inner * out } else { 0 };
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
                    product(Target::add(kernel, out), T::one(), shifted, slopes.t());
                }
            }
        },
    );

    let mut db = vec![T::zero(); out];
    for sums in sums.chunks_exact(size).step_by(3) {
        for (db, &sum) in db.iter_mut().zip(&sums[matrix..]) {
            *db += sum;
        }
    }
    let dw = if wanted { weights::gather(&mut sums, size, (out, inner)) } else { Vec::new() };
    (dw, db)
}
