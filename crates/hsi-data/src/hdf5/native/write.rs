//! Writing files: samples first, then what describes them, the superblock last.

use std::io::{Error, Result, Seek, SeekFrom, Write};

use super::Filter;
use super::header::{ATTRIBUTE, DATASPACE, DATATYPE, FILL_VALUE, FILTERS, LAYOUT, SYMBOL_TABLE};
use super::input::UNDEFINED;
use super::superblock::SIGNATURE;
use super::write_messages::{
    Attribute, attribute, chunked, contiguous, dataspace, fill_value, number, pad, pipeline,
};
use crate::meta::SampleType;

/// Bytes of the superblock, at the start of the file.
const SUPERBLOCK: u64 = 96;
/// Half of the children of a node in the tree of chunks; what readers take for granted.
const TREE_RANK: usize = 32;
/// The same for the tree of a group.
const GROUP_RANK: usize = 16;
/// Bytes of a message at most.
const MAX_MESSAGE: usize = 65_528;

/// A dataset whose samples have been written.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) dtype: SampleType,
    pub(crate) big_endian: bool,
    pub(crate) dims: Vec<u64>,
    pub(crate) storage: Storage,
    pub(crate) filters: Vec<Filter>,
    /// Bytes of the fill value.
    pub(crate) fill: Option<Vec<u8>>,
    pub(crate) attributes: Vec<(String, Attribute)>,
}

/// Where samples were written.
#[derive(Clone, Debug)]
pub(crate) enum Storage {
    /// In one run.
    Run { at: u64, size: u64 },
    /// In boxes: position of the first sample, address, bytes.
    Chunks { chunk: Vec<u64>, chunks: Vec<(Vec<u64>, u64, u64)> },
}

/// A file being written.
#[derive(Debug)]
pub(crate) struct FileWriter<W> {
    file: W,
    /// Bytes before the superblock.
    base: u64,
    /// Next free address.
    end: u64,
    described: Vec<Described>,
}

impl<W: Write + Seek> FileWriter<W> {
    /// Starts a file behind a user's block, which may be empty.
    pub(crate) fn new(mut file: W, user_block: &[u8]) -> Result<Self> {
        file.write_all(user_block)?;
        file.write_all(&[0; SUPERBLOCK as usize])?;
        let base = user_block.len() as u64;
        Ok(Self { file, base, end: SUPERBLOCK, described: Vec::new() })
    }

