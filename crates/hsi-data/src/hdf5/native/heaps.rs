//! Heaps: of names (local), of text of variable length (global), of links and attributes (fractal).

use super::chunks::block;
use super::header::open;
use super::input::{Input, UNDEFINED};
use crate::fault::{Parsed, bad, unsupported};

/// Names and soft links longer than this are not read.
const MAX_NAME: usize = 4096;
/// Bytes of a collection of the global heap at most.
const MAX_COLLECTION: u64 = 64 << 20;

/// Names of the links of a group.
pub(super) struct LocalHeap {
    bytes: Vec<u8>,
}

impl LocalHeap {
    pub(super) fn read(input: &Input, at: u64) -> Parsed<Self> {
        let size = 8 + 2 * u64::from(input.length_size) + u64::from(input.offset_size);
        let head = input.bytes(at, size)?;
        let mut cursor = input.cursor(&head);
        cursor.signature(*b"HEAP")?;
        cursor.skip(4)?;
        let size = cursor.length()?;
        cursor.length()?;
        let at = cursor.address()?;
        Ok(Self { bytes: input.bytes(at, size)? })
    }

    /// The name at an offset.
    pub(super) fn name(&self, at: u64) -> Parsed<String> {
        let Some(rest) = usize::try_from(at).ok().and_then(|at| self.bytes.get(at..)) else {
            return bad!("a name at {at} in a heap of {} bytes", self.bytes.len());
        };
        match rest.iter().position(|&b| b == 0) {
            Some(end) if end <= MAX_NAME => Ok(String::from_utf8_lossy(&rest[..end]).into_owned()),
            _ => bad!("a name does not end"),
        }
    }
}

/// An object of the global heap.
pub(super) fn global(input: &Input, at: u64, index: u32) -> Parsed<Vec<u8>> {
    let head_size = 8 + u64::from(input.length_size);
    let head = input.bytes(at, head_size)?;
    let mut cursor = open(input, &head, *b"GCOL", &[1])?;
    cursor.skip(3)?;
    let size = cursor.length()?;
    if size > MAX_COLLECTION {
        return bad!("a heap of {size} bytes");
    }
    let bytes = input.bytes(at, size)?;
    let mut cursor = input.cursor(&bytes);
    cursor.skip(head_size as usize)?;
    while cursor.left() >= 16 {
        let found = u32::from(cursor.u16()?);
        cursor.skip(6)?;
        let size = cursor.length()? as usize;
        if found == 0 {
            break;
        }
        let data = cursor.take(size)?;
        if found == index {
            return Ok(data.to_vec());
        }
        cursor.align()?;
    }
    bad!("the heap at {at} has no object {index}")
}

/// A heap of links or attributes.
pub(super) struct FractalHeap<'a> {
    input: &'a Input,
    width: u64,
    /// Bytes of the first blocks, and of the largest that hold objects.
    start: u64,
    largest: u64,
    /// Bytes of a position in the heap, and of the length of an object.
    place: usize,
    length: usize,
    root: u64,
    /// Rows of the root block; none if it holds objects itself.
    rows: u64,
    most: u64,
}

impl<'a> FractalHeap<'a> {
    pub(super) fn read(input: &'a Input, at: u64) -> Parsed<Self> {
        let (offset, length) = (u64::from(input.offset_size), u64::from(input.length_size));
        let header = block(input, at, 22 + 3 * offset + 12 * length)?;
        let mut cursor = open(input, &header, *b"FRHP", &[0])?;
        cursor.skip(2)?;
        if cursor.u16()? != 0 {
            return unsupported!("a heap with filters");
        }
        cursor.skip(1)?;
        let most = u64::from(cursor.u32()?);
        cursor.length()?;
        cursor.address()?;
        cursor.length()?;
        cursor.address()?;
        cursor.skip(8 * length as usize)?;
        let width = u64::from(cursor.u16()?);
        let (start, largest) = (cursor.length()?, cursor.length()?);
        let (bits, _first_rows) = (cursor.u16()?, cursor.u16()?);
        let (root, rows) = (cursor.address()?, u64::from(cursor.u16()?));
        let sane = start.is_power_of_two() && largest.is_power_of_two() && start <= largest;
        if !sane || width == 0 || bits > 64 || largest > 1 << 32 {
            return bad!("a heap of blocks of {start} to {largest} bytes, {width} a row");
        }
        let place = usize::from(bits.div_ceil(8));
        let length = largest.trailing_zeros().div_ceil(8) as usize;
        let length = length.min(super::input::bytes_for(most));
        Ok(Self { input, width, start, largest, place, length, root, rows, most })
    }

    /// The object of an identifier.
    pub(super) fn object(&self, id: &[u8]) -> Parsed<Vec<u8>> {
        let mut cursor = self.input.cursor(id);
        match cursor.u8()? >> 4 {
            0 => {
                let at = cursor.uint(self.place)?;
                let size = cursor.uint(self.length)?;
                if size > self.most {
                    return bad!("an object of {size} bytes in a heap of at most {}", self.most);
                }
                let place = self.find(self.root, self.rows, at, 0)?;
                self.input.bytes(place, size)
            }
            2 => {
                let size = usize::from(id.first().map_or(0, |&b| b & 15)) + 1;
                Ok(cursor.take(size)?.to_vec())
            }
            1 => unsupported!("an attribute or link of more than 64 kB"),
            kind => bad!("an object of kind {kind} in a heap"),
        }
    }

    /// Address of a position of the heap, counted from a block's start.
    fn find(&self, block_at: u64, rows: u64, at: u64, depth: u32) -> Parsed<u64> {
        if block_at == UNDEFINED || depth > 32 {
            return bad!("a block of a heap is missing");
        }
        if rows == 0 {
            return Ok(block_at.checked_add(at).ok_or("a place outside of a heap")?);
        }
        let mut before = 0_u64;
        for row in 0..rows {
            let size = self.start.checked_shl(row.saturating_sub(1) as u32).filter(|&s| s > 0);
            let Some(size) = size.filter(|_| row < 64) else { break };
            let whole = size.saturating_mul(self.width);
            if at - before >= whole {
                before = before.saturating_add(whole);
                if before > at {
                    break;
                }
                continue;
            }
            let column = (at - before) / size;
            let inside = (at - before) % size;
            let entry = row * self.width + column;
            let offset = u64::from(self.input.offset_size);
            let head = 5 + offset + self.place as u64;
            let mut sign = [0; 4];
            self.input.read_at(block_at, &mut sign)?;
            if &sign != b"FHIB" {
                return bad!("no block of addresses of a heap at {block_at}");
            }
            let place = block_at.saturating_add(head + entry * offset);
            let bytes = self.input.bytes(place, offset)?;
            let child = self.input.cursor(&bytes).address()?;
            if size <= self.largest {
                return self.find(child, 0, inside, depth + 1);
            }
            let first_row = self.start.saturating_mul(self.width);
            let rows = u64::from((size / first_row.max(1)).max(1).ilog2()) + 1;
            return self.find(child, rows, inside, depth + 1);
        }
        bad!("a place outside of a heap")
    }
}
