//! Folders that take the place of others when they are complete.

use std::path::{Path, PathBuf};

use super::CONFIG;
use crate::files::create_dir;
use crate::{Error, Result};

/// Fills a folder under another name, then lets it take the place of `target`.
pub(super) fn replace(target: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let (new, old) = siblings(target);
    remove(&new)?;
    create_dir(&new)?;
    fill(&new)?;
    remove(&old)?;
    if target.exists() {
        rename(target, &old)?;
    }
    rename(&new, target)?;
    remove(&old)
}

pub(super) fn copy(from: &Path, to: &Path, files: &[&str]) -> Result<()> {
    replace(to, |folder| {
        for file in files {
            let source = from.join(file);
            std::fs::copy(&source, folder.join(file)).map_err(|e| Error::io(source, e))?;
        }
        Ok(())
    })
}

/// Names that a folder has before it takes its place and after it lost it.
fn siblings(target: &Path) -> (PathBuf, PathBuf) {
    let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
    (target.with_file_name(format!(".{name}.new")), target.with_file_name(format!(".{name}.old")))
}

/// The folder itself, or what an interrupted replacement left of it.
pub(super) fn recovered(target: &Path) -> Option<PathBuf> {
    let (new, old) = siblings(target);
    [target.to_path_buf(), new, old].into_iter().find(|folder| folder.join(CONFIG).is_file())
}

fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(folder, e)),
        _ => Ok(()),
    }
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).map_err(|e| Error::io(to, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_replacement_is_found() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let target = folder.path().join("last");
        assert_eq!(recovered(&target), None);
        let (new, old) = siblings(&target);
        for (place, expected) in [(&old, &old), (&new, &new), (&target, &target)] {
            std::fs::create_dir(place)?;
            std::fs::write(place.join(CONFIG), "{}")?;
            assert_eq!(recovered(&target).as_ref(), Some(expected));
        }
        Ok(())
    }
}
