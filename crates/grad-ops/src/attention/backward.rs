//! The backward pass.

use rayon::prelude::*;

use super::forward::soften;
use super::sizes::{Role, Sizes};
use crate::kernel::gemm::{Mat, Target, product};
use crate::kernel::parallel::{PIECE, build};
use crate::kernel::simd::vectorized;
use crate::kernel::{Real, rows};

/// At least this many tasks are made; the queries of a head are shared out if need be.
const TASKS: usize = 16;

/// Returns the gradient of `qkv` from output and gradient of the output.
pub(super) fn attention_grad<T: Real>(shape: Sizes, qkv: &[T], ys: &[T], grad: &[T]) -> Vec<T> {
    let Sizes { batch, tokens, heads, dim } = shape;
    let (block, columns) = (shape.block(), shape.columns());
    let blocks = tokens.div_ceil(block);
    let groups = TASKS.div_ceil(batch * heads).min(blocks);
    let share = blocks.div_ceil(groups) * block;
    let groups = tokens.div_ceil(share);

    // A task has its own gradients: of its queries, and of all keys and values of its head.
    let keys = shape.transposed(qkv, Role::Key);
    let values = shape.transposed(qkv, Role::Value);
    let size = (share + 2 * tokens) * dim;
    let mut parts = vec![T::zero(); batch * heads * groups * size];
    parts.par_chunks_mut(size).enumerate().for_each_init(
        Scratch::default,
        |scratch, (task, part)| {
            let (index, group) = (task / groups, task % groups);
            let (dq, rest) = part.split_at_mut(share * dim);
            let (dk, dv) = rest.split_at_mut(tokens * dim);
            let job = Job {
                shape,
                qkv,
                ys,
                grad,
                place: (index / heads, index % heads),
                keys: Mat::new(&keys[index * dim * columns..], dim, columns),
                values: Mat::new(&values[index * dim * columns..], dim, columns),
            };
            let end = ((group + 1) * share).min(tokens);
            for (first, dq) in (group * share..end).step_by(block).zip(dq.chunks_mut(block * dim)) {
                job.block(first..(first + block).min(end), scratch, dq, dk, dv);
            }
        },
    );

    // Gather them, adding up the parts of keys and values in order.
    let width = shape.width();
    let piece = (PIECE / width).max(1);
    build(batch * tokens * 3 * width, piece * 3 * width, |index, out| {
        for (row, out) in out.chunks_exact_mut(3 * width).enumerate() {
            let (sample, token) = ((index * piece + row) / tokens, (index * piece + row) % tokens);
            for (place, out) in out.chunks_exact_mut(dim).enumerate() {
                let (role, head) = (place / heads, place % heads);
                let first = (sample * heads + head) * groups;
                if role == 0 {
                    let start = (first + token / share) * size + token % share * dim;
                    out.copy_from_slice(&parts[start..start + dim]);
                } else {
                    for group in first..first + groups {
                        let start = group * size + (share + (role - 1) * tokens + token) * dim;
                        for (out, &part) in out.iter_mut().zip(&parts[start..start + dim]) {
                            *out += part;
                        }
                    }
                }
            }
        }
    })
}

/// Memory for one block.
#[derive(Default)]
struct Scratch<T> {
    /// Scores, then weights.
    weights: Vec<T>,
    /// Gradients of the weights, then of the scores.
    slopes: Vec<T>,
    sums: Vec<T>,
    dots: Vec<T>,
}

/// What a task needs to know.
struct Job<'a, T> {
    shape: Sizes,
    qkv: &'a [T],
    ys: &'a [T],
    grad: &'a [T],
    place: (usize, usize),
    keys: Mat<'a, T>,
    values: Mat<'a, T>,
}

impl<T: Real> Job<'_, T> {
    /// Treats some queries: writes their gradients, adds to those of keys and values.
    fn block(
        &self,
        queries: std::ops::Range<usize>,
        scratch: &mut Scratch<T>,
        dq: &mut [T],
        dk: &mut [T],
        dv: &mut [T],
    ) {
        let Sizes { tokens, dim, .. } = self.shape;
        let (width, columns, count) = (self.shape.width(), self.shape.columns(), queries.len());
        let scale = T::one() / T::of(dim as f64).sqrt();
        let Scratch { weights, slopes, sums, dots } = scratch;
        weights.resize(count * columns, T::zero());
        slopes.resize(count * columns, T::zero());
        sums.resize(count, T::zero());

        let start = (self.place.0 * tokens + queries.start) * width + self.place.1 * dim;
        let (ys, grads) = (&self.ys[start..], &self.grad[start..]);
        dots.clear();
        dots.extend(
            ys.chunks(width)
                .zip(grads.chunks(width))
                .take(count)
                .map(|(ys, grads)| rows::dot(&ys[..dim], &grads[..dim])),
        );
        let grads = Mat::strided(grads, (count, dim), (width, 1));
        let queries = self.shape.part(self.qkv, self.place, Role::Query, queries);
        let all_keys = self.shape.part(self.qkv, self.place, Role::Key, 0..tokens);

        product(Target::set(weights, columns), T::one(), queries, self.keys);
        soften(weights, tokens, scale, sums);
        product(Target::set(slopes, columns), T::one(), grads, self.values);
        slope(weights, slopes, tokens, sums, dots, scale);
        let weights = Mat::strided(weights, (count, tokens), (columns, 1));
        let slopes = Mat::strided(slopes, (count, tokens), (columns, 1));
        product(Target::add(dv, dim), T::one(), weights.t(), grads);
        product(Target::add(dk, dim), T::one(), slopes.t(), queries);
        product(Target::set(dq, dim), T::one(), slopes, all_keys);
    }
}

vectorized! {
    /// Divides the weights by their sums and turns their gradients into those of the scores.
    fn slope<T>(
        weights: &mut [T],
        slopes: &mut [T],
        tokens: usize,
        sums: &[T],
        dots: &[T],
        scale: T,
    ) {
        let columns = weights.len() / sums.len();
        let parts = weights.chunks_exact_mut(columns).zip(slopes.chunks_exact_mut(columns));
        for ((weights, slopes), (&sum, &dot)) in parts.zip(sums.iter().zip(dots)) {
            let share = T::one() / sum;
            for (weight, slope) in weights[..tokens].iter_mut().zip(slopes) {
                *weight *= share;
                *slope = *weight * (*slope - dot) * scale;
            }
        }
    }
}
