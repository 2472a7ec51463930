//! Small matrices: spectral responses, point spread functions.

use std::fs::File;
use std::path::Path;

use ndarray::Array2;

use super::FileBytes;
use super::reader::ArraySource;
use super::stored::{StoredArray, choose};
use crate::error::{Error, Result};
use crate::fault::AtPath;
use crate::io::OpenOptions;
use crate::meta::{Format, SampleType};
use crate::sample::ByteOrder;
use crate::samples::{Element, with_dtype};
use crate::{hdf5, mat, npy};

/// Bytes of a matrix at most.
const MAX_BYTES: u64 = 1 << 30;

/// Reads a matrix of numbers from a `.mat` (version 5 or 7.3), HDF5 or `.npy` file, exactly but for
/// 64-bit integers beyond 2^53.
///
/// Without a name, the only numeric array of two axes is meant; MATLAB's scalars are passed over. An
/// array of one axis becomes a matrix of one row.
///
/// # Shapes
/// - output: rows and columns as the format's own programs show them
///
/// # Errors
/// [`Error::NoSuchArray`] or [`Error::ChooseArray`], which list what the file holds,
/// [`Error::NotAMatrix`] for an array of another rank, [`Error::Limit`] for more than 1 GiB, and those
/// of the format.
pub fn read_matrix(path: impl AsRef<Path>, variable: Option<&str>) -> Result<Array2<f64>> {
    let path = path.as_ref();
    let options = OpenOptions::default();
    match Format::sniff(path)? {
        Format::Mat5 => {
            let file = mat::MatFile::open(path)?;
            let index = choose_matrix(path, &file.arrays(), variable)?;
            read(path, &*file.source(index, &options)?, true)
        }
        format @ (Format::Hdf5 | Format::Mat73) => {
            let file = hdf5::Archive::open(path, format, options.hdf5)?;
            let index = choose_matrix(path, &file.arrays(), variable)?;
            read(path, &*file.source(index, &options)?.0, format == Format::Mat73)
        }
        Format::Npy => read_npy(path),
        format => Err(Error::Unsupported {
            path: path.to_path_buf(),
            format,
            feature: "a matrix".to_owned(),
        }),
    }
}

fn read_npy(path: &Path) -> Result<Array2<f64>> {
    let info = npy::inspect(path)?;
    let bytes = (info.len() * info.dtype.size()) as u64;
    let mut dims: Vec<u64> = info.shape.iter().map(|&size| size as u64).collect();
    if info.fortran_order {
        dims.reverse();
    }
    let file = File::open(path).map_err(Error::io(path))?;
    let file = FileBytes::file(file).map_err(Error::io(path))?;
    if bytes > MAX_BYTES {
        return Err(Error::Limit { path: path.to_path_buf(), bytes, limit: MAX_BYTES });
    }
    let raw = file.bytes(info.data_offset, bytes).at(path, Format::Npy)?;
    let values = numbers(info.dtype, info.byte_order == ByteOrder::Big, &raw);
    matrix(path, &dims, values, info.fortran_order)
}

fn choose_matrix(path: &Path, arrays: &[StoredArray], name: Option<&str>) -> Result<usize> {
    let fits = |array: &StoredArray| array.shape.len() == 2 && array.count() > 1;
    choose(path, arrays, name, "one numeric matrix", fits)
}

fn read(path: &Path, source: &dyn ArraySource, column_major: bool) -> Result<Array2<f64>> {
    let dims = source.dims();
    let bytes = dims.iter().fold(8_u64, |n, &dim| n.saturating_mul(dim));
    if bytes > MAX_BYTES {
        return Err(Error::Limit { path: path.to_path_buf(), bytes, limit: MAX_BYTES });
    }
    let mut raw = vec![0; bytes as usize / 8 * source.dtype().size()];
    source.read(&vec![0; dims.len()], dims, &mut raw)?;
    let values = numbers(source.dtype(), source.big_endian(), &raw);
    matrix(path, dims, values, column_major)
}

/// Numbers in C order as a matrix.
fn matrix(path: &Path, dims: &[u64], values: Vec<f64>, column_major: bool) -> Result<Array2<f64>> {
    let sizes: Vec<usize> = dims.iter().map(|&dim| dim as usize).collect();
    let not_a_matrix = || {
        let shape =
            if column_major { sizes.iter().rev().copied().collect() } else { sizes.clone() };
        Error::NotAMatrix { path: path.to_path_buf(), shape }
    };
    let shape = match *sizes.as_slice() {
        [cols] => (1, cols),
        [rows, cols] => (rows, cols),
        _ => return Err(not_a_matrix()),
    };
    let array = Array2::from_shape_vec(shape, values).map_err(|_| not_a_matrix())?;
    Ok(if column_major { array.reversed_axes().as_standard_layout().into_owned() } else { array })
}

/// Decodes stored numbers.
pub(crate) fn numbers(dtype: SampleType, big_endian: bool, bytes: &[u8]) -> Vec<f64> {
    with_dtype!(dtype, T => {
        let mut values = vec![T::default(); bytes.len() / dtype.size()];
        T::decode(bytes, dtype.size(), big_endian, &mut values);
        values.into_iter().map(Element::to_f64).collect()
    })
}
