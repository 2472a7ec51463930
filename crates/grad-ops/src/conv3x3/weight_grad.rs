//! The gradient of the kernel and the bias.

use rayon::prelude::*;

use super::convolve::Maps;
use super::tile::Tiling;
use crate::kernel::Real;
use crate::kernel::gemm::{Mat, Target, product};

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
    let tiling = Tiling::new(height, width);
    let tiles = batch * tiling.count;
    let groups = tiles.min(GROUPS);
    let per_group = tiles.div_ceil(groups);
    let taps = if wanted { 3 } else { 0 };

    // One sum for each group and row of the kernel: three matrices `(out, inner)` and the bias.
    let matrix = out * inner;
    let size = taps * matrix + out;
    let mut sums = vec![T::zero(); 3 * groups * size];
    sums.par_chunks_mut(size).enumerate().for_each_init(
        || (Vec::new(), Vec::new()),
        |(copy, gapped), (task, sums)| {
            let (group, row) = (task / 3, task % 3);
            if row > 0 && !wanted {
                return;
            }
            let (kernel, bias) = sums.split_at_mut(taps * matrix);
            for index in (group * per_group..tiles).take(per_group) {
                let tile = tiling.tile(index % tiling.count);
                let pixels = tile.pixels();
                let (map, mask) = grad.image(index / tiling.count);
                tile.copy_gapped(map, mask, gapped);
                if row == 0 {
                    for (bias, channel) in bias.iter_mut().zip(gapped.chunks(pixels)) {
                        *bias += crate::kernel::rows::total(channel);
                    }
                }
                if !wanted {
                    continue;
                }
                let (map, mask) = xs.image(index / tiling.count);
                tile.copy_bordered(map, mask, copy);
                for (tap, kernel) in kernel.chunks_mut(matrix).enumerate() {
                    let shifted = &copy[tile.offset(3 * row + tap)..];
                    let shifted = Mat::strided(shifted, (inner, pixels), (tile.bordered(), 1));
                    let gapped = Mat::new(gapped, out, pixels);
                    product(Target::add(kernel, inner), T::one(), gapped, shifted.t());
                }
            }
        },
    );

    let mut dw = vec![T::zero(); taps * 3 * matrix];
    dw.par_chunks_mut(9 * inner).enumerate().for_each_init(Vec::new, |total, (channel, dw)| {
        for tap in 0..9 {
            total.clear();
            total.resize(inner, T::zero());
            for sums in sums.chunks(size).skip(tap / 3).step_by(3) {
                let sums = &sums[tap % 3 * matrix + channel * inner..];
                for (total, &sum) in total.iter_mut().zip(sums) {
                    *total += sum;
                }
            }
            for (kernel, &total) in dw.chunks_exact_mut(9).zip(total.iter()) {
                kernel[tap] = total;
            }
        }
    });
    let mut db = vec![T::zero(); out];
    for sums in sums.chunks(size).step_by(3) {
        for (db, &sum) in db.iter_mut().zip(&sums[taps * matrix..]) {
            *db += sum;
        }
    }
    (dw, db)
}
