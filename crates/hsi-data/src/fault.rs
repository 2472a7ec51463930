//! What parsers of file formats report before the path of the file is known to them.

use std::path::Path;

use crate::error::{Error, Result};
use crate::meta::Format;

/// Why a file cannot be read.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It contradicts itself or its format.
    Bad(String),
    /// It uses a part of its format that is not supported.
    Unsupported(String),
    /// The operating system refused.
    Io(std::io::Error),
}

/// Result of a parser.
pub(crate) type Parsed<T> = std::result::Result<T, Fault>;

impl Fault {
    /// The error of the crate, with file and format.
    pub(crate) fn at(self, path: &Path, format: Format) -> Error {
        let path = path.to_path_buf();
        match self {
            Self::Bad(reason) => Error::Malformed { path, format, reason },
            Self::Unsupported(feature) => Error::Unsupported { path, format, feature },
            Self::Io(source) => Error::Io { path, source },
        }
    }
}

/// Gives the result of a parser its file.
pub(crate) trait AtPath<T> {
    /// The error of the crate, with file and format.
    fn at(self, path: &Path, format: Format) -> Result<T>;
}

impl<T> AtPath<T> for Parsed<T> {
    fn at(self, path: &Path, format: Format) -> Result<T> {
        self.map_err(|fault| fault.at(path, format))
    }
}

impl From<&str> for Fault {
    fn from(reason: &str) -> Self {
        Self::Bad(reason.to_owned())
    }
}

impl From<String> for Fault {
    fn from(reason: String) -> Self {
        Self::Bad(reason)
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// `Err` with the reason why a file is bad.
macro_rules! bad {
    ($($text:tt)*) => { Err($crate::fault::Fault::Bad(format!($($text)*))) };
}

/// `Err` with the part of a format that is not supported.
macro_rules! unsupported {
    ($($text:tt)*) => { Err($crate::fault::Fault::Unsupported(format!($($text)*))) };
}

pub(crate) use {bad, unsupported};
