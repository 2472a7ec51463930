//! Samples of a dataset, box by box.

use rayon::prelude::*;

use super::chunks::{Chunk, Chunks, Grid};
use super::filters::{self, Filter};
use super::groups::Found;
use super::header::{DATASPACE, DATATYPE, EXTERNAL_FILES, FILL_VALUE, FILTERS, Header, LAYOUT};
use super::input::Input;
use super::layout::Layout;
use super::types::{Extent, Type, byte_count, extent};
use crate::arrays::{Side, advance, check_box, copy_box, place, read_run, strides};
use crate::fault::{Parsed, bad, unsupported};

/// Bytes of the chunks that are unpacked before they are put in their places.
const BATCH: u64 = 16 << 20;

/// A dataset that can be read.
#[derive(Debug)]
pub(crate) struct Dataset {
    input: Input,
    pub(crate) kind: Type,
    pub(crate) dims: Vec<u64>,
    place: Place,
    filters: Vec<Filter>,
    /// The bytes of a value that was never written.
    fill: Vec<u8>,
}

#[derive(Debug)]
enum Place {
    Memory(Vec<u8>),
    /// Address of the first sample, if any was written.
    Run(Option<u64>),
    Chunks(Grid, Chunks),
}

impl Dataset {
    /// Reads everything but the samples.
    pub(super) fn open(input: &Input, found: &Found) -> Parsed<Self> {
        let header = Header::read(input, found.header)?;
        let message = |kind, missing: &'static str| -> Parsed<Vec<u8>> {
            Ok(header.find(input, kind)?.ok_or(missing)?)
        };
        let kind = Type::parse(input, &message(DATATYPE, "a dataset without a type")?)?;
        let size = kind.size();
        let space = extent(input, &message(DATASPACE, "a dataset without a shape")?)?;
        let Extent { dims, max } = space.ok_or("a dataset without values")?;
        if header.has(EXTERNAL_FILES) {
            return unsupported!("a dataset that is kept in other files");
        }
        let bytes = byte_count(&dims, size)?;
        let filters = header.find(input, FILTERS)?;
        let filters =
            filters.map(|data| filters::parse(input, &data)).transpose()?.unwrap_or_default();
        let fill = header.find(input, FILL_VALUE)?;
        let fill = fill.map(|data| fill_value(input, &data, size)).transpose()?;
        let layout = message(LAYOUT, "a dataset without a layout")?;
        let place = match Layout::parse(input, &layout, dims.len(), size)? {
            Layout::Compact(data) if data.len() as u64 == bytes => Place::Memory(data),
            Layout::Compact(data) => return bad!("{} bytes of {bytes}", data.len()),
            Layout::Contiguous { at: Some(at), size } => {
                if size < bytes {
                    return bad!("{size} bytes of {bytes}");
                }
                input.check(at, bytes)?;
                Place::Run(Some(at))
            }
            Layout::Contiguous { at: None, .. } => Place::Run(None),
            Layout::Chunked { dims: chunk, index } => {
                let filtered = !filters.is_empty();
                let bytes = byte_count(&chunk, size)?;
                let grid = Grid { dims: dims.clone(), max, chunk, bytes, filtered };
                let chunks = grid.find(input, &index)?;
                Place::Chunks(grid, chunks)
            }
        };
        let fill = fill.flatten().unwrap_or_else(|| vec![0; size]);
        Ok(Self { input: input.clone(), kind, dims, place, filters, fill })
    }

    /// Whether the samples lie in the file as they are.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.place, Place::Memory(_) | Place::Run(Some(_)))
    }

    /// Size of a chunk, if there are chunks.
    pub(crate) fn chunk(&self) -> Option<&[u64]> {
        match &self.place {
            Place::Chunks(grid, _) => Some(&grid.chunk),
            _ => None,
        }
    }

    /// The filters, in the order of writing.
    pub(crate) fn filters(&self) -> &[Filter] {
        &self.filters
    }

    /// Reads a box, which must lie in the dataset, in C order.
    pub(crate) fn read(&self, start: &[u64], count: &[u64], out: &mut [u8]) -> Parsed<()> {
        let size = self.kind.size();
        check_box(&self.dims, start, count, size, out)?;
        if out.is_empty() {
            return Ok(());
        }
        match &self.place {
            Place::Memory(bytes) => {
                let steps = strides(&self.dims, size);
                let from = Side { at: place(start, &steps), steps: &steps };
                let steps = strides(count, size);
                copy_box((bytes, from), (out, Side { at: 0, steps: &steps }), count, size);
                Ok(())
            }
            Place::Run(None) => {
                self.fill(out);
                Ok(())
            }
            Place::Run(Some(first)) => {
                let array = (self.dims.as_slice(), size);
                read_run(&self.input.file, *first, array, (start, count), out)
            }
            Place::Chunks(grid, chunks) => self.read_chunks(grid, chunks, start, count, out),
        }
    }

    fn fill(&self, out: &mut [u8]) {
        for value in out.chunks_mut(self.fill.len().max(1)) {
            value.copy_from_slice(&self.fill[..value.len()]);
        }
    }

    fn read_chunks(
        &self,
        grid: &Grid,
        chunks: &Chunks,
        start: &[u64],
        count: &[u64],
        out: &mut [u8],
    ) -> Parsed<()> {
        if start.is_empty() {
            return bad!("chunks of a scalar");
        }
        // Slabs of the box that lie in one row of chunks along the first axis.
        let size = self.kind.size();
        let plane = count[1..].iter().product::<u64>() as usize * size;
        let mut slabs = Vec::new();
        let mut rest = out;
        let (mut row, end) = (start[0], start[0] + count[0]);
        while row < end {
            let next = (row / grid.chunk[0] + 1).saturating_mul(grid.chunk[0]).min(end);
            let (slab, after) = rest.split_at_mut((next - row) as usize * plane);
            rest = after;
            let (mut start, mut count) = (start.to_vec(), count.to_vec());
            (start[0], count[0]) = (row, next - row);
            slabs.push((start, count, slab));
            row = next;
        }
        if slabs.len() >= rayon::current_num_threads() {
            return slabs.into_par_iter().try_for_each(|(start, count, slab)| {
                self.read_slab(grid, chunks, &start, &count, slab, false)
            });
        }
        slabs.into_iter().try_for_each(|(start, count, out)| {
            self.read_slab(grid, chunks, &start, &count, out, true)
        })
    }

    fn read_slab(
        &self,
        grid: &Grid,
        chunks: &Chunks,
        start: &[u64],
        count: &[u64],
        out: &mut [u8],
        parallel: bool,
    ) -> Parsed<()> {
        let size = self.kind.size();
        // First chunk and number of chunks along each axis.
        let first: Vec<u64> = start.iter().zip(&grid.chunk).map(|(s, c)| s / c).collect();
        let last = start.iter().zip(count).zip(&grid.chunk).map(|((s, n), c)| (s + n - 1) / c);
        let many: Vec<u64> = last.zip(&first).map(|(last, first)| last - first + 1).collect();
        let total: u64 = many.iter().product();
        let batch = if parallel { (BATCH / grid.bytes.max(1)).clamp(1, 64) } else { 1 };
        let out_steps = strides(count, size);
        let chunk_steps = strides(&grid.chunk, size);
        let mut position = first.clone();
        let mut done = 0;
        while done < total {
            let now = batch.min(total - done);
            let mut places = Vec::with_capacity(now as usize);
            for _ in 0..now {
                places.push(position.clone());
                advance(&mut position, &first, &many);
            }
            let load = |position: &Vec<u64>| -> Parsed<Option<Vec<u8>>> {
                let number = grid.number(position.iter().copied());
                let chunk = number.and_then(|number| chunks.get(&number));
                chunk.map(|chunk| self.load(grid, *chunk)).transpose()
            };
            let loaded: Vec<Parsed<Option<Vec<u8>>>> = if parallel {
                places.par_iter().map(load).collect()
            } else {
                places.iter().map(load).collect()
            };
            for (chunk_at, loaded) in places.iter().zip(loaded) {
                // The part of the chunk that lies in the box.
                let mut from = vec![0; chunk_at.len()];
                let mut to = vec![0; chunk_at.len()];
                let mut part = vec![0; chunk_at.len()];
                for axis in 0..chunk_at.len() {
                    let begin = chunk_at[axis] * grid.chunk[axis];
                    let end = (begin + grid.chunk[axis]).min(start[axis] + count[axis]);
                    let begin_in = begin.max(start[axis]);
                    from[axis] = begin_in - begin;
                    to[axis] = begin_in - start[axis];
                    part[axis] = end - begin_in;
                }
                let to = Side { at: place(&to, &out_steps), steps: &out_steps };
                if let Some(bytes) = loaded? {
                    let from = Side { at: place(&from, &chunk_steps), steps: &chunk_steps };
                    copy_box((&bytes, from), (out, to), &part, size);
                } else {
                    // The same value everywhere: an array whose neighbours are no step apart.
                    let from = Side { at: 0, steps: &vec![0; part.len()] };
                    copy_box((&self.fill, from), (out, to), &part, size);
                }
            }
            done += now;
        }
        Ok(())
    }

    /// Reads and unpacks a chunk.
    fn load(&self, grid: &Grid, chunk: Chunk) -> Parsed<Vec<u8>> {
        let bytes = self.input.bytes(chunk.at, chunk.size)?;
        filters::undo(&self.filters, chunk.mask, bytes, grid.bytes as usize)
    }
}

/// Reads a fill value message; `None` if there is none of the right size.
fn fill_value(input: &Input, data: &[u8], size: usize) -> Parsed<Option<Vec<u8>>> {
    let mut cursor = input.cursor(data);
    let defined = match cursor.u8()? {
        1 => {
            cursor.skip(3)?;
            true
        }
        2 => {
            cursor.skip(2)?;
            cursor.u8()? != 0
        }
        3 => cursor.u8()? & 0x20 != 0,
        version => return unsupported!("a fill value of version {version}"),
    };
    if !defined {
        return Ok(None);
    }
    let length = cursor.u32()? as usize;
    if length != size {
        return Ok(None);
    }
    cursor.take(length).map(|value| Some(value.to_vec()))
}