    /// Writes bytes behind all others and returns their address.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<u64> {
        let at = self.end;
        self.file.seek(SeekFrom::Start(self.base + at))?;
        self.file.write_all(bytes)?;
        self.end = (at + bytes.len() as u64).next_multiple_of(8);
        Ok(at)
    }

    /// Keeps room for bytes that are written by others; returns address and place in the file.
    pub(crate) fn reserve(&mut self, size: u64) -> (u64, u64) {
        let at = self.end;
        self.end = (at + size).next_multiple_of(8);
        (at, self.base + at)
    }

    /// The file itself.
    pub(crate) fn file(&mut self) -> &mut W {
        &mut self.file
    }

    /// Adds a dataset whose samples have been written.
    pub(crate) fn describe(&mut self, dataset: Described) {
        self.described.push(dataset);
    }

    /// Writes what describes the datasets, and the superblock.
    pub(crate) fn finish(mut self) -> Result<W> {
        let mut described = std::mem::take(&mut self.described);
        described.sort_by(|a, b| a.name.cmp(&b.name));
        let lists = described.iter().flat_map(|dataset| &dataset.attributes);
        let mut heap = GlobalHeap::new(lists);
        heap.at = self.append(&heap.bytes)?;
        let mut links = Vec::new();
        for dataset in &described {
            let mut messages = self.dataset(dataset)?;
            messages.extend(heap.messages(&dataset.attributes)?);
            links.push((dataset.name.as_str(), self.append(&header(&messages)?)?));
        }
        let (tree, names) = self.group(&links)?;
        let mut table = tree.to_le_bytes().to_vec();
        table.extend(names.to_le_bytes());
        let root = self.append(&header(&[(SYMBOL_TABLE, table)])?)?;
        let superblock = self.superblock(root, tree, names, links.len());
        // The last structure may end before a multiple of eight.
        let len = self.base + self.end;
        self.file.seek(SeekFrom::Start(len - 1))?;
        self.file.write_all(&[0])?;
        self.file.seek(SeekFrom::Start(self.base))?;
        self.file.write_all(&superblock)?;
        self.file.flush()?;
        Ok(self.file)
    }

    fn superblock(&self, root: u64, tree: u64, names: u64, links: usize) -> Vec<u8> {
        let mut out = SIGNATURE.to_vec();
        out.extend([0, 0, 0, 0, 0, 8, 8, 0]);
        out.extend((leaf_rank(links) as u16).to_le_bytes());
        out.extend((GROUP_RANK as u16).to_le_bytes());
        out.extend([0; 4]);
        for address in [self.base, UNDEFINED, self.base + self.end, UNDEFINED, 0, root] {
            out.extend(address.to_le_bytes());
        }
        out.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        out.extend(tree.to_le_bytes());
        out.extend(names.to_le_bytes());
        out
    }

    fn dataset(&mut self, dataset: &Described) -> Result<Vec<(u16, Vec<u8>)>> {
        let size = dataset.dtype.size();
        let is_chunked = matches!(dataset.storage, Storage::Chunks { .. });
        let mut messages = vec![
            (DATASPACE, dataspace(&dataset.dims)),
            (DATATYPE, number(dataset.dtype, dataset.big_endian)),
            (FILL_VALUE, fill_value(dataset.fill.as_deref(), is_chunked)),
        ];
        match &dataset.storage {
            Storage::Run { at, size } => messages.push((LAYOUT, contiguous(*at, *size))),
            Storage::Chunks { chunk, chunks } => {
                let tree = self.tree(chunk, chunks)?;
                messages.push((LAYOUT, chunked(tree, chunk, size)));
                if !dataset.filters.is_empty() {
                    messages.push((FILTERS, pipeline(&dataset.filters)));
                }
            }
        }
        Ok(messages)
    }

    /// Writes the tree of chunks and returns the address of its root.
    fn tree(&mut self, chunk: &[u64], chunks: &[(Vec<u64>, u64, u64)]) -> Result<u64> {
        let key = |position: &[u64], size: u64| {
            let mut out = (size as u32).to_le_bytes().to_vec();
            out.extend([0; 4]);
            out.extend(position.iter().flat_map(|at| at.to_le_bytes()));
            out.extend([0; 8]);
            out
        };
        let mut sorted: Vec<_> = chunks.iter().collect();
        sorted.sort();
        if sorted.iter().any(|(_, _, size)| u32::try_from(*size).is_err()) {
            return Err(Error::other("a chunk of 4 GiB or more"));
        }
        let mut children: Vec<(Vec<u8>, u64)> =
            sorted.iter().map(|(position, at, size)| (key(position, *size), *at)).collect();
        let beyond: Vec<u64> = sorted.last().map_or_else(
            || vec![0; chunk.len()],
            |(position, ..)| position.iter().zip(chunk).map(|(at, size)| at + size).collect(),
        );
        let beyond = key(&beyond, 0);
        let node_size = 24 + (2 * TREE_RANK + 1) * beyond.len() + 2 * TREE_RANK * 8;
        for level in 0_u8.. {
            let first = self.end;
            let count = children.len().div_ceil(2 * TREE_RANK).max(1);
            let address = |nth: usize| first + (nth * node_size.next_multiple_of(8)) as u64;
            let mut above = Vec::new();
            for (nth, part) in children.chunks(2 * TREE_RANK).enumerate() {
                let mut out = b"TREE\x01".to_vec();
                out.push(level);
                out.extend((part.len() as u16).to_le_bytes());
                out.extend(if nth == 0 { UNDEFINED } else { address(nth - 1) }.to_le_bytes());
                let right = if nth + 1 == count { UNDEFINED } else { address(nth + 1) };
                out.extend(right.to_le_bytes());
                for (key, child) in part {
                    out.extend(key);
                    out.extend(child.to_le_bytes());
                }
                let after = children.get((nth + 1) * 2 * TREE_RANK).map_or(&beyond, |next| &next.0);
                out.extend(after);
                out.resize(node_size, 0);
                let at = self.append(&out)?;
                above.push((part[0].0.clone(), at));
            }
            if above.len() <= 1 {
                return Ok(above.first().map_or(UNDEFINED, |root| root.1));
            }
            children = above;
        }
        Err(Error::other("a tree of too many levels"))
    }

    /// Writes names, table and tree of a group; returns the addresses of tree and names.
    fn group(&mut self, links: &[(&str, u64)]) -> Result<(u64, u64)> {
        let mut names = vec![0; 8];
        let mut table = b"SNOD\x01\x00".to_vec();
        table.extend((links.len() as u16).to_le_bytes());
        let mut last = 0_u64;
        for (name, header) in links {
            last = names.len() as u64;
            names.extend(name.as_bytes());
            names.push(0);
            pad(&mut names);
            table.extend(last.to_le_bytes());
            table.extend(header.to_le_bytes());
            table.extend([0; 24]);
        }
        table.resize(8 + 2 * leaf_rank(links.len()) * 40, 0);
        let data = self.append(&names)?;
        let mut heap = b"HEAP\0\0\0\0".to_vec();
        // The list of free places is empty, which is written as 1.
        for number in [names.len() as u64, 1, data] {
            heap.extend(number.to_le_bytes());
        }
        let heap = self.append(&heap)?;
        let table = self.append(&table)?;
        let mut tree = b"TREE\0\0".to_vec();
        tree.extend(u16::from(!links.is_empty()).to_le_bytes());
        for number in [UNDEFINED, UNDEFINED, 0, table, last] {
            tree.extend(number.to_le_bytes());
        }
        tree.resize(24 + (4 * GROUP_RANK + 1) * 8, 0);
        Ok((self.append(&tree)?, heap))
    }
}

