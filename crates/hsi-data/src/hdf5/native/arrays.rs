//! The newer indices of chunks that are arrays: of fixed length, and growing along one axis.

use std::collections::HashSet;

use super::chunks::{Chunks, Grid, block};
use super::header::{checked, open};
use super::input::{Cursor, Input, UNDEFINED};
use crate::fault::{Parsed, bad};

/// Signature, version and client, before the address of the header.
const PREFIX: u64 = 6;

/// An array of fixed length, perhaps in pages.
pub(super) fn fixed(input: &Input, at: u64, grid: &Grid, chunks: &mut Chunks) -> Parsed<()> {
    let (offset, length) = (u64::from(input.offset_size), u64::from(input.length_size));
    let header = block(input, at, 8 + length + offset)?;
    let mut cursor = open(input, &header, *b"FAHD", &[0])?;
    let elements =
        Elements { grid, filtered: cursor.u8()? == 1, size: u64::from(cursor.u8()?).max(1) };
    let page_bits = cursor.u8()?;
    let (count, at) = (cursor.length()?, cursor.address()?);
    if at == UNDEFINED {
        return Ok(());
    }
    let page = 1_u64.checked_shl(u32::from(page_bits)).ok_or("pages are too large")?;
    let head = PREFIX + offset;
    if count <= page {
        let bytes = block(input, at, elements.bytes(count)?.saturating_add(head))?;
        let mut cursor = open(input, &bytes, *b"FADB", &[0])?;
        cursor.skip(1 + offset as usize)?;
        return elements.read(&mut cursor, 0, count, chunks);
    }
    let pages = count.div_ceil(page);
    let head = head.saturating_add(pages.div_ceil(8));
    let bytes = block(input, at, head)?;
    let mut cursor = open(input, &bytes, *b"FADB", &[0])?;
    cursor.skip(1 + offset as usize)?;
    let used = cursor.rest();
    elements.pages(input, at.saturating_add(head + 4), 0, count, page, used, chunks)
}

/// The elements of an array.
struct Elements<'a> {
    grid: &'a Grid,
    filtered: bool,
    /// Bytes of one.
    size: u64,
}

impl Elements<'_> {
    fn bytes(&self, count: u64) -> Parsed<u64> {
        Ok(count.checked_mul(self.size).ok_or("an index of chunks is too large")?)
    }

    fn read(
        &self,
        cursor: &mut Cursor<'_>,
        first: u64,
        count: u64,
        chunks: &mut Chunks,
    ) -> Parsed<()> {
        for nth in 0..count {
            let chunk = self.grid.entry(cursor, self.size, self.filtered)?;
            self.grid.insert(first + nth, chunk, chunks);
        }
        Ok(())
    }

    /// Pages that follow a block, those whose bit in `used` is set.
    #[allow(clippy::too_many_arguments)]
    fn pages(
        &self,
        input: &Input,
        at: u64,
        first: u64,
        count: u64,
        page: u64,
        used: &[u8],
        chunks: &mut Chunks,
    ) -> Parsed<()> {
        let stride = self.bytes(page)?.saturating_add(4);
        for nth in 0..count.div_ceil(page) {
            let byte = used.get((nth / 8) as usize).copied().unwrap_or(0);
            if byte & (0x80 >> (nth % 8)) == 0 {
                continue;
            }
            let count = page.min(count - nth * page);
            let at = at.saturating_add(nth.saturating_mul(stride));
            let bytes = block(input, at, self.bytes(count)?)?;
            self.read(&mut input.cursor(&bytes), first + nth * page, count, chunks)?;
        }
        Ok(())
    }
}

/// What the header of a growing array says.
struct Growing<'a> {
    input: &'a Input,
    elements: Elements<'a>,
    /// Bytes of the place of a block within the array.
    place: u64,
    /// Elements of a page.
    page: u64,
    seen: HashSet<u64>,
}

