//! Where the chunks of a dataset are.

use std::collections::{BTreeMap, HashSet};

use super::arrays;
use super::header::checked;
use super::input::{Cursor, Input, UNDEFINED};
use super::layout::Index;
use crate::fault::{Parsed, bad};

/// A stored chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) at: u64,
    /// Bytes in the file.
    pub(super) size: u64,
    /// Filters that were left out.
    pub(super) mask: u32,
}

/// The grid of chunks over a dataset.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    /// Size of the dataset.
    pub(super) dims: Vec<u64>,
    /// Size that it may grow to; [`UNDEFINED`] without a limit.
    pub(super) max: Vec<u64>,
    /// Size of a chunk.
    pub(super) chunk: Vec<u64>,
    /// Bytes of a whole chunk.
    pub(super) bytes: u64,
    /// Whether chunks are filtered, and so of different sizes.
    pub(super) filtered: bool,
}

/// Chunks by their number in the grid, in C order.
pub(super) type Chunks = BTreeMap<u64, Chunk>;

impl Grid {
    /// Chunks along each axis.
    pub(super) fn counts(&self) -> impl DoubleEndedIterator<Item = u64> + '_ {
        self.dims.iter().zip(&self.chunk).map(|(&size, &chunk)| size.div_ceil(chunk))
    }

    /// The number of the chunk at a position counted in chunks; `None` outside of the dataset.
    pub(super) fn number(&self, position: impl Iterator<Item = u64>) -> Option<u64> {
        self.counts().zip(position).try_fold(0_u64, |number, (count, at)| {
            (at < count).then(|| number.checked_mul(count)?.checked_add(at)).flatten()
        })
    }

    /// Finds all chunks.
    pub(super) fn find(&self, input: &Input, index: &Index) -> Parsed<Chunks> {
        let whole = |at| Chunk { at, size: self.bytes, mask: 0 };
        let mut chunks = Chunks::new();
        match *index {
            Index::Nothing => {}
            Index::Single { at, filtered } => {
                let chunk = filtered.map_or(whole(at), |(size, mask)| Chunk { at, size, mask });
                chunks.insert(0, chunk);
            }
            Index::Implicit { at } => {
                let count = self.places().ok_or("a growing dataset without an index")?;
                let total = count.checked_mul(self.bytes).ok_or("too many chunks")?;
                input.check(at, total)?;
                for nth in 0..count {
                    self.insert(nth, whole(at + nth * self.bytes), &mut chunks);
                }
            }
            Index::Tree { at } => {
                let mut seen = HashSet::new();
                self.walk_tree(input, at, None, &mut seen, &mut chunks)?;
            }
            Index::FixedArray { at } => arrays::fixed(input, at, self, &mut chunks)?,
            Index::ExtensibleArray { at } => arrays::extensible(input, at, self, &mut chunks)?,
            Index::Tree2 { at } => self.walk_tree2(input, at, &mut chunks)?,
        }
        for chunk in chunks.values() {
            input.check(chunk.at, chunk.size)?;
            if !self.filtered && chunk.size != self.bytes {
                return bad!("a chunk of {} bytes instead of {}", chunk.size, self.bytes);
            }
        }
        Ok(chunks)
    }

    /// A tree of version 1. Each node is visited once, and levels fall.
    fn walk_tree(
        &self,
        input: &Input,
        at: u64,
        expected: Option<u8>,
        seen: &mut HashSet<u64>,
        chunks: &mut Chunks,
    ) -> Parsed<()> {
        if !seen.insert(at) {
            return bad!("the tree of chunks comes to {at} twice");
        }
        let head_size = 8 + 2 * u64::from(input.offset_size);
        let head = input.bytes(at, head_size)?;
        let mut cursor = input.cursor(&head);
        cursor.signature(*b"TREE")?;
        let (kind, level, entries) = (cursor.u8()?, cursor.u8()?, u64::from(cursor.u16()?));
        if kind != 1 || expected.is_some_and(|expected| level != expected) {
            return bad!("a node of kind {kind} and level {level} in the tree of chunks");
        }
        let rank = self.dims.len();
        let key = 8 + 8 * (rank as u64 + 1);
        let body = input.bytes(at + head_size, entries * (key + u64::from(input.offset_size)))?;
        let mut cursor = input.cursor(&body);
        for _ in 0..entries {
            let (size, mask) = (u64::from(cursor.u32()?), cursor.u32()?);
            let starts = (0..rank).map(|_| cursor.u64()).collect::<Parsed<Vec<_>>>()?;
            cursor.skip(8)?;
            let child = cursor.address()?;
            if level > 0 {
                self.walk_tree(input, child, Some(level - 1), seen, chunks)?;
                continue;
            }
            let position = starts.iter().zip(&self.chunk).map(|(start, chunk)| start / chunk);
            if starts.iter().zip(&self.chunk).any(|(start, chunk)| start % chunk != 0) {
                return bad!("a chunk starts at {starts:?}");
            }
            // What is left of a dataset that was made smaller lies outside.
            if let Some(number) = self.number(position) {
                chunks.insert(number, Chunk { at: child, size, mask });
            }
        }
        Ok(())
    }

    fn walk_tree2(&self, input: &Input, at: u64, chunks: &mut Chunks) -> Parsed<()> {
        let rank = self.dims.len();
        super::tree2::records(input, at, &[10, 11], |kind, record| {
            let mut cursor = input.cursor(record);
            let entry = record.len().saturating_sub(8 * rank) as u64;
            let chunk = self.entry(&mut cursor, entry, kind == 11)?;
            let position = (0..rank).map(|_| cursor.u64()).collect::<Parsed<Vec<_>>>()?;
            if let Some(number) =
                self.number(position.into_iter()).filter(|_| chunk.at != UNDEFINED)
            {
                chunks.insert(number, chunk);
            }
            Ok(())
        })
    }

    /// Reads an entry of the newer indices: an address and, for filtered chunks, size and mask.
    pub(super) fn entry(
        &self,
        cursor: &mut Cursor<'_>,
        size: u64,
        filtered: bool,
    ) -> Parsed<Chunk> {
        let start = cursor.left();
        let at = cursor.address()?;
        if !filtered {
            return Ok(Chunk { at, size: self.bytes, mask: 0 });
        }
        let width = size.checked_sub((start - cursor.left()) as u64 + 4);
        let width = width.ok_or("the entries of a chunk index are too short")?;
        Ok(Chunk { at, size: cursor.uint(width as usize)?, mask: cursor.u32()? })
    }

    /// Number of chunks that the dataset may grow to, if there is a limit.
    pub(super) fn places(&self) -> Option<u64> {
        self.max.iter().zip(&self.chunk).try_fold(1_u64, |n, (&size, &chunk)| {
            if size == UNDEFINED { None } else { n.checked_mul(size.div_ceil(chunk)) }
        })
    }

    /// Puts an entry of a linear index to its chunk. Such an index counts the chunks that the
    /// dataset may grow to, the axis without a limit being the slowest.
    pub(super) fn insert(&self, nth: u64, chunk: Chunk, chunks: &mut Chunks) {
        let rank = self.dims.len();
        let unlimited = self.max.iter().position(|&size| size == UNDEFINED);
        let mut position = vec![0; rank];
        let mut rest = nth;
        for axis in (0..rank).rev().filter(|&axis| Some(axis) != unlimited) {
            let count = self.max[axis].div_ceil(self.chunk[axis]).max(1);
            position[axis] = rest % count;
            rest /= count;
        }
        if let Some(axis) = unlimited {
            position[axis] = rest;
        } else if rest > 0 {
            return;
        }
        if let Some(number) = self.number(position.into_iter()).filter(|_| chunk.at != UNDEFINED) {
            chunks.insert(number, chunk);
        }
    }
}

/// A block of `size` bytes and its checksum.
pub(super) fn block(input: &Input, at: u64, size: u64) -> Parsed<Vec<u8>> {
    checked(input, at, size.checked_add(4).ok_or("a block is too large")?)
}