/// Half of the entries of a table of symbols that has room for so many.
fn leaf_rank(links: usize) -> usize {
    links.div_ceil(2).max(4)
}

/// An object header of some messages.
fn header(messages: &[(u16, Vec<u8>)]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    for (kind, data) in messages {
        let size = data.len().next_multiple_of(8);
        if size > MAX_MESSAGE {
            let size = data.len();
            return Err(Error::other(format!("{size} bytes are too many for an attribute")));
        }
        body.extend(kind.to_le_bytes());
        body.extend((size as u16).to_le_bytes());
        body.extend([0; 4]);
        body.extend(data);
        pad(&mut body);
    }
    let mut out = vec![1, 0];
    out.extend((messages.len() as u16).to_le_bytes());
    out.extend(1_u32.to_le_bytes());
    out.extend((body.len() as u32).to_le_bytes());
    out.extend([0; 4]);
    out.extend(body);
    Ok(out)
}

/// Texts of variable length.
struct GlobalHeap {
    bytes: Vec<u8>,
    at: u64,
    next: u32,
}

impl GlobalHeap {
    /// Collects the texts in the order in which the messages will ask for them.
    fn new<'a>(attributes: impl Iterator<Item = &'a (String, Attribute)>) -> Self {
        let mut bytes = b"GCOL\x01\0\0\0".to_vec();
        bytes.extend([0; 8]);
        let mut index = 0_u16;
        for (_, value) in attributes {
            let Attribute::Text { texts, .. } = value else { continue };
            for text in texts.iter().filter(|text| !text.is_empty()) {
                index = index.wrapping_add(1);
                bytes.extend(index.to_le_bytes());
                bytes.extend([1, 0, 0, 0, 0, 0]);
                bytes.extend((text.len() as u64).to_le_bytes());
                bytes.extend(text.as_bytes());
                pad(&mut bytes);
            }
        }
        // What is left is one free object, if there is room for its head.
        let size = (bytes.len() + 16).max(4096);
        let free = size - bytes.len();
        bytes.extend([0; 8]);
        bytes.extend((free as u64).to_le_bytes());
        bytes.resize(size, 0);
        bytes[8..16].copy_from_slice(&(size as u64).to_le_bytes());
        Self { bytes, at: 0, next: 0 }
    }

    fn messages(&mut self, attributes: &[(String, Attribute)]) -> Result<Vec<(u16, Vec<u8>)>> {
        let mut messages = Vec::new();
        for (name, value) in attributes {
            let message = attribute(name, value, |_| {
                self.next += 1;
                (self.at, self.next)
            });
            if self.next > u32::from(u16::MAX) {
                return Err(Error::other("too many texts in attributes"));
            }
            messages.push((ATTRIBUTE, message));
        }
        Ok(messages)
    }
}