/// An array that grows: an index block, then blocks of data that become larger, the later ones
/// behind blocks of addresses.
pub(super) fn extensible(input: &Input, at: u64, grid: &Grid, chunks: &mut Chunks) -> Parsed<()> {
    let (offset, length) = (u64::from(input.offset_size), u64::from(input.length_size));
    let header = block(input, at, 12 + 6 * length + offset)?;
    let mut cursor = open(input, &header, *b"EAHD", &[0])?;
    let elements =
        Elements { grid, filtered: cursor.u8()? == 1, size: u64::from(cursor.u8()?).max(1) };
    let (bits, in_index) = (u32::from(cursor.u8()?), u64::from(cursor.u8()?));
    let (smallest, pointers) = (u64::from(cursor.u8()?), u64::from(cursor.u8()?));
    let page_bits = u32::from(cursor.u8()?);
    cursor.skip(6 * length as usize)?;
    let at = cursor.address()?;
    if at == UNDEFINED {
        return Ok(());
    }
    let sane = smallest.is_power_of_two()
        && pointers.is_power_of_two()
        && bits <= 64
        && smallest.trailing_zeros() <= bits
        && page_bits < 64;
    if !sane {
        return bad!("an index of chunks grows in steps of {smallest}, {pointers}, {bits}");
    }
    let groups = u64::from(1 + bits - smallest.trailing_zeros());
    let direct_groups = u64::from(2 * pointers.trailing_zeros()).min(groups);
    let direct = 2 * (pointers - 1);
    let behind = groups - direct_groups;
    let body = elements.bytes(in_index)? + (direct + behind) * offset;
    let bytes = block(input, at, PREFIX + offset + body)?;
    let mut cursor = open(input, &bytes, *b"EAIB", &[0])?;
    cursor.skip(1 + offset as usize)?;
    elements.read(&mut cursor, 0, in_index, chunks)?;
    let place = u64::from(bits.div_ceil(8));
    let seen = HashSet::new();
    let mut array = Growing { input, elements, place, page: 1 << page_bits, seen };
    let mut first = in_index;
    for group in 0..groups {
        let blocks = 1_u64 << (group / 2);
        let Some(count) = smallest.checked_mul(1 << group.div_ceil(2)) else { break };
        if group < direct_groups {
            for _ in 0..blocks {
                let at = cursor.address()?;
                array.data(at, first, count, None, chunks)?;
                first = first.saturating_add(count);
            }
        } else {
            let at = cursor.address()?;
            array.group(at, first, blocks, count, chunks)?;
            first = first.saturating_add(blocks.saturating_mul(count));
        }
    }
    Ok(())
}

impl Growing<'_> {
    /// A block of addresses of blocks of data.
    fn group(
        &mut self,
        at: u64,
        first: u64,
        blocks: u64,
        count: u64,
        chunks: &mut Chunks,
    ) -> Parsed<()> {
        if at == UNDEFINED {
            return Ok(());
        }
        if !self.seen.insert(at) {
            return bad!("an index of chunks comes to {at} twice");
        }
        let offset = u64::from(self.input.offset_size);
        let bits = if count > self.page { (count / self.page).div_ceil(8) } else { 0 };
        let size = blocks.checked_mul(bits.saturating_add(offset)).ok_or("too many blocks")?;
        let bytes = block(self.input, at, size.saturating_add(PREFIX + offset + self.place))?;
        let mut cursor = open(self.input, &bytes, *b"EASB", &[0])?;
        cursor.skip((1 + offset + self.place) as usize)?;
        let used = cursor.take((blocks * bits) as usize)?;
        for nth in 0..blocks {
            let at = cursor.address()?;
            let used = used.get((nth * bits) as usize..).filter(|_| bits > 0);
            let first = first.saturating_add(nth.saturating_mul(count));
            self.data(at, first, count, used, chunks)?;
        }
        Ok(())
    }

    /// A block of data.
    fn data(
        &mut self,
        at: u64,
        first: u64,
        count: u64,
        used: Option<&[u8]>,
        chunks: &mut Chunks,
    ) -> Parsed<()> {
        if at == UNDEFINED {
            return Ok(());
        }
        if !self.seen.insert(at) {
            return bad!("an index of chunks comes to {at} twice");
        }
        let head = PREFIX + u64::from(self.input.offset_size) + self.place;
        let paged = used.filter(|_| count > self.page);
        let body = if paged.is_some() { 0 } else { self.elements.bytes(count)? };
        let bytes = checked(self.input, at, head.saturating_add(body).saturating_add(4))?;
        let mut cursor = open(self.input, &bytes, *b"EADB", &[0])?;
        cursor.skip(head as usize - 5)?;
        match paged {
            None => self.elements.read(&mut cursor, first, count, chunks),
            Some(used) => {
                let at = at.saturating_add(head + 4);
                self.elements.pages(self.input, at, first, count, self.page, used, chunks)
            }
        }
    }
}
