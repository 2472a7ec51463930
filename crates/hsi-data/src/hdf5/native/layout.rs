//! How the samples of a dataset are laid out: in one run, or in chunks behind an index.

use super::input::{Input, UNDEFINED};
use crate::fault::{Parsed, bad, unsupported};

/// Place of the samples.
#[derive(Clone, Debug)]
pub(super) enum Layout {
    /// In the object header.
    Compact(Vec<u8>),
    /// In one run; `None` if nothing was ever written.
    Contiguous { at: Option<u64>, size: u64 },
    /// In boxes of the same size.
    Chunked { dims: Vec<u64>, index: Index },
}

/// How chunks are found.
#[derive(Clone, Debug)]
pub(super) enum Index {
    /// Nothing was ever written.
    Nothing,
    /// A tree of version 1.
    Tree { at: u64 },
    /// One chunk, with its size and the filters left out if it is filtered.
    Single { at: u64, filtered: Option<(u64, u32)> },
    /// All chunks one after the other, not filtered.
    Implicit { at: u64 },
    /// An array of fixed length.
    FixedArray { at: u64 },
    /// An array that grows.
    ExtensibleArray { at: u64 },
    /// A tree of version 2.
    Tree2 { at: u64 },
}

impl Layout {
    /// Reads a layout message of a dataset of the given rank and bytes a value.
    pub(super) fn parse(input: &Input, data: &[u8], rank: usize, size: usize) -> Parsed<Self> {
        let mut cursor = input.cursor(data);
        let version = cursor.u8()?;
        if !(3..=5).contains(&version) {
            return unsupported!("a data layout of version {version}");
        }
        match cursor.u8()? {
            0 => {
                let size = usize::from(cursor.u16()?);
                Ok(Self::Compact(cursor.take(size)?.to_vec()))
            }
            1 => {
                let (at, size) = (cursor.address()?, cursor.length()?);
                Ok(Self::Contiguous { at: (at != UNDEFINED).then_some(at), size })
            }
            2 if version == 3 => {
                let axes = usize::from(cursor.u8()?);
                let at = cursor.address()?;
                let dims = chunk_dims(&mut cursor, axes, 4, rank, size)?;
                let index = if at == UNDEFINED { Index::Nothing } else { Index::Tree { at } };
                Ok(Self::Chunked { dims, index })
            }
            2 => {
                let flags = cursor.u8()?;
                let axes = usize::from(cursor.u8()?);
                let width = usize::from(cursor.u8()?);
                let dims = chunk_dims(&mut cursor, axes, width, rank, size)?;
                let kind = cursor.u8()?;
                let filtered = match kind {
                    1 if flags & 2 != 0 => Some((cursor.length()?, cursor.u32()?)),
                    1 | 2 => None,
                    // Creation parameters, which the array or tree repeats.
                    3 => {
                        cursor.skip(1)?;
                        None
                    }
                    4 => {
                        cursor.skip(5)?;
                        None
                    }
                    5 => {
                        cursor.skip(6)?;
                        None
                    }
                    kind => return unsupported!("a chunk index of kind {kind}"),
                };
                let at = cursor.address()?;
                let index = match kind {
                    _ if at == UNDEFINED => Index::Nothing,
                    1 => Index::Single { at, filtered },
                    2 => Index::Implicit { at },
                    3 => Index::FixedArray { at },
                    4 => Index::ExtensibleArray { at },
                    _ => Index::Tree2 { at },
                };
                Ok(Self::Chunked { dims, index })
            }
            3 => unsupported!("a virtual dataset"),
            class => bad!("a data layout of class {class}"),
        }
    }
}

/// Reads the sizes of a chunk; the last one is the bytes of a value.
fn chunk_dims(
    cursor: &mut super::input::Cursor<'_>,
    axes: usize,
    width: usize,
    rank: usize,
    size: usize,
) -> Parsed<Vec<u64>> {
    if axes != rank + 1 || rank == 0 {
        return bad!("chunks of {axes} axes for a dataset of {rank}");
    }
    let mut dims = (0..axes).map(|_| cursor.uint(width)).collect::<Parsed<Vec<_>>>()?;
    let bytes = dims.pop();
    if bytes != Some(size as u64) || dims.contains(&0) {
        return bad!("chunks of {dims:?} values of {bytes:?} bytes");
    }
    Ok(dims)
}
