//! What formats have in common that hold named arrays of any rank: MATLAB's and HDF5.

mod boxes;
mod file_bytes;
mod matrix;
mod names;
mod reader;
mod stored;

pub(crate) use boxes::{Side, advance, check_box, copy_box, place, read_run, strides};
pub(crate) use file_bytes::FileBytes;
pub(crate) use matrix::numbers;
pub use matrix::read_matrix;
pub(crate) use names::{Value, axes, complete, fields, is_known, matlab_name};
pub(crate) use reader::{ArrayReader, ArraySource, encode, plan};
pub use stored::{StoredArray, contents};
