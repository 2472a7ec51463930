//! Cube files larger than memory: read by windows, written by blocks of rows.

use std::fmt::Debug;
use std::ops::Range;
use std::path::Path;

use ndarray::{Array3, ArrayView3};

use crate::cube::Cube;
use crate::error::{Error, Result};
use crate::meta::{CubeMeta, SampleType};
use crate::samples::Samples;

/// A cube file that stays on disk.
pub trait CubeReader: Debug + Send + Sync {
    /// Bands, rows and columns, none of them zero.
    fn shape(&self) -> [usize; 3];

    /// The metadata of the whole cube; its `source` says how the file stores its samples.
    fn meta(&self) -> &CubeMeta;

    /// Type of the stored samples.
    fn dtype(&self) -> SampleType;

    /// Rows that are read at once with the least effort, all bands: those of a strip, a tile or a
    /// chunk.
    fn block_rows(&self) -> usize {
        1
    }

    /// Reads a rectangle of pixels in some of the bands, in the given order, in the type of the
    /// file.
    ///
    /// # Shapes
    /// - output: `[bands.len(), rows.len(), cols.len()]`, in any memory order
    ///
    /// # Errors
    /// [`Error::BandIndex`] for a band that is not there, [`Error::Window`] if a range or the list
    /// of bands is empty or a range reaches over the edge, and what reading the file may bring.
    fn read_samples(
        &self,
        bands: &[usize],
        rows: Range<usize>,
        cols: Range<usize>,
    ) -> Result<Samples>;

    /// Reads a rectangle of pixels in some of the bands, in the given order, as `f32`.
    ///
    /// # Shapes
    /// - output: `[bands.len(), rows.len(), cols.len()]`, in standard layout
    ///
    /// # Errors
    /// Those of [`read_samples`](Self::read_samples).
    fn read(&self, bands: &[usize], rows: Range<usize>, cols: Range<usize>) -> Result<Array3<f32>> {
        self.read_samples(bands, rows, cols).map(|samples| samples.to_f32())
    }
}

/// A cube file that is being written under a temporary name. It vanishes unless it is finished.
pub trait CubeWriter: Debug + Send {
    /// Bands, rows and columns.
    fn shape(&self) -> [usize; 3];

    /// The metadata that is written.
    fn meta(&self) -> &CubeMeta;

    /// Type of the samples in the file.
    fn dtype(&self) -> SampleType;

    /// The file to be.
    fn path(&self) -> &Path;

    /// Rows that are written at once with the least effort.
    fn block_rows(&self) -> usize {
        1
    }

    /// Writes the next rows, all bands. Samples of another type than the file's are rounded (ties
    /// to even) and clamped.
    ///
    /// # Shapes
    /// - `samples`: `[bands, any, cols]`, in any memory order
    ///
    /// # Errors
    /// [`Error::Shape`] for other bands or columns, [`Error::Rows`] for more rows than the cube
    /// has, [`Error::Io`].
    fn write_samples(&mut self, samples: Samples) -> Result<()>;

    /// Writes the next rows, all bands. Where the file holds integers, samples are rounded (ties to
    /// even) and clamped, and NaN becomes the nodata value.
    ///
    /// # Shapes
    /// - `rows`: `[bands, any, cols]`, any strides
    ///
    /// # Errors
    /// [`Error::NanToInteger`] if there is no nodata value to stand for NaN, and those of
    /// [`write_samples`](Self::write_samples).
    fn write(&mut self, rows: ArrayView3<'_, f32>) -> Result<()> {
        let (dtype, nodata) = (self.dtype(), self.meta().nodata);
        let samples = Samples::from_f32(rows, dtype, nodata).map_err(|count| {
            Error::NanToInteger { path: self.path().to_path_buf(), count, dtype }
        })?;
        self.write_samples(samples)
    }

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    /// [`Error::Rows`] if rows are missing, [`Error::Io`].
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Bytes of the samples that a block of rows should have, about.
const BLOCK_BYTES: usize = 16 << 20;

/// Rows to take at a time from a cube of rows of so many bytes, given in multiples of the rows
/// that the two sides prefer.
pub fn rows_at_a_time(bytes_per_row: usize, preferred: [usize; 2], rows: usize) -> usize {
    let unit = preferred.into_iter().max().unwrap_or(1).clamp(1, rows.max(1));
    let units = BLOCK_BYTES / bytes_per_row.saturating_mul(unit).max(1);
    (units.max(1) * unit).min(rows.max(1))
}

/// Reads all of a cube.
pub(crate) fn read_all(reader: &dyn CubeReader) -> Result<Cube> {
    let [bands, rows, cols] = reader.shape();
    let all: Vec<usize> = (0..bands).collect();
    let row_bytes = bands.saturating_mul(cols).saturating_mul(reader.dtype().size().max(4));
    let step = rows_at_a_time(row_bytes, [reader.block_rows(), 1], rows);
    if step >= rows {
        return Cube::new(reader.read(&all, 0..rows, 0..cols)?, reader.meta().clone());
    }
    let mut data = Array3::zeros((bands, rows, cols));
    for start in (0..rows).step_by(step) {
        let end = (start + step).min(rows);
        let block = reader.read(&all, start..end, 0..cols)?;
        data.slice_mut(ndarray::s![.., start..end, ..]).assign(&block);
    }
    Cube::new(data, reader.meta().clone())
}

/// Writes all of a cube.
pub(crate) fn write_all(mut writer: Box<dyn CubeWriter>, data: ArrayView3<'_, f32>) -> Result<()> {
    let (bands, rows, cols) = data.dim();
    let row_bytes = bands.saturating_mul(cols).saturating_mul(4);
    let step = rows_at_a_time(row_bytes, [writer.block_rows(), 1], rows);
    for start in (0..rows).step_by(step) {
        let end = (start + step).min(rows);
        writer.write(data.slice(ndarray::s![.., start..end, ..]))?;
    }
    writer.finish()
}

/// What every writer checks: that blocks fit, and that all rows came.
#[derive(Debug)]
pub(crate) struct RowCount {
    shape: [usize; 3],
    done: usize,
}

impl RowCount {
    /// Starts at the first row of a cube that is not empty.
    pub(crate) fn new(shape: [usize; 3]) -> Result<Self> {
        let [bands, rows, cols] = shape;
        if shape.contains(&0) {
            return Err(Error::EmptyCube { bands, rows, cols });
        }
        Ok(Self { shape, done: 0 })
    }

    /// The row at which a block starts, after which the next will.
    pub(crate) fn take(&mut self, block: [usize; 3], path: &Path) -> Result<usize> {
        let [bands, rows, cols] = self.shape;
        if block[0] != bands || block[2] != cols {
            let expected = vec![bands, block[1], cols];
            return Err(Error::Shape { what: "a block of rows", expected, got: block.to_vec() });
        }
        let start = self.done;
        if block[1] > rows - start {
            let got = start.saturating_add(block[1]);
            return Err(Error::Rows { path: path.to_path_buf(), expected: rows, got });
        }
        self.done += block[1];
        Ok(start)
    }

    /// Whether all rows came.
    pub(crate) fn complete(&self, path: &Path) -> Result<()> {
        if self.done == self.shape[1] {
            return Ok(());
        }
        Err(Error::Rows { path: path.to_path_buf(), expected: self.shape[1], got: self.done })
    }
}
