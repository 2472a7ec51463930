//! Files: what is read, what is written, and what is refused.

mod arrays_round_trip;
mod cube;
mod enmap;
mod envi;
#[path = "../forge/mod.rs"]
mod forge;
mod golden;
mod hdf5;
mod hostile;
#[cfg(any(feature = "hdf5-bundled", feature = "hdf5-system"))]
mod library;
mod mat;
mod mutation;
mod real;
mod round_trip;
mod tiff;

use std::path::PathBuf;

/// A file of `tests/data`.
fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// Names in a folder of `tests/data`, sorted.
fn names_in(folder: &str, ending: &str) -> Vec<String> {
    let entries = std::fs::read_dir(data(folder)).expect("golden folder").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(ending)).collect();
    names.sort();
    names
}

/// The samples of the golden rasters.
fn value((band, row, col): (usize, usize, usize)) -> usize {
    100 * band + 10 * row + col
}
