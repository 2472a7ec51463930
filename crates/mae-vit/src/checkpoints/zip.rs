//! The part of the zip format that PyTorch writes: entries that are stored, not compressed.
//!
//! All sizes and places are checked against the length of the file, so a damaged directory is
//! an error and never a huge allocation. Check sums are not looked at, as in PyTorch.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use super::source::Fault;

const END: u32 = 0x0605_4b50;
const END_LEN: usize = 22;
const END64_LOCATOR: u32 = 0x0706_4b50;
const END64_LOCATOR_LEN: usize = 20;
const END64: u32 = 0x0606_4b50;
const END64_LEN: usize = 56;
const ENTRY: u32 = 0x0201_4b50;
const ENTRY_LEN: usize = 46;
const LOCAL: u32 = 0x0403_4b50;
const LOCAL_LEN: usize = 30;
const ZIP64_EXTRA: u16 = 1;
/// The longest comment after the end record.
const MAX_COMMENT: usize = u16::MAX as usize;

/// Where an entry lies.
#[derive(Debug, Clone, Copy)]
struct Entry {
    local_header: u64,
    size: u64,
    stored: bool,
}

/// A zip file whose entries can be read in parts.
#[derive(Debug)]
pub(super) struct Zip {
    file: File,
    len: u64,
    entries: BTreeMap<String, Entry>,
}

impl Zip {
    /// Reads the directory of the file.
    pub(super) fn open(file: File) -> Result<Self, Fault> {
        let len = file.metadata()?.len();
        let mut zip = Self { file, len, entries: BTreeMap::new() };
        let (directory, count) = zip.directory()?;
        zip.entries = parse_directory(&directory, count)?;
        Ok(zip)
    }

    /// The names of all entries, sorted.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Bytes of an entry, if there is one of this name.
    pub(super) fn size(&self, name: &str) -> Option<u64> {
        self.entries.get(name).map(|entry| entry.size)
    }

    /// Reads `len` bytes of an entry from `start` on.
    pub(super) fn read(&self, name: &str, start: u64, len: u64) -> Result<Vec<u8>, Fault> {
        let entry = self.entries.get(name);
        let entry = entry.ok_or_else(|| Fault::corrupt(format!("it has no entry `{name}`")))?;
        if !entry.stored {
            return Err(Fault::Unsupported(format!("the compressed entry `{name}`")));
        }
        if start.checked_add(len).is_none_or(|end| end > entry.size) {
            return Err(Fault::corrupt(format!("the entry `{name}` is too short")));
        }
        let header = self.bytes(entry.local_header, LOCAL_LEN as u64)?;
        if u32_at(&header, 0)? != LOCAL {
            return Err(Fault::corrupt(format!("the entry `{name}` is not where it should be")));
        }
        let names = u64::from(u16_at(&header, 26)?) + u64::from(u16_at(&header, 28)?);
        self.bytes(entry.local_header + LOCAL_LEN as u64 + names + start, len)
    }

    /// Bytes of the central directory and the number of its entries.
    fn directory(&self) -> Result<(Vec<u8>, u64), Fault> {
        let tail_len = self.len.min((END_LEN + MAX_COMMENT) as u64);
        let tail_start = self.len - tail_len;
        let tail = self.bytes(tail_start, tail_len)?;
        let end = (0..(tail.len() + 1).saturating_sub(END_LEN))
            .rev()
            .find(|&at| u32_at(&tail, at).is_ok_and(|signature| signature == END))
            .ok_or_else(|| {
                Fault::corrupt("the zip directory is missing, as in a truncated file")
            })?;
        let (count, size, start) = match self.end64(tail_start + end as u64)? {
            Some(end64) => end64,
            None => (
                u64::from(u16_at(&tail, end + 10)?),
                u64::from(u32_at(&tail, end + 12)?),
                u64::from(u32_at(&tail, end + 16)?),
            ),
        };
        Ok((self.bytes(start, size)?, count))
    }

