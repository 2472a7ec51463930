//! Transposed convolution with a 2 x 2 kernel and stride 2.
//!
//! The blocks of the output do not overlap: it is one matrix product for some rows of the input,
//! whose results are put in their places.

use candle_core::{Shape, Tensor};
use rayon::prelude::*;

use crate::kernel::affine::{Affine, Given, Grads, Wanted, apply};
use crate::kernel::gemm::{Mat, Target, product};
use crate::kernel::parallel::add_up;
use crate::kernel::{Real, rows};
use crate::{Result, check, composed};

const OP: &str = "conv_transpose2x2";

/// Doubles height and width: each pixel becomes a 2 x 2 block, as
/// `torch.nn.ConvTranspose2d(channels_in, channels_out, 2, stride=2)`.
///
/// On the CPU no gradient is computed for an argument that needs none.
///
/// # Shapes
/// - `xs`: `(batch, channels_in, height, width)`
/// - `weight`: `(channels_in, channels_out, 2, 2)`
/// - `bias`: `(channels_out)`
/// - output: `(batch, channels_out, 2 * height, 2 * width)`
///
/// # Errors
/// When the shapes do not fit or there is no kernel for the number type.
pub fn conv_transpose2x2(xs: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let op = ConvTranspose::new(xs, weight, bias)?;
    if check::affine_on_cpu(OP, xs, weight, bias)? {
        Ok(apply(op, xs, weight, bias)?)
    } else {
        composed::conv_transpose2x2(xs, weight, bias)
    }
}

/// About this many pixels of the input are treated together.
const PIXELS: usize = 512;
/// At most this many partial sums of the gradient of the weight are kept.
const GROUPS: usize = 16;

/// The sizes of the arguments.
#[derive(Clone, Copy)]
pub(crate) struct ConvTranspose {
    pub(crate) batch: usize,
    pub(crate) inner: usize,
    pub(crate) out: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// Rows of the input in a tile.
    rows: usize,
}

impl ConvTranspose {
    /// Checks the arguments.
    pub(crate) fn new(xs: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Self> {
        let [batch, inner, height, width] = check::maps(OP, xs)?;
        let out = match *weight.dims() {
            [channels, out, 2, 2] if out > 0 && channels == inner => out,
            _ => {
                let expected = format!("({inner}, channels_out, 2, 2)");
                return Err(check::shape_error(OP, "the weight", expected, weight));
            }
        };
        if let Some(bias) = bias {
            check::dims(OP, "the bias", bias, &[out])?;
        }
        let rows = (PIXELS / width).clamp(1, height);
        Ok(Self { batch, inner, out, height, width, rows })
    }

    /// Hands out the tiles of feature maps: for each tile its rows of all channels.
    fn tiles<T>(self, maps: &mut [T], channels: usize, scale: usize) -> Vec<Vec<&mut [T]>> {
        let count = self.height.div_ceil(self.rows);
        let mut tiles = Vec::new();
        tiles.resize_with(self.batch * count, || Vec::with_capacity(channels));
        let size = scale * scale * self.width;
        for (plane, map) in maps.chunks_mut(self.height * size).enumerate() {
            for (tile, rows) in map.chunks_mut(self.rows * size).enumerate() {
                tiles[plane / channels * count + tile].push(rows);
            }
        }
        tiles
    }

    /// Pixels of a tile in the input, `(inner, pixels)`.
    fn input<T>(self, xs: &[T], tile: usize) -> Mat<'_, T> {
        let count = self.height.div_ceil(self.rows);
        let (sample, row) = (tile / count, tile % count * self.rows);
        let pixels = self.rows.min(self.height - row) * self.width;
        let plane = self.height * self.width;
        let start = sample * self.inner * plane + row * self.width;
        Mat::strided(&xs[start..], (self.inner, pixels), (plane, 1))
    }

