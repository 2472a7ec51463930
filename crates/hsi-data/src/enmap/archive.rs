//! Zip archives, as products are delivered in.
//!
//! # References
//! - PKWARE, "APPNOTE.TXT: .ZIP File Format Specification", version 6.3.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use flate2::{Crc, read::DeflateDecoder};
use tempfile::TempDir;

use super::METADATA;
use crate::arrays::FileBytes;
use crate::error::{Error, Result};
use crate::fault::{AtPath, Parsed, bad, unsupported};
use crate::io::OpenOptions;
use crate::meta::Format;

/// What a zip file starts with.
pub(crate) const MAGIC: &[u8] = b"PK\x03\x04";
/// Bytes of the record that ends an archive, without its comment.
const END: u64 = 22;

/// A file in an archive.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Name without folders.
    pub(super) name: String,
    /// Bytes of the file.
    pub(super) bytes: u64,
    packed: u64,
    /// Where its own header lies.
    at: u64,
    deflated: bool,
    crc: u32,
}

/// A zip archive of one product.
#[derive(Debug)]
pub(super) struct Archive {
    file: FileBytes,
    /// The metadata, and the files beside it in the same folder of the archive.
    pub(super) entries: Vec<Entry>,
}

impl Archive {
    /// Reads the directory of an archive; `None` if there is none or it lists no product.
    pub(super) fn open(path: &Path) -> Result<Option<Self>> {
        let file = File::open(path).map_err(Error::io(path))?;
        let file = FileBytes::file(file).map_err(Error::io(path))?;
        let Some(all) = directory(&file).at(path, Format::EnMap)? else { return Ok(None) };
        let is_metadata = |name: &str| name.to_uppercase().ends_with(METADATA);
        let mut found = all.iter().filter(|(name, _)| is_metadata(name));
        let Some((metadata, _)) = found.next() else { return Ok(None) };
        if found.next().is_some() {
            let reason = format!("the archive holds several `*{METADATA}`");
            return Err(Error::Malformed {
                path: path.to_path_buf(),
                format: Format::EnMap,
                reason,
            });
        }
        let folder = metadata.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        let beside = |full: &str| full.rsplit_once('/').map_or("", |(folder, _)| folder) == folder;
        let entries = all.into_iter().filter(|(full, _)| beside(full)).map(|(_, entry)| entry);
        Ok(Some(Self { file, entries: entries.collect() }))
    }

    /// Unpacks the files whose names are wanted to a folder that vanishes with its handle.
    pub(super) fn unpack(
        &self,
        path: &Path,
        options: &OpenOptions,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<TempDir> {
        let folder = TempDir::new().map_err(Error::io(path))?;
        let chosen: Vec<&Entry> = self.entries.iter().filter(|e| wanted(&e.name)).collect();
        let bytes = chosen.iter().fold(0_u64, |sum, entry| sum.saturating_add(entry.bytes));
        options.check_unpacked(path, bytes, self.file.len())?;
        for entry in chosen {
            let target = folder.path().join(&entry.name);
            let mut out = File::create(&target).map_err(Error::io(&target))?;
            self.unpack_one(path, entry, &mut out).at(path, Format::EnMap)?;
        }
        Ok(folder)
    }

    fn unpack_one(&self, path: &Path, entry: &Entry, out: &mut File) -> Parsed<()> {
        let header = self.file.bytes(entry.at, 30)?;
        if !header.starts_with(MAGIC) {
            return bad!("`{}` is not where the directory says", entry.name);
        }
        let start = entry.at + 30 + short(&header, 26) + short(&header, 28);
        self.file.check(start, entry.packed)?;
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(start))?;
        let packed = BufReader::new(file.take(entry.packed));
        let mut input: Box<dyn Read> =
            if entry.deflated { Box::new(DeflateDecoder::new(packed)) } else { Box::new(packed) };
        let mut crc = Crc::new();
        let mut buffer = vec![0; 1 << 16];
        let mut left = entry.bytes;
        loop {
            let count = match input.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => return bad!("`{}`: {error}", entry.name),
            };
            let Some(rest) = left.checked_sub(count as u64) else {
                return bad!("`{}` unpacks to more than {} bytes", entry.name, entry.bytes);
            };
            left = rest;
            crc.update(&buffer[..count]);
            out.write_all(&buffer[..count])?;
        }
        if left > 0 || crc.sum() != entry.crc {
            return bad!("`{}` is damaged", entry.name);
        }
        Ok(())
    }
}

/// The files that the directory at the end of an archive lists, by their full names.
fn directory(file: &FileBytes) -> Parsed<Option<Vec<(String, Entry)>>> {
    // A comment may follow the last record.
    let tail_len = file.len().min(END + u64::from(u16::MAX));
    let tail = file.bytes(file.len() - tail_len, tail_len)?;
    let end = tail.windows(END as usize).rposition(|record| record.starts_with(b"PK\x05\x06"));
    let Some(end) = end.map(|at| &tail[at..]) else { return Ok(None) };
    let (count, size, at) = (short(end, 10), long(end, 12), long(end, 16));
    if [size, at].contains(&u64::from(u32::MAX)) {
        return unsupported!("a zip archive of more than 4 GiB");
    }
    let list = file.bytes(at, size)?;
    let mut rest = list.as_slice();
    let mut entries = Vec::new();
    for _ in 0..count {
        if rest.len() < 46 || !rest.starts_with(b"PK\x01\x02") {
            return bad!("the directory of the archive ends early");
        }
        let name_len = short(rest, 28) as usize;
        let length = 46 + name_len + (short(rest, 30) + short(rest, 32)) as usize;
        let Some(name) = rest.get(46..46 + name_len).filter(|_| length <= rest.len()) else {
            return bad!("the directory of the archive ends early");
        };
        let full = String::from_utf8_lossy(name).replace('\\', "/");
        let name = full.rsplit('/').next().unwrap_or_default().to_owned();
        let (flags, method) = (short(rest, 8), short(rest, 10));
        let (packed, bytes, at) = (long(rest, 20), long(rest, 24), long(rest, 42));
        let crc = long(rest, 16) as u32;
        rest = &rest[length..];
        // Folders.
        if name.is_empty() || name == ".." {
            continue;
        }
        if flags & 1 != 0 || ![0, 8].contains(&method) {
            return unsupported!("`{name}` in an archive that is neither stored nor deflated");
        }
        if [packed, bytes, at].contains(&u64::from(u32::MAX)) {
            return unsupported!("a zip archive of more than 4 GiB");
        }
        entries.push((full, Entry { name, bytes, packed, at, deflated: method == 8, crc }));
    }
    Ok(Some(entries))
}

/// The little-endian number of two bytes; zero beyond the end.
fn short(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 2).map_or(0, |raw| u64::from(u16::from_le_bytes([raw[0], raw[1]])))
}

/// The little-endian number of four bytes; zero beyond the end.
fn long(bytes: &[u8], at: usize) -> u64 {
    short(bytes, at) | short(bytes, at + 2) << 16
}
