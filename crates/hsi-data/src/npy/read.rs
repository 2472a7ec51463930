//! Reading a whole `.npy` file into a cube, in slabs, with one copy of the samples in memory.

use std::io::Read;
use std::path::Path;

use ndarray::{Array3, ArrayView3, Axis, Zip};

use super::header::{NpyInfo, open_checked};
use super::layout::Layout;
use crate::error::{Error, Result};
use crate::meta::{Axes, Format, Source};
use crate::sample::{ByteOrder, decode};

/// Bytes decoded at a time, about.
const SLAB: usize = 4 << 20;

/// Reads a three-axis `.npy` file as `f32`, band-first.
///
/// # Shapes
/// - output: `[bands, rows, cols]`, in standard layout
///
/// # Errors
/// Those of [`inspect`](super::inspect), [`Error::NotACube`], and [`Error::EmptyCube`].
pub fn read_cube(path: impl AsRef<Path>, axes: Axes) -> Result<(Array3<f32>, Source)> {
    let path = path.as_ref();
    let (mut file, info) = open_checked(path)?;
    let layout = Layout::new(&info, axes, path)?;
    let source = source_of(&info, path, axes);
    let data = if layout.order == [0, 1, 2] {
        read_in_order(&mut file, &info, &layout)
    } else {
        read_permuted(&mut file, &info, &layout)
    };
    data.map(|data| (data, source)).map_err(Error::io(path))
}

/// How a file stores its samples.
pub(super) fn source_of(info: &NpyInfo, path: &Path, axes: Axes) -> Source {
    Source {
        path: path.to_path_buf(),
        format: Format::Npy,
        dtype: info.dtype,
        fortran_order: info.fortran_order,
        big_endian: info.byte_order == ByteOrder::Big,
        axes: axes.or(Axes::Bhw),
    }
}

fn read_in_order(
    file: &mut impl Read,
    info: &NpyInfo,
    layout: &Layout,
) -> std::io::Result<Array3<f32>> {
    let size = info.dtype.size();
    let mut data = vec![0.0_f32; info.len()];
    let mut buffer = vec![0_u8; SLAB.min(data.len() * size)];
    for chunk in data.chunks_mut(SLAB / size) {
        let bytes = &mut buffer[..chunk.len() * size];
        file.read_exact(bytes)?;
        decode(info.dtype, info.byte_order, bytes, size, chunk);
    }
    Array3::from_shape_vec(layout.dims, data).map_err(std::io::Error::other)
}

fn read_permuted(
    file: &mut impl Read,
    info: &NpyInfo,
    layout: &Layout,
) -> std::io::Result<Array3<f32>> {
    let size = info.dtype.size();
    let [slowest, middle, fastest] = layout.file_dims();
    let plane = middle * fastest;
    let planes = (SLAB / (plane * size)).clamp(1, slowest);
    let mut bytes = vec![0_u8; planes * plane * size];
    let mut samples = vec![0.0_f32; planes * plane];
    let mut data = Array3::zeros(layout.dims);
    let slabs = data.axis_chunks_iter_mut(Axis(layout.order[0]), planes);
    for mut slab in slabs {
        let count = slab.len();
        file.read_exact(&mut bytes[..count * size])?;
        decode(info.dtype, info.byte_order, &bytes, size, &mut samples[..count]);
        let view = ArrayView3::from_shape((count / plane, middle, fastest), &samples[..count]);
        let view = view.map_err(std::io::Error::other)?.permuted_axes(layout.to_cube());
        Zip::from(slab.axis_iter_mut(Axis(0)))
            .and(view.axis_iter(Axis(0)))
            .par_for_each(|mut to, from| to.assign(&from));
    }
    Ok(data)
}
