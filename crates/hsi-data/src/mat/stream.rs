//! Bytes of a MATLAB file, plain or being inflated, with the limit of the element they belong to.

use std::io::Read;

use flate2::read::ZlibDecoder;

use crate::fault::{Parsed, bad};
use crate::sample::ByteOrder;

/// Deflate cannot make more than this many bytes of one.
const MAX_INFLATION: u64 = 1032;

enum Bytes<'a> {
    Plain(&'a [u8]),
    Inflated(Box<ZlibDecoder<&'a [u8]>>),
}

/// A position in a file or in an inflated element. Nothing is read past `end`.
pub(super) struct Stream<'a> {
    bytes: Bytes<'a>,
    at: u64,
    end: u64,
    order: ByteOrder,
}

/// Type and size of a data element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag {
    /// Number of the data type.
    pub(super) kind: u32,
    /// Bytes of data.
    pub(super) size: u64,
    /// Position of the first of them.
    pub(super) start: u64,
    /// Position of the next element.
    pub(super) next: u64,
}

impl<'a> Stream<'a> {
    /// Bytes as they lie in the file, from a position on.
    pub(super) fn plain(bytes: &'a [u8], at: u64, order: ByteOrder) -> Self {
        Self { end: bytes.len() as u64, bytes: Bytes::Plain(bytes), at, order }
    }

    /// The content of a compressed element.
    pub(super) fn inflated(compressed: &'a [u8], order: ByteOrder) -> Self {
        let end = (compressed.len() as u64).saturating_mul(MAX_INFLATION);
        let bytes = Bytes::Inflated(Box::new(ZlibDecoder::new(compressed)));
        Self { bytes, at: 0, end, order }
    }

    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Bytes that may still be read.
    pub(super) fn left(&self) -> u64 {
        self.end.saturating_sub(self.at)
    }

    /// Whether there is room for `size` more bytes.
    pub(super) fn require(&self, size: u64) -> Parsed<()> {
        if size <= self.left() {
            return Ok(());
        }
        bad!("{size} bytes are needed at {}, {} are left", self.at, self.left())
    }

    pub(super) fn exact(&mut self, out: &mut [u8]) -> Parsed<()> {
        self.require(out.len() as u64)?;
        match &mut self.bytes {
            Bytes::Plain(bytes) => {
                let start = self.at as usize;
                let from = bytes.get(start..start + out.len());
                out.copy_from_slice(from.ok_or("the file ends within an element")?);
            }
            Bytes::Inflated(decoder) => {
                decoder.read_exact(out).map_err(|error| format!("bad compressed data: {error}"))?;
            }
        }
        self.at += out.len() as u64;
        Ok(())
    }

    pub(super) fn skip(&mut self, size: u64) -> Parsed<()> {
        self.require(size)?;
        if let Bytes::Plain(_) = self.bytes {
            self.at += size;
            return Ok(());
        }
        let mut scratch = [0_u8; 1 << 14];
        let mut left = size;
        while left > 0 {
            let part = left.min(scratch.len() as u64) as usize;
            self.exact(&mut scratch[..part])?;
            left -= part as u64;
        }
        Ok(())
    }

    /// Goes forward to a position.
    pub(super) fn seek(&mut self, to: u64) -> Parsed<()> {
        let size = to.checked_sub(self.at).ok_or("an element is longer than the one around it")?;
        self.skip(size)
    }

    pub(super) fn u32(&mut self) -> Parsed<u32> {
        let mut raw = [0; 4];
        self.exact(&mut raw)?;
        Ok(word(raw, self.order))
    }

    /// Reads the tag of an element that must end at `limit` or before; the stream then stands at
    /// the first byte of its data.
    pub(super) fn tag(&mut self, limit: u64) -> Parsed<Tag> {
        let first = self.u32()?;
        let (kind, size, fixed) = if first >> 16 == 0 {
            (first, u64::from(self.u32()?), None)
        } else {
            (first & 0xffff, u64::from(first >> 16), Some(4))
        };
        if fixed.is_some_and(|room| size > room) {
            return bad!("a small element of {size} bytes");
        }
        let start = self.at;
        let end = start + size;
        if end > limit.min(self.end) {
            let left = limit.min(self.end).saturating_sub(start);
            return bad!("an element of {size} bytes where {left} are left");
        }
        // The padding may be missing at the end of the file.
        let next = (start + fixed.unwrap_or(size.next_multiple_of(8))).min(limit).max(end);
        Ok(Tag { kind, size, start, next })
    }

    /// Reads a whole small element: its type and its data, at most `most` bytes of it.
    pub(super) fn element(&mut self, limit: u64, most: u64) -> Parsed<(u32, Vec<u8>)> {
        let tag = self.tag(limit)?;
        if tag.size > most {
            return bad!("{} bytes are too many for a header", tag.size);
        }
        let mut data = vec![0; tag.size as usize];
        self.exact(&mut data)?;
        self.seek(tag.next)?;
        Ok((tag.kind, data))
    }

    pub(super) fn order(&self) -> ByteOrder {
        self.order
    }
}

/// Four bytes as a number.
pub(super) fn word(raw: [u8; 4], order: ByteOrder) -> u32 {
    match order {
        ByteOrder::Little => u32::from_le_bytes(raw),
        ByteOrder::Big => u32::from_be_bytes(raw),
    }
}
