//! From datasets to batches: samples, splits, normalisation, tiles, prefetching, synthetic scenes.

mod datasets;
mod loader;
mod normalize;
mod real_data;
mod splits;
mod synthetic;
mod tiling;

use ndarray::{Array3, ArrayView3};

/// Numbers between 0 and 1 that look random, the same every time.
fn scramble(shape: (usize, usize, usize)) -> Array3<f32> {
    Array3::from_shape_fn(shape, |(b, r, c)| {
        let x = (b as f32).mul_add(12.9898, (r as f32).mul_add(78.233, c as f32 * 37.719));
        (x.sin() * 43758.547).fract().abs()
    })
}

/// Largest absolute difference of two arrays of one shape.
fn distance(a: ArrayView3<'_, f32>, b: ArrayView3<'_, f32>) -> f32 {
    assert_eq!(a.dim(), b.dim());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