    /// Count, size and start of the directory from the 64-bit end record before `end`.
    fn end64(&self, end: u64) -> Result<Option<(u64, u64, u64)>, Fault> {
        let Some(at) = end.checked_sub(END64_LOCATOR_LEN as u64) else {
            return Ok(None);
        };
        let locator = self.bytes(at, END64_LOCATOR_LEN as u64)?;
        if u32_at(&locator, 0)? != END64_LOCATOR {
            return Ok(None);
        }
        let record = self.bytes(u64_at(&locator, 8)?, END64_LEN as u64)?;
        if u32_at(&record, 0)? != END64 {
            return Err(Fault::corrupt("the 64-bit zip directory is missing"));
        }
        Ok(Some((u64_at(&record, 32)?, u64_at(&record, 40)?, u64_at(&record, 48)?)))
    }

    /// Reads bytes of the file.
    fn bytes(&self, start: u64, len: u64) -> Result<Vec<u8>, Fault> {
        if start.checked_add(len).is_none_or(|end| end > self.len) {
            return Err(Fault::corrupt("it ends before its data does"));
        }
        let mut file = &self.file;
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// Reads the entries of a central directory.
fn parse_directory(bytes: &[u8], count: u64) -> Result<BTreeMap<String, Entry>, Fault> {
    let mut entries = BTreeMap::new();
    let mut at = 0;
    for _ in 0..count {
        if u32_at(bytes, at)? != ENTRY {
            return Err(Fault::corrupt("the zip directory has a wrong entry"));
        }
        let name_len = usize::from(u16_at(bytes, at + 28)?);
        let extra_len = usize::from(u16_at(bytes, at + 30)?);
        let comment_len = usize::from(u16_at(bytes, at + 32)?);
        let name = slice(bytes, at + ENTRY_LEN, name_len)?;
        let extra = slice(bytes, at + ENTRY_LEN + name_len, extra_len)?;
        let mut sizes = [
            u64::from(u32_at(bytes, at + 24)?),
            u64::from(u32_at(bytes, at + 20)?),
            u64::from(u32_at(bytes, at + 42)?),
        ];
        widen(&mut sizes, extra)?;
        let stored = u16_at(bytes, at + 10)? == 0;
        let entry = Entry { local_header: sizes[2], size: sizes[0], stored };
        entries.insert(String::from_utf8_lossy(name).into_owned(), entry);
        at += ENTRY_LEN + name_len + extra_len + comment_len;
    }
    Ok(entries)
}

/// Replaces the sizes that did not fit 32 bits by those in the extra field.
fn widen(sizes: &mut [u64; 3], extra: &[u8]) -> Result<(), Fault> {
    let mut at = 0;
    while at + 4 <= extra.len() {
        let len = usize::from(u16_at(extra, at + 2)?);
        if u16_at(extra, at)? == ZIP64_EXTRA {
            let mut field = at + 4;
            for size in sizes.iter_mut().filter(|size| **size == u64::from(u32::MAX)) {
                *size = u64_at(extra, field)?;
                field += 8;
            }
        }
        at += 4 + len;
    }
    Ok(())
}

fn slice(bytes: &[u8], at: usize, len: usize) -> Result<&[u8], Fault> {
    let found = at.checked_add(len).and_then(|end| bytes.get(at..end));
    found.ok_or_else(|| Fault::corrupt("the zip directory is too short"))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Fault> {
    let found = slice(bytes, at, N)?.first_chunk::<N>().copied();
    found.ok_or_else(|| Fault::corrupt("the zip directory is too short"))
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Fault> {
    Ok(u16::from_le_bytes(array(bytes, at)?))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Fault> {
    Ok(u32::from_le_bytes(array(bytes, at)?))
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64, Fault> {
    Ok(u64::from_le_bytes(array(bytes, at)?))
}
