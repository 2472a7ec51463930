//! Reference arrays, and cubes made here.

use std::path::PathBuf;

use ndarray::{Array, Array3, ArrayView, Dimension};
use ndarray_npy::{ReadableElement, read_npy};

/// The reference arrays below `HSI_TEST_DATA`; says so and returns nothing if they are not there.
pub(crate) struct References(PathBuf);

impl References {
    pub(crate) fn find() -> Option<Self> {
        let root = std::env::var_os("HSI_TEST_DATA").map(PathBuf::from);
        let folder = root.map(|root| root.join("fixtures/baselines")).filter(|path| path.is_dir());
        if folder.is_none() {
            eprintln!("skipped: `HSI_TEST_DATA` names no folder with `fixtures/baselines` in it");
        }
        folder.map(Self)
    }

    /// Reads an array as it is stored.
    pub(crate) fn read<T: ReadableElement, D: Dimension>(&self, name: &str) -> Array<T, D> {
        read_npy(self.0.join(format!("{name}.npy"))).unwrap()
    }

    /// Reads a cube that is stored bands last.
    pub(crate) fn cube<T: ReadableElement + Clone>(&self, name: &str) -> Array3<T> {
        let last: Array3<T> = self.read(name);
        last.permuted_axes([2, 0, 1]).as_standard_layout().into_owned()
    }
}

/// The largest absolute difference, divided by the largest absolute value expected.
pub(crate) fn relative<T, U, D>(got: ArrayView<'_, T, D>, expected: ArrayView<'_, U, D>) -> f64
where
    T: Copy + Into<f64>,
    U: Copy + Into<f64>,
    D: Dimension,
{
    assert_eq!(got.shape(), expected.shape());
    let pairs = got.iter().zip(expected.iter());
    let worst = pairs.fold(0.0, |max: f64, (&a, &b)| max.max((a.into() - b.into()).abs()));
    worst / expected.iter().fold(f64::MIN_POSITIVE, |max, &x| max.max(x.into().abs()))
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
    pub(crate) fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.uniform()).sum::<f32>() - 6.0
    }
}

/// A smooth cube of three materials.
pub(crate) fn scene(shape: (usize, usize, usize)) -> Array3<f32> {
    Array3::from_shape_fn(shape, |(b, r, c)| {
        let (b, r, c) = (b as f32 * 0.1, r as f32 * 0.15, c as f32 * 0.1);
        0.5 + 0.2 * b.sin() * (r + c).cos() + 0.1 * (0.7 * b).cos() * r.sin() + 0.1 * (c - r).sin()
    })
}

/// A cube with normal noise added.
pub(crate) fn with_noise(clean: &Array3<f32>, sigma: f32, seed: u64) -> Array3<f32> {
    let mut numbers = Numbers::new(seed);
    clean.mapv(|x| x + sigma * numbers.normal())
}
