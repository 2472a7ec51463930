//! Files that appear whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::error::{Error, Result};

/// Writes a file under a temporary name in the same folder and renames it when it is complete and
/// `before_rename` has succeeded.
pub(crate) fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&mut File>) -> std::io::Result<()>,
    before_rename: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".hsi-").suffix(".tmp");
    #[cfg(unix)]
    {
        // A temporary file is private by default; the finished one follows the user's mask.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut temporary = builder.tempfile_in(folder).map_err(Error::io(path))?;
    let mut buffered = BufWriter::with_capacity(1 << 16, temporary.as_file_mut());
    write(&mut buffered).and_then(|()| buffered.flush()).map_err(Error::io(path))?;
    drop(buffered);
    temporary.as_file().sync_all().map_err(Error::io(path))?;
    before_rename()?;
    temporary.persist(path).map_err(|error| Error::io(path)(error.error))?;
    Ok(())
}
