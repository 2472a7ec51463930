//! Directories: tags and where their values are.

use std::collections::{BTreeMap, BTreeSet};

use crate::arrays::FileBytes;
use crate::fault::{Parsed, bad, unsupported};

/// Entries of a directory, and directories of a file, at most.
const MOST_ENTRIES: u64 = 4096;
const MOST_DIRECTORIES: usize = 1 << 16;

/// An open TIFF file.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub(super) bytes: FileBytes,
    pub(super) big_endian: bool,
    /// Addresses and counts of 64 bits.
    wide: bool,
}

/// One image's tags.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    entries: BTreeMap<u16, Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    kind: u16,
    count: u64,
    /// Address of the values.
    at: u64,
}

/// Bytes of a value of a type of field; `None` for unknown types.
fn size_of_kind(kind: u16) -> Option<u64> {
    match kind {
        1 | 2 | 6 | 7 => Some(1),
        3 | 8 => Some(2),
        4 | 9 | 11 | 13 => Some(4),
        5 | 10 | 12 | 16 | 17 | 18 => Some(8),
        _ => None,
    }
}

/// A number of any size in the order of the file.
fn unsigned(raw: &[u8], big_endian: bool) -> u64 {
    let push = |n: u64, b: &u8| n << 8 | u64::from(*b);
    if big_endian { raw.iter().fold(0, push) } else { raw.iter().rev().fold(0, push) }
}

impl Input {
    /// Reads the header; returns the address of the first directory too.
    pub(super) fn open(bytes: FileBytes) -> Parsed<(Self, u64)> {
        if bytes.len() == 0 {
            return bad!("the file is empty");
        }
        let mut head = [0; 16];
        let short = usize::try_from(bytes.len()).unwrap_or(16).min(16);
        bytes.read_at(0, &mut head[..short])?;
        let big_endian = match &head[..2] {
            b"II" => false,
            b"MM" => true,
            _ => return bad!("it does not start with `II` or `MM`"),
        };
        let number = |from: usize, to: usize| unsigned(&head[from..to], big_endian);
        let (wide, first) = match number(2, 4) {
            42 => (false, number(4, 8)),
            43 if number(4, 6) == 8 => (true, number(8, 16)),
            43 => return bad!("addresses of {} bytes", number(4, 6)),
            other => return bad!("version {other}"),
        };
        Ok((Self { bytes, big_endian, wide }, first))
    }

    fn number(&self, at: u64, size: u64) -> Parsed<u64> {
        let mut raw = [0; 8];
        let raw = raw.get_mut(..size as usize).ok_or("a number of more than 8 bytes")?;
        self.bytes.read_at(at, raw)?;
        Ok(unsigned(raw, self.big_endian))
    }

    /// All directories, in the order of the file.
    pub(super) fn directories(&self, first: u64) -> Parsed<Vec<Directory>> {
        let mut seen = BTreeSet::new();
        let (mut at, mut all, mut entries) = (first, Vec::new(), 0);
        while at != 0 {
            if !seen.insert(at) {
                return bad!("the chain of directories is a cycle");
            }
            if all.len() == MOST_DIRECTORIES {
                return unsupported!("more than {MOST_DIRECTORIES} images");
            }
            let (directory, next) = self.directory(at)?;
            // Directories that overlap could make many of little.
            entries += directory.entries.len() as u64;
            if entries > self.bytes.len() / 8 {
                return bad!("{entries} tags in a file of {} bytes", self.bytes.len());
            }
            all.push(directory);
            at = next;
        }
        if all.is_empty() {
            return bad!("there is no image");
        }
        Ok(all)
    }

    fn directory(&self, at: u64) -> Parsed<(Directory, u64)> {
        let (count_size, word) = if self.wide { (8, 8) } else { (2, 4) };
        let entry_size = 4 + 2 * word;
        let count = self.number(at, count_size)?;
        if count == 0 || count > MOST_ENTRIES {
            return bad!("a directory of {count} entries");
        }
        let start = at + count_size;
        let raw = self.bytes.bytes(start, count * entry_size + word)?;
        let (table, next) = raw.split_at((count * entry_size) as usize);
        let mut entries = BTreeMap::new();
        for (nth, raw) in table.chunks_exact(entry_size as usize).enumerate() {
            let part = |from: usize, to: usize| unsigned(&raw[from..to], self.big_endian);
            let (kind, count) = (part(2, 4) as u16, part(4, 4 + word as usize));
            let Some(size) = size_of_kind(kind) else { continue };
            let here = start + nth as u64 * entry_size + 4 + word;
            let inline = count.checked_mul(size).is_some_and(|bytes| bytes <= word);
            let at = if inline { here } else { part(4 + word as usize, raw.len()) };
            // The first of several is meant.
            entries.entry(part(0, 2) as u16).or_insert(Entry { kind, count, at });
        }
        Ok((Directory { entries }, unsigned(next, self.big_endian)))
    }
}

