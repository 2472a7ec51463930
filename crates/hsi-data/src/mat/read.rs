//! Cubes of MATLAB 5 files.

use std::path::Path;

use super::file::MatFile;
use crate::arrays::{ArrayReader, complete, plan};
use crate::error::Result;
use crate::io::OpenOptions;
use crate::meta::{Axes, Compression, CubeMeta, Format, Source};
use crate::sample::ByteOrder;
use crate::sidecar::read_sidecar;

/// Opens the cube of a file: the array that the options name, or the only numeric one of three
/// axes. Wavelengths and the like come from other variables of the file, or from a JSON file.
pub(crate) fn open(path: &Path, options: &OpenOptions) -> Result<ArrayReader> {
    let file = MatFile::open(path)?;
    let arrays = file.arrays();
    let axes = options.axes.or(Axes::Hwb);
    let plan = plan(path, &arrays, options, |_| axes, true)?;
    let source = file.source(plan.index, options)?;
    let mut meta = CubeMeta::default();
    complete(&mut meta, &file.values()?, plan.shape()[0]);
    let mut meta = meta.or(read_sidecar(path)?);
    meta.nodata = options.nodata.or(meta.nodata);
    let packed = file.is_packed(plan.index);
    meta.source = Some(Source {
        fortran_order: true,
        big_endian: file.order() == ByteOrder::Big,
        axes,
        compression: if packed {
            Compression::Deflate { level: 6, filter: false }
        } else {
            Compression::None
        },
        variable: Some(arrays[plan.index].name.clone()),
        ..Source::new(path, Format::Mat5, source.dtype())
    });
    ArrayReader::new(source, plan, meta)
}
