//! Listing folders in an order that does not depend on the file system.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Entries of a folder that are files, or folders, sorted by name.
pub(crate) fn sorted_entries(folder: &Path, folders: bool) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = entry.map_err(Error::io(folder))?.path();
        // Follows links, as datasets are often linked in.
        if if folders { path.is_dir() } else { path.is_file() } {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// File or folder name as text.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// File name without its extension, as text.
pub(super) fn file_stem(path: &Path) -> String {
    path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
