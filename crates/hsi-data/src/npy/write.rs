//! Writing `.npy` files.

use std::io::Write;
use std::path::Path;

use ndarray::{Array3, ArrayView3, s};

use super::header::{NpyInfo, render_header};
use super::layout::Layout;
use crate::atomic::write_atomically;
use crate::error::{Error, Result};
use crate::meta::{Axes, SampleType};
use crate::sample::{ByteOrder, encode};

/// Samples encoded at a time, about.
const SLAB: usize = 1 << 20;

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
    if !options.dtype.is_float() {
        let count = data.iter().filter(|v| v.is_nan()).count();
        if count > 0 {
            let dtype = options.dtype;
            return Err(Error::NanToInteger { path: path.to_path_buf(), count, dtype });
        }
    }
    write_atomically(path, |file| write_to(file, data, options), || Ok(()))
}

/// Writes header and samples to an open file.
pub(crate) fn write_to(
    file: &mut impl Write,
    data: ArrayView3<'_, f32>,
    options: NpyOptions,
) -> std::io::Result<()> {
    let (bands, rows, cols) = data.dim();
    let shape = match options.axes {
        Axes::Hwb => vec![rows, cols, bands],
        Axes::Auto | Axes::Bhw => vec![bands, rows, cols],
    };
    let byte_order = if options.big_endian { ByteOrder::Big } else { ByteOrder::Little };
    let NpyOptions { dtype, fortran_order, axes, .. } = options;
    let info = NpyInfo { shape, dtype, fortran_order, byte_order, data_offset: 0 };
    file.write_all(&render_header(&info))?;
    if data.is_empty() {
        return Ok(());
    }
    let layout = Layout::for_writing([bands, rows, cols], axes, fortran_order);
    let view = data.permuted_axes(layout.order);
    let plane = view.len() / view.dim().0;
    let planes = (SLAB / plane).max(1);
    let mut bytes = Vec::new();
    for start in (0..view.dim().0).step_by(planes) {
        let slab = view.slice(s![start..(start + planes).min(view.dim().0), .., ..]);
        let copy;
        let samples = if let Some(samples) = slab.as_slice() {
            samples
        } else {
            copy = in_order(slab);
            copy.as_slice().unwrap_or_default()
        };
        for part in samples.chunks(SLAB) {
            bytes.clear();
            encode(dtype, byte_order, part, &mut bytes);
            file.write_all(&bytes)?;
        }
    }
    Ok(())
}

/// A copy in standard layout, made plane by plane of the axis that is slowest in memory.
fn in_order(slab: ArrayView3<'_, f32>) -> Array3<f32> {
    let mut copy = Array3::zeros(slab.raw_dim());
    let slowest = slab.max_stride_axis();
    for (mut to, from) in copy.axis_iter_mut(slowest).zip(slab.axis_iter(slowest)) {
        to.assign(&from);
    }
    copy
}
