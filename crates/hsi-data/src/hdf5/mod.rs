//! HDF5 files, and MATLAB's of version 7.3, which are HDF5 behind 512 bytes with the axes reversed.
//!
//! One interface ([`Backend`], [`Sink`]) has two implementations: `native`, in Rust alone, which
//! is the default and treats files as hostile, and `library`, the C library behind the features
//! `hdf5-bundled` and `hdf5-system`. [`Hdf5Backend`] chooses.

mod archive;
mod backend;
#[cfg(any(feature = "hdf5-bundled", feature = "hdf5-system"))]
mod library;
mod native;
mod read;
mod writer;

pub(crate) use archive::Archive;
pub use backend::Hdf5Backend;
pub(crate) use read::open;
pub(crate) use writer::Hdf5Writer;

use std::fmt::Debug;
use std::fs::File;
use std::path::Path;

use crate::arrays::{ArraySource, FileBytes, Value};
use crate::error::{Error, Result};
use crate::fault::AtPath;
use crate::meta::{Compression, Format, SampleType};
use native::{Attribute, Type};

/// A dataset that a file lists.
#[derive(Clone, Debug)]
struct Entry {
    /// Path without the first slash.
    path: String,
    kind: Type,
    dims: Vec<u64>,
}

/// A file that is read.
trait Backend: Debug + Send + Sync {
    /// Its datasets, by path.
    fn entries(&self) -> &[Entry];

    /// Attributes of a dataset, or of the root group.
    fn attributes(&self, of: Option<usize>) -> Result<Vec<(String, Value)>>;

    /// A dataset of numbers for reading.
    fn dataset(&self, index: usize) -> Result<Box<dyn Stored>>;

    /// Bytes of the file.
    fn len(&self) -> u64;
}

/// A dataset of numbers that can be read.
trait Stored: ArraySource {
    /// Whether the samples lie in the file as they are.
    fn is_plain(&self) -> bool;

    /// How they are packed, in the terms of this crate; checksums are not mentioned.
    fn compression(&self) -> Compression;

    /// The same dataset as a plain source.
    fn into_source(self: Box<Self>) -> Box<dyn ArraySource>;
}

/// What is written: one dataset of samples, and values beside it.
#[derive(Clone, Debug)]
struct Spec {
    name: String,
    dtype: SampleType,
    big_endian: bool,
    dims: Vec<u64>,
    /// Size of the chunks, if there are to be any.
    chunk: Option<Vec<u64>>,
    compression: Compression,
    /// Bytes of the fill value, in the byte order of the samples.
    fill: Option<Vec<u8>>,
    /// Whether the file is one of MATLAB's.
    matlab: bool,
}

/// A small dataset: a row of numbers or of characters.
#[derive(Clone, Debug)]
struct Small {
    name: String,
    dtype: SampleType,
    dims: Vec<u64>,
    /// Little-endian.
    bytes: Vec<u8>,
    attributes: Vec<(String, Attribute)>,
}

/// A file that is written.
trait Sink: Debug + Send {
    /// Writes a box that is made of whole chunks, or ends at the edge of the dataset.
    fn write(&mut self, start: &[u64], count: &[u64], bytes: &[u8]) -> Result<()>;

    /// Completes the file. The attributes are the dataset's.
    fn finish(
        self: Box<Self>,
        attributes: Vec<(String, Attribute)>,
        small: Vec<Small>,
    ) -> Result<()>;
}

/// Whether a file has the signature of HDF5.
pub(crate) fn is_hdf5(path: &Path) -> Result<bool> {
    let file = File::open(path).and_then(FileBytes::file).map_err(Error::io(path))?;
    native::find(&file).map(|at| at.is_some()).at(path, Format::Hdf5)
}