impl Directory {
    pub(super) fn has(&self, tag: u16) -> bool {
        self.entries.contains_key(&tag)
    }

    /// Number of values.
    pub(super) fn count(&self, tag: u16) -> u64 {
        self.entries.get(&tag).map_or(0, |entry| entry.count)
    }

    /// Type of the values and their bytes, in the order of the file.
    fn raw(&self, input: &Input, tag: u16) -> Parsed<Option<(u16, Vec<u8>)>> {
        let Some(entry) = self.entries.get(&tag) else { return Ok(None) };
        let size = size_of_kind(entry.kind).unwrap_or(1);
        let bytes = entry.count.checked_mul(size).ok_or("a tag of too many values")?;
        Ok(Some((entry.kind, input.bytes.bytes(entry.at, bytes)?)))
    }

    /// Unsigned integers.
    pub(super) fn integers(&self, input: &Input, tag: u16) -> Parsed<Option<Vec<u64>>> {
        let Some((kind, raw)) = self.raw(input, tag)? else { return Ok(None) };
        if !matches!(kind, 1 | 3 | 4 | 13 | 16 | 18) {
            return bad!("tag {tag} holds values of type {kind}, not integers");
        }
        let size = size_of_kind(kind).unwrap_or(1) as usize;
        Ok(Some(raw.chunks_exact(size).map(|raw| unsigned(raw, input.big_endian)).collect()))
    }

    /// One unsigned integer.
    pub(super) fn integer(&self, input: &Input, tag: u16) -> Parsed<Option<u64>> {
        match self.integers(input, tag)?.as_deref() {
            None => Ok(None),
            Some([one]) => Ok(Some(*one)),
            Some(list) => bad!("tag {tag} has {} values, not one", list.len()),
        }
    }

    /// One unsigned integer that may be repeated for every sample.
    pub(super) fn same(&self, input: &Input, tag: u16) -> Parsed<Option<u64>> {
        let Some(list) = self.integers(input, tag)? else { return Ok(None) };
        let Some(&first) = list.first() else { return bad!("tag {tag} has no value") };
        if list.iter().any(|&value| value != first) {
            return unsupported!("different values of tag {tag} in the bands");
        }
        Ok(Some(first))
    }

    /// Floating-point numbers.
    pub(super) fn doubles(&self, input: &Input, tag: u16) -> Parsed<Option<Vec<f64>>> {
        let Some((kind, raw)) = self.raw(input, tag)? else { return Ok(None) };
        let number = |raw: &[u8]| unsigned(raw, input.big_endian);
        match kind {
            11 => Ok(Some(
                raw.chunks_exact(4).map(|r| f64::from(f32::from_bits(number(r) as u32))).collect(),
            )),
            12 => Ok(Some(raw.chunks_exact(8).map(|r| f64::from_bits(number(r))).collect())),
            kind => bad!("tag {tag} holds values of type {kind}, not floating-point numbers"),
        }
    }

    /// Text up to the first zero byte; what is not UTF-8 is read as Latin-1.
    pub(super) fn text(&self, input: &Input, tag: u16) -> Parsed<Option<String>> {
        let Some((kind, mut raw)) = self.raw(input, tag)? else { return Ok(None) };
        if !matches!(kind, 1 | 2 | 7) {
            return bad!("tag {tag} holds values of type {kind}, not text");
        }
        raw.truncate(raw.iter().position(|&b| b == 0).unwrap_or(raw.len()));
        let latin = |raw: Vec<u8>| raw.into_iter().map(char::from).collect();
        Ok(Some(String::from_utf8(raw).unwrap_or_else(|error| latin(error.into_bytes()))))
    }

    /// Type and bytes with the numbers turned little-endian.
    pub(super) fn little_endian(&self, input: &Input, tag: u16) -> Parsed<Option<(u16, Vec<u8>)>> {
        let Some((kind, mut raw)) = self.raw(input, tag)? else { return Ok(None) };
        // Rational numbers are two of four bytes.
        let size = if matches!(kind, 5 | 10) { 4 } else { size_of_kind(kind).unwrap_or(1) };
        if input.big_endian {
            raw.chunks_exact_mut(size as usize).for_each(<[u8]>::reverse);
        }
        Ok(Some((kind, raw)))
    }
}
