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

/// At most and at least this many pixels make a tile.
const PIXELS: [usize; 2] = [256, 128];
/// At least this many channels of the output make a task.
const CHANNELS: usize = 128;
/// At least this many tasks are made within these limits.
const TASKS: usize = 16;

/// Convolves with a kernel `(out, 3, 3, inner)`.
pub(super) fn convolve<T: Real>(
    xs: &Maps<'_, T>,
    kernel: &[T],
    bias: Option<&[T]>,
    rectify: bool,
) -> Vec<T> {
    let [batch, inner, height, width] = xs.shape;
    let out = kernel.len() / (9 * inner);
    let pixels = (batch * height * width / TASKS).clamp(PIXELS[1], PIXELS[0]);
    let tiling = Tiling::new(height, width, pixels);
    let tiles = batch * tiling.count;
    let block = out.div_ceil(TASKS.div_ceil(tiles)).max(CHANNELS).min(out);
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

    // Tasks of the same tile share its copy.
    tasks.par_chunks_mut(blocks).enumerate().for_each_init(Vec::new, |copy, (index, tasks)| {
        let tile = tiling.tile(index % tiling.count);
        let (map, mask) = xs.image(index / tiling.count);
        tile.bordered().copy(map, mask, copy);
        let run = |sums: &mut Vec<T>, (task, outputs): (usize, &mut Vec<&mut [T]>)| {
            let (first, channels, pixels) = (task * block, outputs.len(), tile.pixels());
            sums.resize(channels * pixels, T::zero());
            for row in 0..3 {
                let target =
                    if row == 0 { Target::set(sums, pixels) } else { Target::add(sums, pixels) };
                let kernel = &kernel[(9 * first + 3 * row) * inner..];
                let strides = (tile.bordered().size(), 1);
                product(
                    target,
                    T::one(),
                    Mat::strided(kernel, (channels, 3 * inner), (9 * inner, 1)),
                    Mat::strided(&copy[row * width..], (3 * inner, pixels), strides),
                );
            }
            let sums = sums.chunks_exact(pixels);
            for (channel, (ys, sums)) in outputs.iter_mut().zip(sums).enumerate() {
                let bias = bias.map_or(T::zero(), |bias| bias[first + channel]);
                for (y, &sum) in ys.iter_mut().zip(sums) {
                    let value = sum + bias;
                    *y = if rectify && value <= T::zero() { T::zero() } else { value };
                }
            }
        };
        tasks.par_iter_mut().enumerate().for_each_init(Vec::new, run);
    });
    ys
}
