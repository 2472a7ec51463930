//! Windows of a `.npy` file that stays on disk.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use ndarray::Array3;

use super::header::{NpyInfo, open_checked};
use crate::cube::check_window;
use crate::error::{Error, Result};
use crate::io::OpenOptions;
use crate::meta::{Axes, CubeMeta, Format, SampleType, Source};
use crate::sample::ByteOrder;
use crate::samples::{RawLayout, Samples};
use crate::sidecar::read_sidecar;
use crate::stream::CubeReader;

/// A three-axis `.npy` file, read window by window through memory maps.
///
/// The file must not be shortened while it is read: the operating system then ends the program.
#[derive(Debug)]
pub struct MappedNpy {
    file: File,
    path: PathBuf,
    info: NpyInfo,
    layout: RawLayout,
    meta: CubeMeta,
}

impl MappedNpy {
    /// Opens a file, without the JSON file beside it.
    ///
    /// # Errors
    /// Those of [`inspect`](super::inspect), [`Error::NotACube`], and [`Error::EmptyCube`].
    pub fn open(path: impl AsRef<Path>, axes: Axes) -> Result<Self> {
        Self::open_as(path.as_ref(), axes, None)
    }

    fn open_as(path: &Path, axes: Axes, reshape: Option<(usize, usize)>) -> Result<Self> {
        let (file, info) = open_checked(path)?;
        // A matrix of pixels is a cube in C order, whichever way its memory runs.
        let (info, axes) = match reshape {
            Some(size) => matrix_as_cube(info, size)?,
            None => (info, axes),
        };
        let layout = layout_of(&info, axes, path)?;
        let source = source_of(&info, path, axes);
        let meta = CubeMeta { source: Some(source), ..CubeMeta::default() };
        Ok(Self { file, path: path.to_path_buf(), info, layout, meta })
    }

    /// Opens a file with the metadata of the JSON file beside it.
    pub(crate) fn open_with(path: &Path, options: &OpenOptions) -> Result<Self> {
        let mut mapped = Self::open_as(path, options.axes, options.reshape)?;
        let mut meta = read_sidecar(path)?;
        meta.validate(mapped.bands())?;
        meta.nodata = options.nodata.or(meta.nodata);
        meta.source = mapped.meta.source.take();
        mapped.meta = meta;
        Ok(mapped)
    }

    /// Number of bands.
    pub fn bands(&self) -> usize {
        self.layout.shape[0]
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.layout.shape[1]
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.layout.shape[2]
    }

    /// What the header says.
    pub fn info(&self) -> &NpyInfo {
        &self.info
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
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
        self.read(&bands.collect::<Vec<_>>(), rows, cols)
    }

    /// Reads a rectangle of pixels in some of the bands, in the given order.
    ///
    /// # Shapes
    /// - output: `[bands.len(), rows.len(), cols.len()]`
    ///
    /// # Errors
    /// [`Error::BandIndex`] for a band that is not there, [`Error::Window`] if a range or the list
    /// of bands is empty or a range reaches over the edge.
    pub fn select(
        &self,
        bands: &[usize],
        rows: Range<usize>,
        cols: Range<usize>,
    ) -> Result<Array3<f32>> {
        self.read(bands, rows, cols)
    }
}

impl CubeReader for MappedNpy {
    fn shape(&self) -> [usize; 3] {
        self.layout.shape
    }

    fn meta(&self) -> &CubeMeta {
        &self.meta
    }

    fn dtype(&self) -> SampleType {
        self.info.dtype
    }

    fn read_samples(
        &self,
        bands: &[usize],
        rows: Range<usize>,
        cols: Range<usize>,
    ) -> Result<Samples> {
        self.layout.read(&self.file, &self.path, bands, rows, cols)
    }
}

/// A matrix of bands and pixels, in either order, with its pixels row by row.
fn matrix_as_cube(info: NpyInfo, (rows, cols): (usize, usize)) -> Result<(NpyInfo, Axes)> {
    let refused = |got: &[usize]| {
        let expected = vec![rows, cols];
        Error::Shape { what: "the matrix to be reshaped", expected, got: got.to_vec() }
    };
    let pixels = rows.checked_mul(cols);
    let &[a, b] = info.shape.as_slice() else { return Err(refused(&info.shape)) };
    if pixels != Some(a) && pixels != Some(b) {
        return Err(refused(&info.shape));
    }
    // Bands are the first axis where either could be.
    let is_second = pixels == Some(b);
    let bands = if is_second { a } else { b };
    let (shape, axes) = if is_second == info.fortran_order {
        (vec![rows, cols, bands], Axes::Hwb)
    } else {
        (vec![bands, rows, cols], Axes::Bhw)
    };
    Ok((NpyInfo { shape, fortran_order: false, ..info }, axes))
}

/// Places the samples of a three-axis file in a cube.
fn layout_of(info: &NpyInfo, axes: Axes, path: &Path) -> Result<RawLayout> {
    let &[a, b, c] = info.shape.as_slice() else {
        return Err(Error::NotACube { path: path.to_path_buf(), shape: info.shape.clone() });
    };
    let axes = axes.or(Axes::Bhw);
    let mut shape = [0; 3];
    for (axis, size) in axes.order().into_iter().zip([a, b, c]) {
        shape[axis] = size;
    }
    let [bands, rows, cols] = shape;
    if info.is_empty() {
        return Err(Error::EmptyCube { bands, rows, cols });
    }
    Ok(RawLayout {
        dtype: info.dtype,
        big_endian: info.byte_order == ByteOrder::Big,
        offset: info.data_offset,
        shape,
        order: RawLayout::order_of(axes, info.fortran_order),
    })
}

/// How a file stores its samples.
fn source_of(info: &NpyInfo, path: &Path, axes: Axes) -> Source {
    Source {
        fortran_order: info.fortran_order,
        big_endian: info.byte_order == ByteOrder::Big,
        axes: axes.or(Axes::Bhw),
        ..Source::new(path, Format::Npy, info.dtype)
    }
}
