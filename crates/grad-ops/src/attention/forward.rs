//! The forward pass.

use rayon::prelude::*;

use super::sizes::{Role, Sizes};
use crate::kernel::gemm::{Mat, Target, product};
use crate::kernel::simd::vectorized;
use crate::kernel::{Real, rows};

/// Returns the output `(batch, tokens, heads * dim)`.
pub(super) fn attend<T: Real>(shape: Sizes, qkv: &[T]) -> Vec<T> {
    let Sizes { batch, tokens, heads, dim } = shape;
    let (width, block, columns) = (shape.width(), shape.block(), shape.columns());
    let keys = shape.transposed(qkv, Role::Key);
    let mut ys = vec![T::zero(); batch * tokens * width];
    let tasks: Vec<_> = ys
        .chunks_mut(tokens * width)
        .enumerate()
        .flat_map(|(sample, ys)| {
            ys.chunks_mut(block * width).enumerate().map(move |(task, ys)| (sample, task, ys))
        })
        .collect();
    tasks.into_par_iter().for_each_init(
        || (Vec::new(), Vec::new()),
        |(scores, sums), (sample, task, ys)| {
            let first = task * block;
            let count = ys.len() / width;
            scores.resize(count * columns, T::zero());
            sums.resize(count, T::zero());
            for head in 0..heads {
                let place = (sample, head);
                let keys = &keys[(sample * heads + head) * dim * columns..];
                let queries = shape.part(qkv, place, Role::Query, first..first + count);
                let keys = Mat::new(keys, dim, columns);
                product(Target::set(scores, columns), T::one(), queries, keys);
                soften(scores, tokens, T::one() / T::of(dim as f64).sqrt(), sums);
                let values = shape.part(qkv, place, Role::Value, 0..tokens);
                let weights = Mat::strided(scores, (count, tokens), (columns, 1));
                product(Target::set(&mut ys[head * dim..], width), T::one(), weights, values);
                for (ys, &sum) in ys.chunks_exact_mut(width).zip(sums.iter()) {
                    for y in &mut ys[head * dim..(head + 1) * dim] {
                        *y /= sum;
                    }
                }
            }
        },
    );
    ys
}

vectorized! {
    /// Turns the scores of so many tokens into weights that are not yet divided by their sums.
    fn soften<T>(scores: &mut [T], tokens: usize, factor: T, sums: &mut [T]) {
        let columns = scores.len() / sums.len();
        for (row, sum) in scores.chunks_exact_mut(columns).zip(sums) {
            *sum = rows::exponentials::<T, FMA>(&mut row[..tokens], factor);
        }
    }
}
