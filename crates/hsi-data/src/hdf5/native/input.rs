//! Bytes of an HDF5 file at any position, and numbers in a piece of it.

use crate::arrays::FileBytes;
use crate::fault::{Parsed, bad};

/// Address that stands for "nowhere".
pub(super) const UNDEFINED: u64 = u64::MAX;

/// A file, with the sizes of its numbers.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(super) file: FileBytes,
    /// Bytes of an address and of a length.
    pub(super) offset_size: u8,
    pub(super) length_size: u8,
}

impl Input {
    pub(crate) fn new(file: FileBytes) -> Self {
        Self { file, offset_size: 8, length_size: 8 }
    }

    /// Bytes that addresses can point to.
    pub(super) fn len(&self) -> u64 {
        self.file.len()
    }

    /// Checks that bytes lie in the file.
    pub(super) fn check(&self, at: u64, size: u64) -> Parsed<()> {
        self.file.check(at, size)
    }

    /// Fills a buffer from an address on.
    pub(super) fn read_at(&self, at: u64, out: &mut [u8]) -> Parsed<()> {
        self.file.read_at(at, out)
    }

    /// A piece of the file; never more than the file has.
    pub(super) fn bytes(&self, at: u64, size: u64) -> Parsed<Vec<u8>> {
        self.file.bytes(at, size)
    }

    /// A cursor over a piece.
    pub(super) fn cursor<'a>(&self, bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, at: 0, offset_size: self.offset_size, length_size: self.length_size }
    }
}

/// Numbers one after the other, little-endian.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    offset_size: u8,
    length_size: u8,
}

impl<'a> Cursor<'a> {
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn take(&mut self, size: usize) -> Parsed<&'a [u8]> {
        let end = self.at.checked_add(size);
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let Some(taken) = taken else {
            return bad!("{size} bytes are needed where {} are left", self.left());
        };
        self.at += size;
        Ok(taken)
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        self.at = self.bytes.len();
        rest
    }

    pub(super) fn skip(&mut self, size: usize) -> Parsed<()> {
        self.take(size).map(|_| ())
    }

    /// Goes forward to a multiple of eight, counted from the first byte.
    pub(super) fn align(&mut self) -> Parsed<()> {
        let to = self.at.next_multiple_of(8).min(self.bytes.len());
        self.skip(to - self.at)
    }

    /// Checks a signature of four letters.
    pub(super) fn signature(&mut self, wanted: [u8; 4]) -> Parsed<()> {
        let got = self.take(4)?;
        if got == wanted {
            return Ok(());
        }
        let (got, wanted) = (String::from_utf8_lossy(got), String::from_utf8_lossy(&wanted));
        bad!("`{got}` where `{wanted}` was expected")
    }

    pub(super) fn u8(&mut self) -> Parsed<u8> {
        Ok(self.uint(1)? as u8)
    }

    pub(super) fn u16(&mut self) -> Parsed<u16> {
        Ok(self.uint(2)? as u16)
    }

    pub(super) fn u32(&mut self) -> Parsed<u32> {
        Ok(self.uint(4)? as u32)
    }

    pub(super) fn u64(&mut self) -> Parsed<u64> {
        self.uint(8)
    }

    /// An address; one with all bits set is [`UNDEFINED`].
    pub(super) fn address(&mut self) -> Parsed<u64> {
        let size = usize::from(self.offset_size);
        let value = self.uint(size)?;
        let all = if size == 8 { u64::MAX } else { (1 << (8 * size)) - 1 };
        Ok(if value == all { UNDEFINED } else { value })
    }

    /// A length.
    pub(super) fn length(&mut self) -> Parsed<u64> {
        self.uint(usize::from(self.length_size))
    }

    /// An unsigned number of up to eight bytes.
    pub(super) fn uint(&mut self, size: usize) -> Parsed<u64> {
        let mut raw = [0; 8];
        let Some(low) = raw.get_mut(..size) else {
            return bad!("a number of {size} bytes");
        };
        low.copy_from_slice(self.take(size)?);
        Ok(u64::from_le_bytes(raw))
    }
}

/// Bytes that hold a number up to `most`.
pub(super) fn bytes_for(most: u64) -> usize {
    (64 - most.leading_zeros()).div_ceil(8).max(1) as usize
}
