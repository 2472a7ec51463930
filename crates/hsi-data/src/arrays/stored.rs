//! The arrays that a file holds, and which of them is meant.

use std::fmt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::hdf5::{Archive, Hdf5Backend};
use crate::mat::MatFile;
use crate::meta::{Format, SampleType};
use crate::npy;

/// An array in a file that may hold several.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredArray {
    /// Name or path by which the array is chosen.
    pub name: String,
    /// Class or type as the format names it, such as `double` or `struct`.
    pub kind: String,
    /// Size of each axis as the format's own programs show it.
    pub shape: Vec<usize>,
    /// Type of the stored samples, if they are real numbers.
    pub dtype: Option<SampleType>,
}

impl StoredArray {
    /// Number of samples.
    pub(crate) fn count(&self) -> usize {
        self.shape.iter().fold(1, |n, &axis| n.saturating_mul(axis))
    }
}

impl fmt::Display for StoredArray {
    /// Name, class and shape, such as `Y` double 198 x 10000.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape: Vec<String> = self.shape.iter().map(ToString::to_string).collect();
        let shape = if shape.is_empty() { "scalar".to_owned() } else { shape.join(" x ") };
        write!(f, "`{}` {} {shape}", self.name, self.kind)
    }
}

/// The array of a name or, without one, the only numeric array that `fits`.
pub(crate) fn choose(
    path: &Path,
    arrays: &[StoredArray],
    name: Option<&str>,
    wanted: &'static str,
    fits: impl Fn(&StoredArray) -> bool,
) -> Result<usize> {
    let path_of = || path.to_path_buf();
    if let Some(name) = name {
        let same = |array: &StoredArray| {
            array.name == name || array.name.trim_start_matches('/') == name.trim_start_matches('/')
        };
        let Some(found) = arrays.iter().position(same) else {
            return Err(Error::NoSuchArray {
                path: path_of(),
                name: name.to_owned(),
                holds: list(arrays),
            });
        };
        if arrays[found].dtype.is_none() {
            let descr = arrays[found].kind.clone();
            return Err(Error::UnsupportedDtype { path: path_of(), descr });
        }
        return Ok(found);
    }
    let mut fitting = (0..arrays.len()).filter(|&i| arrays[i].dtype.is_some() && fits(&arrays[i]));
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Ok(only),
        (first, _) => Err(Error::ChooseArray {
            path: path_of(),
            wanted,
            found: if first.is_some() { "several" } else { "none" },
            holds: list(arrays),
        }),
    }
}

/// The arrays of a file in one line; a long list is cut.
fn list(arrays: &[StoredArray]) -> String {
    const MOST: usize = 40;
    if arrays.is_empty() {
        return "nothing".to_owned();
    }
    let mut text: Vec<String> = arrays.iter().take(MOST).map(ToString::to_string).collect();
    if arrays.len() > MOST {
        text.push(format!("{} more", arrays.len() - MOST));
    }
    text.join(", ")
}

/// Lists the arrays of a file that may hold several: MATLAB's and HDF5. A `.npy` file holds one
/// without a name.
///
/// # Errors
/// [`Error::UnknownFormat`], [`Error::Unsupported`] for formats whose files are one cube, and those
/// of the format.
pub fn contents(path: impl AsRef<Path>) -> Result<Vec<StoredArray>> {
    let path = path.as_ref();
    match Format::sniff(path)? {
        Format::Mat5 => Ok(MatFile::open(path)?.arrays()),
        format @ (Format::Mat73 | Format::Hdf5) => {
            Ok(Archive::open(path, format, Hdf5Backend::default())?.arrays())
        }
        Format::Npy => {
            let info = npy::inspect(path)?;
            let kind = info.dtype.to_string();
            let (name, dtype) = (String::new(), Some(info.dtype));
            Ok(vec![StoredArray { name, kind, shape: info.shape, dtype }])
        }
        format => Err(Error::Unsupported {
            path: path.to_path_buf(),
            format,
            feature: "a list of arrays".to_owned(),
        }),
    }
}
