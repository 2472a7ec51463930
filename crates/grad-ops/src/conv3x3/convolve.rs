//! The convolution of a batch, forward or with respect to the input.

use rayon::prelude::*;

use super::tile::Tiling;
use crate::kernel::Real;
use crate::kernel::gemm::{Mat, Target, product};

/// Feature maps `(batch, channels, height, width)`, to be read as zero where a mask is not
/// positive.
pub(super) struct Maps<'a, T> {
    pub(super) data: &'a [T],
    pub(super) mask: Option<&'a [T]>,
    pub(super) shape: [usize; 4],
}

impl<'a, T> Maps<'a, T> {
    /// Data and mask of one image.
    pub(super) fn image(&self, index: usize) -> (&'a [T], Option<&'a [T]>) {
        let size = self.shape[1] * self.shape[2] * self.shape[3];
        let range = index * size..(index + 1) * size;
        (&self.data[range.clone()], self.mask.map(|mask| &mask[range]))
    }
}

/// The kernel `(out, inner, 3, 3)` as nine matrices `(out, inner)`; with `turn` as nine matrices
/// `(inner, out)` in reverse order, for the gradient of the input.
pub(super) fn taps<T: Real>(weight: &[T], out: usize, inner: usize, turn: bool) -> Vec<T> {
    let mut taps = vec![T::zero(); weight.len()];
    taps.par_chunks_mut(out * inner).enumerate().for_each(|(tap, matrix)| {
        let tap = if turn { 8 - tap } else { tap };
        for (to, kernel) in matrix.iter_mut().enumerate() {
            let from = if turn { to % out * inner + to / out } else { to };
            *kernel = weight[from * 9 + tap];
        }
    });
    taps
}

/// At least this many tasks are made if there are channels enough to share out.
const TASKS: usize = 16;

/// Convolves with nine matrices `(out, inner)`.
pub(super) fn convolve<T: Real>(
    xs: &Maps<'_, T>,
    taps: &[T],
    out: usize,
    bias: Option<&[T]>,
    rectify: bool,
) -> Vec<T> {
    let [batch, inner, height, width] = xs.shape;
    let tiling = Tiling::new(height, width);
    let tiles = batch * tiling.count;
    let blocks = TASKS.div_ceil(tiles).clamp(1, out.div_ceil(32));
    let block = out.div_ceil(blocks);
    let blocks = out.div_ceil(block);

    // Every task owns its rows of its channels.
    let mut ys = vec![T::zero(); batch * out * height * width];
    let mut tasks: Vec<Vec<&mut [T]>> = Vec::new();
    tasks.resize_with(tiles * blocks, || Vec::with_capacity(block));
    for (plane, map) in ys.chunks_mut(height * width).enumerate() {
        let (image, channel) = (plane / out, plane % out);
        for (tile, rows) in map.chunks_mut(tiling.rows * width).enumerate() {
            let task = (image * tiling.count + tile) * blocks + channel / block;
            tasks[task].push(rows);
        }
    }

    tasks.into_par_iter().enumerate().for_each_init(
        || (Vec::new(), Vec::new()),
        |(copy, sums), (task, outputs)| {
            let (image, first) = (task / blocks / tiling.count, task % blocks * block);
            let tile = tiling.tile(task / blocks % tiling.count);
            let (map, mask) = xs.image(image);
            tile.copy_bordered(map, mask, copy);

            let (pixels, channels) = (tile.pixels(), outputs.len());
            sums.resize(channels * pixels, T::zero());
            for tap in 0..9 {
                let target =
                    if tap == 0 { Target::set(sums, pixels) } else { Target::add(sums, pixels) };
                let kernel = &taps[(tap * out + first) * inner..];
                let shifted = &copy[tile.offset(tap)..];
                product(
                    target,
                    T::one(),
                    Mat::new(kernel, channels, inner),
                    Mat::strided(shifted, (inner, pixels), (tile.bordered(), 1)),
                );
            }
            for (channel, (rows, sums)) in outputs.into_iter().zip(sums.chunks(pixels)).enumerate()
            {
                let bias = bias.map_or(T::zero(), |bias| bias[first + channel]);
                for (row, sums) in rows.chunks_mut(width).zip(sums.chunks(tile.pitch())) {
                    for (y, &sum) in row.iter_mut().zip(sums) {
                        let value = sum + bias;
                        *y = if rectify && value <= T::zero() { T::zero() } else { value };
                    }
                }
            }
        },
    );
    ys
}
