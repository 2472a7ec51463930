//! Which axis of a file is which axis of the cube.

use std::path::Path;

use super::header::NpyInfo;
use crate::error::{Error, Result};
use crate::meta::Axes;

/// Places the samples of a three-axis file in a cube.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Axes of the cube (0 bands, 1 rows, 2 columns) from the slowest in the file to the fastest.
    pub(super) order: [usize; 3],
    /// Bands, rows, columns.
    pub(super) dims: [usize; 3],
}

impl Layout {
    /// The layout of a file, from its header and the order of its axes.
    pub(super) fn new(info: &NpyInfo, axes: Axes, path: &Path) -> Result<Self> {
        let &[a, b, c] = info.shape.as_slice() else {
            return Err(Error::NotACube { path: path.to_path_buf(), shape: info.shape.clone() });
        };
        let layout = match axes.or(Axes::Bhw) {
            Axes::Hwb => Self { order: [1, 2, 0], dims: [c, a, b] },
            Axes::Auto | Axes::Bhw => Self { order: [0, 1, 2], dims: [a, b, c] },
        };
        let [bands, rows, cols] = layout.dims;
        if info.is_empty() {
            return Err(Error::EmptyCube { bands, rows, cols });
        }
        Ok(if info.fortran_order { layout.reversed() } else { layout })
    }

    /// The layout in which a cube of the given size is written.
    pub(super) fn for_writing(dims: [usize; 3], axes: Axes, fortran_order: bool) -> Self {
        let order = if axes == Axes::Hwb { [1, 2, 0] } else { [0, 1, 2] };
        let layout = Self { order, dims };
        if fortran_order { layout.reversed() } else { layout }
    }

    fn reversed(self) -> Self {
        let [a, b, c] = self.order;
        Self { order: [c, b, a], ..self }
    }

    /// Sizes of the file's axes, from the slowest to the fastest.
    pub(super) fn file_dims(&self) -> [usize; 3] {
        self.order.map(|axis| self.dims[axis])
    }

    /// Distance in samples from one band, row, column to the next.
    pub(super) fn strides(&self) -> [usize; 3] {
        let [_, middle, fastest] = self.file_dims();
        let mut strides = [0; 3];
        for (axis, stride) in self.order.into_iter().zip([middle * fastest, fastest, 1]) {
            strides[axis] = stride;
        }
        strides
    }

    /// Where each axis of the cube stands in the file, for permuting a file-ordered array.
    pub(super) fn to_cube(self) -> [usize; 3] {
        let mut places = [0; 3];
        for (place, axis) in self.order.into_iter().enumerate() {
            places[axis] = place;
        }
        places
    }
}
