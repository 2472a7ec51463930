//! Files that appear whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// A file under a temporary name in the folder of its target. It vanishes unless it is committed.
#[derive(Debug)]
pub(crate) struct PartialFile {
    temporary: NamedTempFile,
    path: PathBuf,
}

impl PartialFile {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".hsi-").suffix(".tmp");
        #[cfg(unix)]
        {
            // A temporary file is private by default; the finished one follows the user's mask.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let temporary = builder.tempfile_in(folder).map_err(Error::io(path))?;
        Ok(Self { temporary, path: path.to_path_buf() })
    }

    /// The open file.
    pub(crate) fn file(&mut self) -> &mut File {
        self.temporary.as_file_mut()
    }

    /// The name that the file will have.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The name that the file has until it is committed.
    #[cfg(any(feature = "hdf5-bundled", feature = "hdf5-system"))]
    pub(crate) fn temporary(&self) -> &Path {
        self.temporary.path()
    }

    /// Makes sure that the content is on the disk.
    pub(crate) fn sync(&self) -> Result<()> {
        self.temporary.as_file().sync_all().map_err(Error::io(&self.path))
    }

    /// Gives the file its name.
    pub(crate) fn commit(self) -> Result<()> {
        self.sync()?;
        let Self { temporary, path } = self;
        temporary.persist(&path).map_err(|error| Error::io(&path)(error.error))?;
        Ok(())
    }
}

/// Writes a file under a temporary name in the same folder and renames it when it is complete and
/// `before_rename` has succeeded.
pub(crate) fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&mut File>) -> std::io::Result<()>,
    before_rename: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let mut partial = PartialFile::create(path)?;
    let mut buffered = BufWriter::with_capacity(1 << 16, partial.file());
    write(&mut buffered).and_then(|()| buffered.flush()).map_err(Error::io(path))?;
    drop(buffered);
    partial.sync()?;
    before_rename()?;
    partial.commit()
}
