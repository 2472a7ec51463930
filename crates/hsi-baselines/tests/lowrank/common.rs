//! What the tests share.

use std::path::PathBuf;

use ndarray::{Array2, Array3, ArrayView, Axis};
use ndarray_npy::read_npy;

/// Returns the folder of the parity arrays, or says that the test is skipped.
pub(crate) fn fixtures() -> Option<PathBuf> {
    let Some(root) = std::env::var_os("HSI_TEST_DATA") else {
        eprintln!("skipped: HSI_TEST_DATA is not set");
        return None;
    };
    let folder = PathBuf::from(root).join("fixtures/baselines");
    if !folder.is_dir() {
        eprintln!("skipped: {} is missing", folder.display());
        return None;
    }
    Some(folder)
}

/// Reads one of the arrays of low-level operations.
pub(crate) fn low(folder: &std::path::Path, name: &str) -> Array2<f32> {
    read_npy(folder.join(format!("low/{name}.npy"))).expect(name)
}

/// Largest difference of two arrays.
pub(crate) fn max_abs_diff<D: ndarray::Dimension>(
    a: ArrayView<'_, f32, D>,
    b: ArrayView<'_, f32, D>,
) -> f32 {
    assert_eq!(a.shape(), b.shape());
    a.iter().zip(b.iter()).fold(0.0, |most, (a, b)| most.max((a - b).abs()))
}

/// Reads a cube that is stored bands last.
pub(crate) fn cube(folder: &std::path::Path, name: &str) -> Array3<f32> {
    let last: Array3<f32> = read_npy(folder.join(format!("{name}.npy"))).expect(name);
    last.permuted_axes([2, 0, 1]).as_standard_layout().into_owned()
}

/// Mean over bands of the peak signal-to-noise ratio for values in [0, 1].
pub(crate) fn psnr(estimate: &Array3<f32>, clean: &Array3<f32>) -> f64 {
    let bands = estimate.outer_iter().zip(clean.outer_iter()).map(|(a, b)| {
        let squares = a.iter().zip(&b).map(|(a, b)| f64::from(a - b).powi(2));
        -10.0 * (squares.sum::<f64>() / a.len() as f64).log10()
    });
    bands.sum::<f64>() / estimate.len_of(Axis(0)) as f64
}

/// A generator of numbers in [0, 1).
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn uniform(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }

    /// Roughly normal, of variance 1.
    fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.uniform()).sum::<f32>() - 6.0
    }
}

/// A smooth cube of three materials with a sharp edge, values within [0, 1].
pub(crate) fn scene(shape: (usize, usize, usize)) -> Array3<f32> {
    Array3::from_shape_fn(shape, |(b, r, c)| {
        let edge = if r + 2 * c > 40 { 0.15 } else { 0.0 };
        let (b, r, c) = (b as f32 * 0.1, r as f32 * 0.15, c as f32 * 0.1);
        let first = 0.2 * b.sin() * (r + c).cos();
        let second = 0.1 * (0.7 * b).cos() * r.sin();
        0.45 + first + second + 0.1 * (c - r).sin() + edge * b.cos()
    })
}

/// A cube with normal noise added.
pub(crate) fn with_noise(clean: &Array3<f32>, sigma: f32, seed: u64) -> Array3<f32> {
    let mut numbers = Numbers::new(seed);
    clean.mapv(|x| x + sigma * numbers.normal())
}

/// Replaces bands by zeros, a constant, the band before, or a band with one value that differs.
pub(crate) fn kinds_of_bands(mut cube: Array3<f32>, kinds: &[u8]) -> Array3<f32> {
    for b in 0..cube.len_of(Axis(0)).min(kinds.len()) {
        match kinds[b] {
            0 => cube.index_axis_mut(Axis(0), b).fill(0.0),
            1 => cube.index_axis_mut(Axis(0), b).fill(0.7),
            2 if b > 0 => {
                let before = cube.index_axis(Axis(0), b - 1).to_owned();
                cube.index_axis_mut(Axis(0), b).assign(&before);
            }
            3 => {
                cube.index_axis_mut(Axis(0), b).fill(0.0);
                cube[[b, 0, 0]] = 1.0;
            }
            _ => {}
        }
    }
    cube
}
