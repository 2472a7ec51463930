//! Which of the two implementations of HDF5 is used.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::archive::NativeFile;
use super::writer::NativeSink;
use super::{Backend, Sink, Spec};
use crate::atomic::PartialFile;
use crate::error::{Error, Result};
use crate::meta::Format;

/// What reads and writes HDF5, MATLAB's version 7.3 included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Hdf5Backend {
    /// The implementation in Rust alone, for files from anywhere.
    #[default]
    Rust,
    /// The C library, if this crate was built with `hdf5-bundled` or `hdf5-system`: for files that
    /// use what the other does not read, from those who can be trusted.
    Library,
}

impl Hdf5Backend {
    pub(super) fn open(self, path: &Path, format: Format) -> Result<Box<dyn Backend>> {
        match self {
            Self::Rust => Ok(Box::new(NativeFile::open(path, format)?)),
            #[cfg(any(feature = "hdf5-bundled", feature = "hdf5-system"))]
            Self::Library => Ok(Box::new(super::library::Library::open(path, format)?)),
            #[cfg(not(any(feature = "hdf5-bundled", feature = "hdf5-system")))]
            Self::Library => Err(missing(path, format)),
        }
    }

    pub(super) fn create(self, partial: &mut PartialFile, spec: Spec) -> Result<Box<dyn Sink>> {
        match self {
            Self::Rust => Ok(Box::new(NativeSink::create(partial, spec)?)),
            #[cfg(any(feature = "hdf5-bundled", feature = "hdf5-system"))]
            Self::Library => Ok(Box::new(super::library::LibrarySink::create(partial, spec)?)),
            #[cfg(not(any(feature = "hdf5-bundled", feature = "hdf5-system")))]
            Self::Library => {
                let format = if spec.matlab { Format::Mat73 } else { Format::Hdf5 };
                Err(missing(partial.path(), format))
            }
        }
    }
}

#[cfg(not(any(feature = "hdf5-bundled", feature = "hdf5-system")))]
fn missing(path: &Path, format: Format) -> Error {
    let feature = "the C library (built with the feature `hdf5-bundled` or `hdf5-system`)";
    Error::Unsupported { path: path.to_path_buf(), format, feature: feature.to_owned() }
}

impl FromStr for Hdf5Backend {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "rust" => Ok(Self::Rust),
            "library" => Ok(Self::Library),
            _ => Err(Error::Parse {
                what: "implementation of HDF5",
                value: text.to_owned(),
                expected: "`rust` or `library`",
            }),
        }
    }
}

impl fmt::Display for Hdf5Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rust => "rust",
            Self::Library => "library",
        })
    }
}
