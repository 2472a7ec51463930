//! Writing files so that a reader finds the old one or the new one, never half of one.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::{Error, Result};

/// Name beside `path` that a file has until it is complete.
fn partial(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.partial", std::process::id()));
    path.with_file_name(name)
}

/// Writes a file through a temporary name: `write` gets that name.
///
/// # Errors
/// When the folder cannot be made, or writing or renaming fails; the temporary file is removed.
pub fn write_atomic(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_dir(folder)?;
    }
    let temporary = partial(path);
    let done = write(&temporary)
        .and_then(|()| std::fs::rename(&temporary, path).map_err(|e| Error::io(path, e)));
    if done.is_err() {
        // The first error is the one to report.
        let _ = std::fs::remove_file(&temporary);
    }
    done
}

/// Writes text through a temporary name.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_text(path: &Path, text: &str) -> Result<()> {
    write_atomic(path, |temporary| {
        let mut file = std::fs::File::create(temporary).map_err(|e| Error::io(path, e))?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|e| Error::io(path, e))
    })
}

/// Writes pretty JSON through a temporary name.
///
/// # Errors
/// As [`write_atomic`], and when the value cannot be written as JSON.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|source| Error::Json { path: path.to_path_buf(), source })?;
    text.push('\n');
    write_text(path, &text)
}

/// Reads JSON.
///
/// # Errors
/// When the file cannot be read or holds something else.
pub fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
    serde_json::from_str(&text).map_err(|source| Error::Json { path: path.to_path_buf(), source })
}

/// Makes a folder and those above it.
///
/// # Errors
/// When it cannot be made.
pub fn create_dir(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|e| Error::io(path, e))
}
