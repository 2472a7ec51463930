//! Reading a whole `.npy` file.

use std::path::Path;

use ndarray::Array3;

use super::MappedNpy;
use crate::error::Result;
use crate::meta::{Axes, Source};
use crate::stream::read_all;

/// Reads a three-axis `.npy` file as `f32`, band-first.
///
/// # Shapes
/// - output: `[bands, rows, cols]`, in standard layout
///
/// # Errors
/// Those of [`inspect`](super::inspect), [`Error::NotACube`](crate::Error::NotACube), and
/// [`Error::EmptyCube`](crate::Error::EmptyCube).
pub fn read_cube(path: impl AsRef<Path>, axes: Axes) -> Result<(Array3<f32>, Source)> {
    let (data, meta) = read_all(&MappedNpy::open(path, axes)?)?.into_parts();
    let source = meta.source.expect("a mapped file names its source");
    Ok((data, source))
}