    /// The gradient of the output in a tile as `(out * 4, pixels)`.
    fn gather<T: Real>(self, grad: &[T], tile: usize, blocks: &mut Vec<T>) {
        let count = self.height.div_ceil(self.rows);
        let (sample, top) = (tile / count, tile % count * self.rows);
        let rows = self.rows.min(self.height - top);
        let pitch = 2 * self.width;
        blocks.clear();
        for channel in 0..self.out {
            let plane = &grad[(sample * self.out + channel) * 2 * self.height * pitch..];
            for tap in 0..4 {
                for row in top..top + rows {
                    let row = &plane[(2 * row + tap / 2) * pitch..][..pitch];
                    blocks.extend(row.as_chunks::<2>().0.iter().map(|pair| pair[tap % 2]));
                }
            }
        }
    }
}

impl Affine for ConvTranspose {
    const NAME: &'static str = OP;

    fn output(&self) -> Shape {
        Shape::from((self.batch, self.out, 2 * self.height, 2 * self.width))
    }

    fn forward<T: Real>(&self, xs: &[T], weight: &[T], bias: Option<&[T]>) -> Vec<T> {
        let mut ys = vec![T::zero(); self.batch * self.out * self.height * self.width * 4];
        let weight = Mat::new(weight, self.inner, self.out * 4).t();
        let tiles = self.tiles(&mut ys, self.out, 2);
        tiles.into_par_iter().enumerate().for_each_init(Vec::new, |blocks, (tile, maps)| {
            let xs = self.input(xs, tile);
            let pixels = xs.cols();
            blocks.resize(self.out * 4 * pixels, T::zero());
            product(Target::set(blocks, pixels), T::one(), weight, xs);
            for (channel, (map, blocks)) in
                maps.into_iter().zip(blocks.chunks(4 * pixels)).enumerate()
            {
                let bias = bias.map_or(T::zero(), |bias| bias[channel]);
                for (row, ys) in map.chunks_mut(self.width * 2).enumerate() {
                    let start = row % 2 * 2 * pixels + row / 2 * self.width;
                    let left = &blocks[start..start + self.width];
                    let right = &blocks[start + pixels..start + pixels + self.width];
                    for ((y, &left), &right) in
                        ys.as_chunks_mut::<2>().0.iter_mut().zip(left).zip(right)
                    {
                        *y = [left + bias, right + bias];
                    }
                }
            }
        });
        ys
    }

    fn backward<T: Real>(&self, given: Given<'_, T>, wanted: Wanted) -> Grads<T> {
        let plane = self.height * self.width;
        let mut dx = vec![T::zero(); if wanted.xs { self.batch * self.inner * plane } else { 0 }];
        let mut tiles = self.tiles(&mut dx, self.inner, 1);
        let size = if wanted.weight { self.inner * self.out * 4 } else { 0 } + self.out;
        let share = tiles.len().div_ceil(GROUPS);
        let mut sums = vec![T::zero(); tiles.len().div_ceil(share) * size];
        let weight = Mat::new(given.weight, self.inner, self.out * 4);
        tiles.par_chunks_mut(share).zip(sums.par_chunks_mut(size)).enumerate().for_each_init(
            || (Vec::new(), Vec::new()),
            |(blocks, result), (group, (tiles, sums))| {
                let (dw, db) = sums.split_at_mut(size - self.out);
                for (index, maps) in tiles.iter_mut().enumerate() {
                    let tile = group * share + index;
                    self.gather(given.grad, tile, blocks);
                    let pixels = blocks.len() / (4 * self.out);
                    for (db, blocks) in db.iter_mut().zip(blocks.chunks(4 * pixels)) {
                        *db += rows::total(blocks);
                    }
                    let blocks = Mat::new(blocks, self.out * 4, pixels);
                    if wanted.weight {
                        let xs = self.input(given.xs, tile);
                        product(Target::add(dw, 4 * self.out), T::one(), xs, blocks.t());
                    }
                    if wanted.xs {
                        result.resize(self.inner * pixels, T::zero());
                        product(Target::set(result, pixels), T::one(), weight, blocks);
                        for (map, result) in maps.iter_mut().zip(result.chunks(pixels)) {
                            map.copy_from_slice(result);
                        }
                    }
                }
            },
        );
        let mut dw = add_up(&sums, size);
        let db = dw.split_off(size - self.out);
        Grads { xs: dx, weight: dw, bias: db }
    }
}
