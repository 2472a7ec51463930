//! Files: what is read, what is written, and what is refused.

mod cube;
mod golden;
mod hostile;
mod round_trip;

use std::path::PathBuf;

/// A file of `tests/data`.
fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}
