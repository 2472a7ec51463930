//! Bytes of a file, or of what was unpacked from one, at any position.

use std::fs::File;
use std::sync::Arc;

use crate::fault::{Parsed, bad};

/// An open file, or bytes in memory, read by many threads.
#[derive(Clone, Debug)]
pub(crate) struct FileBytes {
    bytes: Bytes,
    len: u64,
    /// Position that addresses count from.
    base: u64,
}

#[derive(Clone, Debug)]
enum Bytes {
    File(Arc<File>),
    Memory(Arc<[u8]>),
}

impl FileBytes {
    pub(crate) fn file(file: File) -> std::io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self { bytes: Bytes::File(Arc::new(file)), len, base: 0 })
    }

    pub(crate) fn memory(bytes: Vec<u8>) -> Self {
        let len = bytes.len() as u64;
        Self { bytes: Bytes::Memory(bytes.into()), len, base: 0 }
    }

    /// Lets addresses count from a position of the file.
    #[must_use]
    pub(crate) fn rebased(self, base: u64) -> Self {
        Self { base, ..self }
    }

    /// Bytes that addresses can point to.
    pub(crate) fn len(&self) -> u64 {
        self.len.saturating_sub(self.base)
    }

    /// Checks that bytes lie in the file.
    pub(crate) fn check(&self, at: u64, size: u64) -> Parsed<()> {
        if at.checked_add(size).is_some_and(|end| end <= self.len()) {
            return Ok(());
        }
        bad!("{size} bytes at {at} are outside of the file's {}", self.len())
    }

    /// Fills a buffer from an address on.
    pub(crate) fn read_at(&self, at: u64, out: &mut [u8]) -> Parsed<()> {
        self.check(at, out.len() as u64)?;
        let at = self.base + at;
        match &self.bytes {
            Bytes::File(file) => read_exact_at(file, at, out)?,
            Bytes::Memory(bytes) => {
                let from = bytes.get(at as usize..at as usize + out.len());
                out.copy_from_slice(from.ok_or("bytes outside of the file")?);
            }
        }
        Ok(())
    }

    /// A piece of the file; never more than the file has.
    pub(crate) fn bytes(&self, at: u64, size: u64) -> Parsed<Vec<u8>> {
        self.check(at, size)?;
        let mut bytes = vec![0; size as usize];
        self.read_at(at, &mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, at: u64, out: &mut [u8]) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, at)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut at: u64, mut out: &mut [u8]) -> std::io::Result<()> {
    while !out.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, out, at)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => {
                out = &mut out[n..];
                at += n as u64;
            }
        }
    }
    Ok(())
}
