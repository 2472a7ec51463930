//! What the tests share.

use std::path::PathBuf;

use ndarray::{Array2, ArrayView};
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
