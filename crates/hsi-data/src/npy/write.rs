//! Writing `.npy` files.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use ndarray::ArrayView3;

use super::header::{NpyInfo, render_header};
use crate::atomic::{PartialFile, write_atomically};
use crate::error::{Error, Result};
use crate::io::SaveOptions;
use crate::meta::{Axes, CubeMeta, SampleType};
use crate::sample::ByteOrder;
use crate::samples::{RawLayout, Samples};
use crate::sidecar::write_sidecar;
use crate::stream::{CubeWriter, RowCount, write_all};

/// How samples are stored in a `.npy` file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NpyOptions {
    /// Type of the samples; integers are rounded (ties to even) and clamped to their range.
    pub dtype: SampleType,
    /// Whether the first axis varies fastest.
    pub fortran_order: bool,
    /// Whether the samples are big-endian.
    pub big_endian: bool,
    /// Order of the axes; `Auto` is band-first.
    pub axes: Axes,
}

impl Default for NpyOptions {
    /// Little-endian `f4`, C order, band-first.
    fn default() -> Self {
        Self { dtype: SampleType::F32, fortran_order: false, big_endian: false, axes: Axes::Bhw }
    }
}

/// Writes an array to a `.npy` file, under a temporary name first.
///
/// # Shapes
/// - `data`: `[bands, rows, cols]`, any strides
///
/// # Errors
/// [`Error::NanToInteger`] if NaN samples were to become integers, [`Error::Io`].
pub fn write_array(
    path: impl AsRef<Path>,
    data: ArrayView3<'_, f32>,
    options: NpyOptions,
) -> Result<()> {
    let path = path.as_ref();
    if data.is_empty() {
        let header = header(data.dim().into(), options);
        return write_atomically(path, |file| file.write_all(&render_header(&header)), || Ok(()));
    }
    write_all(Box::new(NpyWriter::start(path, data.dim().into(), options)?), data)
}

fn header(shape: [usize; 3], options: NpyOptions) -> NpyInfo {
    let NpyOptions { dtype, fortran_order, big_endian, axes } = options;
    NpyInfo {
        shape: axes.order().map(|axis| shape[axis]).to_vec(),
        dtype,
        fortran_order,
        byte_order: if big_endian { ByteOrder::Big } else { ByteOrder::Little },
        data_offset: 0,
    }
}

/// A `.npy` file that is being written, and the JSON file beside it.
#[derive(Debug)]
pub(crate) struct NpyWriter {
    partial: PartialFile,
    layout: RawLayout,
    rows: RowCount,
    meta: CubeMeta,
    sidecar: bool,
}

impl NpyWriter {
    pub(crate) fn create(
        path: &Path,
        shape: [usize; 3],
        meta: &CubeMeta,
        options: &SaveOptions,
    ) -> Result<Self> {
        let custom = NpyOptions::default();
        let options = NpyOptions {
            dtype: options.dtype.unwrap_or(custom.dtype),
            fortran_order: options.fortran_order.unwrap_or(custom.fortran_order),
            big_endian: options.big_endian.unwrap_or(custom.big_endian),
            axes: options.axes.or(custom.axes),
        };
        Ok(Self { meta: meta.clone(), sidecar: true, ..Self::start(path, shape, options)? })
    }

    fn start(path: &Path, shape: [usize; 3], options: NpyOptions) -> Result<Self> {
        let rows = RowCount::new(shape)?;
        let mut partial = PartialFile::create(path)?;
        let header = render_header(&header(shape, options));
        partial.file().write_all(&header).map_err(Error::io(path))?;
        let layout = RawLayout {
            dtype: options.dtype,
            big_endian: options.big_endian,
            offset: header.len() as u64,
            shape,
            order: RawLayout::order_of(options.axes, options.fortran_order),
        };
        Ok(Self { partial, layout, rows, meta: CubeMeta::default(), sidecar: false })
    }
}

impl CubeWriter for NpyWriter {
    fn shape(&self) -> [usize; 3] {
        self.layout.shape
    }

    fn meta(&self) -> &CubeMeta {
        &self.meta
    }

    fn dtype(&self) -> SampleType {
        self.layout.dtype
    }

    fn path(&self) -> &Path {
        self.partial.path()
    }

    fn write_samples(&mut self, samples: Samples) -> Result<()> {
        let row = self.rows.take(samples.shape(), self.partial.path())?;
        let samples = samples.cast(self.layout.dtype);
        let file: &mut File = self.partial.file();
        let written = self.layout.write_rows(file, row, &samples);
        written.map_err(Error::io(self.partial.path()))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.rows.complete(self.partial.path())?;
        self.partial.sync()?;
        if self.sidecar {
            write_sidecar(self.partial.path(), &self.meta)?;
        }
        self.partial.commit()
    }
}
