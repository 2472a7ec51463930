//! NumPy's `.npy` files: every real sample type, C and Fortran order, either byte order.
//!
//! Files are treated as hostile: nothing is allocated before the header has been checked against
//! the length of the file.
//!
//! # References
//! - NumPy enhancement proposal 1, "A simple file format for NumPy arrays", versions 1.0 to 3.0.

mod header;
mod mapped;
mod read;
mod write;

pub use crate::sample::ByteOrder;
pub use header::{NpyInfo, inspect};
pub use mapped::MappedNpy;
pub use read::read_cube;
pub use write::{NpyOptions, write_array};

pub(crate) use header::MAGIC;
pub(crate) use write::NpyWriter;
