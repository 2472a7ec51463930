//! Windows of a `.npy` file that stays on disk.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use ndarray::{Array3, Axis};
use rayon::prelude::*;

use super::header::{NpyInfo, open_checked};
use super::layout::Layout;
use super::read::source_of;
use crate::cube::check_window;
use crate::error::{Error, Result};
use crate::meta::{Axes, Source};
use crate::sample::decode;

/// A memory-mapped three-axis `.npy` file, read window by window as `f32`.
///
/// The file must not be shortened while it is mapped: the operating system then ends the program.
pub struct MappedNpy {
    map: Mmap,
    info: NpyInfo,
    layout: Layout,
    path: PathBuf,
    axes: Axes,
}

impl MappedNpy {
    /// Maps a file.
    ///
    /// # Errors
    /// Those of [`inspect`](super::inspect), [`Error::NotACube`], and [`Error::EmptyCube`].
    pub fn open(path: impl AsRef<Path>, axes: Axes) -> Result<Self> {
        let path = path.as_ref();
        let (file, info) = open_checked(path)?;
        let layout = Layout::new(&info, axes, path)?;
        // SAFETY: the map is read-only and its length was checked against the header; that nobody
        // shortens the file meanwhile is the documented condition of every memory map.
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io(path))?;
        Ok(Self { map, info, layout, path: path.to_path_buf(), axes })
    }

    /// Number of bands.
    pub fn bands(&self) -> usize {
        self.layout.dims[0]
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.layout.dims[1]
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.layout.dims[2]
    }

    /// What the header says.
    pub fn info(&self) -> &NpyInfo {
        &self.info
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How the file stores its samples.
    pub fn source(&self) -> Source {
        source_of(&self.info, &self.path, self.axes)
    }

    /// Reads a box of samples.
    ///
    /// # Shapes
    /// - output: `[bands.len(), rows.len(), cols.len()]`
    ///
    /// # Errors
    /// [`Error::Window`] if a range is empty or reaches over the edge.
    pub fn window(
        &self,
        bands: Range<usize>,
        rows: Range<usize>,
        cols: Range<usize>,
    ) -> Result<Array3<f32>> {
        check_window("bands", &bands, self.bands())?;
        self.select(&bands.collect::<Vec<_>>(), rows, cols)
    }

    /// Reads a rectangle of pixels in some of the bands, in the given order.
    ///
    /// # Shapes
    /// - output: `[bands.len(), rows.len(), cols.len()]`
    ///
    /// # Errors
    /// [`Error::BandIndex`] for a band that is not there, [`Error::Window`] if a range is empty or
    /// reaches over the edge.
    pub fn select(
        &self,
        bands: &[usize],
        rows: Range<usize>,
        cols: Range<usize>,
    ) -> Result<Array3<f32>> {
        if let Some(&index) = bands.iter().find(|&&b| b >= self.bands()) {
            return Err(Error::BandIndex { index, bands: self.bands() });
        }
        check_window("rows", &rows, self.rows())?;
        check_window("columns", &cols, self.cols())?;
        let size = self.info.dtype.size();
        let [band_stride, row_stride, col_stride] = self.layout.strides().map(|s| s * size);
        let samples = self.map.get(self.info.data_offset as usize..).unwrap_or_default();
        let mut out = Array3::zeros((bands.len(), rows.len(), cols.len()));
        out.axis_iter_mut(Axis(0)).into_par_iter().zip(bands).for_each(|(mut plane, &band)| {
            for (mut line, row) in plane.axis_iter_mut(Axis(0)).zip(rows.clone()) {
                let start = band * band_stride + row * row_stride + cols.start * col_stride;
                let bytes = samples.get(start..).unwrap_or_default();
                if let Some(line) = line.as_slice_mut() {
                    decode(self.info.dtype, self.info.byte_order, bytes, col_stride, line);
                }
            }
        });
        Ok(out)
    }
}

impl fmt::Debug for MappedNpy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MappedNpy")
            .field("path", &self.path)
            .field("info", &self.info)
            .field("axes", &self.axes)
            .finish_non_exhaustive()
    }
}
