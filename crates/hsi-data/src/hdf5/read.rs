//! Cubes of HDF5 files.

use std::path::Path;

use super::Archive;
use crate::arrays::{ArrayReader, StoredArray, axes as stated_axes, complete, plan};
use crate::error::Result;
use crate::io::OpenOptions;
use crate::meta::{Axes, CubeMeta, Format, Source};
use crate::sidecar::read_sidecar;

/// Opens the cube of a file: the dataset that the options name, or the only numeric one of three
/// axes.
///
/// Without a word in the options, the axes are those of the attribute `axes` or `interleave`; else
/// bands are the one axis that has as many entries as there are wavelengths; else the first (in
/// MATLAB's files the last).
pub(crate) fn open(path: &Path, format: Format, options: &OpenOptions) -> Result<ArrayReader> {
    let archive = Archive::open(path, format, options.hdf5)?;
    let arrays = archive.arrays();
    let column_major = format == Format::Mat73;
    let custom = if column_major { Axes::Hwb } else { Axes::Bhw };
    let guess = |index: usize| {
        let values = archive.values(index).unwrap_or_default();
        let by_wavelengths = || {
            axes_by_wavelengths(&arrays[index], |bands| {
                let mut meta = CubeMeta::default();
                complete(&mut meta, &values, bands);
                meta.wavelengths_nm.is_some()
            })
        };
        options
            .axes
            .or(stated_axes(&values).or_else(by_wavelengths).unwrap_or(Axes::Auto))
            .or(custom)
    };
    let plan = plan(path, &arrays, options, guess, column_major)?;
    let axes = guess(plan.index);
    let (source, compression) = archive.source(plan.index, options)?;
    let mut meta = CubeMeta::default();
    complete(&mut meta, &archive.values(plan.index)?, plan.shape()[0]);
    let mut meta = meta.or(read_sidecar(path)?);
    meta.nodata = options.nodata.or(meta.nodata);
    meta.source = Some(Source {
        fortran_order: column_major,
        big_endian: source.big_endian(),
        axes,
        compression,
        chunk: source.chunk().and_then(|chunk| plan.to_cube(chunk)),
        variable: Some(arrays[plan.index].name.clone()),
        ..Source::new(path, format, source.dtype())
    });
    ArrayReader::new(source, plan, meta)
}

/// The order of axes if just one of them has as many entries as a list of wavelengths.
fn axes_by_wavelengths(array: &StoredArray, fits: impl Fn(usize) -> bool) -> Option<Axes> {
    let &[a, b, c] = array.shape.as_slice() else { return None };
    match [a, b, c].map(fits) {
        [true, false, false] => Some(Axes::Bhw),
        [false, true, false] => Some(Axes::Hbw),
        [false, false, true] => Some(Axes::Hwb),
        _ => None,
    }
}
