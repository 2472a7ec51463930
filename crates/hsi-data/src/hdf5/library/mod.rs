//! HDF5 through the C library, behind the features `hdf5-bundled` and `hdf5-system`.
//!
//! It reads what the reader in Rust does not: szip, n-bit, scale-offset, virtual and external
//! datasets, according to how it was built. It was not made for hostile files. All calls are under
//! one lock.

mod read;
mod write;

use std::path::Path;

pub(super) use read::Library;
pub(super) use write::LibrarySink;

use crate::error::Error;
use crate::meta::Format;

/// What the library says of a file.
fn failed(path: &Path, format: Format) -> impl Fn(hdf5::Error) -> Error + '_ {
    move |error| {
        let reason = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        Error::Malformed { path: path.to_path_buf(), format, reason }
    }
}
