//! HDF5 in Rust alone: the part of the format that arrays of numbers use.
//!
//! Read: superblocks 0 to 3, groups of either kind, compact, contiguous and chunked datasets with
//! any index, deflate, shuffle, Fletcher's checksum and LZF, attributes wherever they are stored.
//! Not read: virtual and external datasets, links to other files, szip, n-bit and scale-offset.
//!
//! Nothing in a file is trusted: sizes are checked against the length of the file before anything
//! is allocated, unpacked sizes against what deflate can make of so many bytes; every tree, list
//! and heap is visited at most once.
//!
//! # References
//! - The HDF Group, "HDF5 File Format Specification", version 3.0.

mod arrays;
mod attributes;
mod checksum;
mod chunks;
mod dataset;
mod filters;
mod groups;
mod header;
mod heaps;
mod input;
mod layout;
mod superblock;
mod tree2;
mod types;
mod write;
mod write_messages;

pub(crate) use dataset::Dataset;
pub(crate) use filters::{Filter, apply};
pub(crate) use groups::Found;
pub(crate) use superblock::find;
pub(crate) use types::Type;
pub(crate) use write::{Described, FileWriter, Storage};
pub(crate) use write_messages::Attribute;

use input::Input;

use crate::arrays::{FileBytes, Value};
use crate::fault::Parsed;

/// A file whose datasets have been listed.
#[derive(Debug)]
pub(crate) struct Native {
    input: Input,
    root: u64,
    found: Vec<Found>,
}

impl Native {
    pub(crate) fn open(file: FileBytes) -> Parsed<Self> {
        let mut input = Input::new(file);
        let root = superblock::read(&mut input)?;
        let found = groups::datasets(&input, root)?;
        Ok(Self { input, root, found })
    }

    /// The datasets, by path.
    pub(crate) fn datasets(&self) -> &[Found] {
        &self.found
    }

    /// Bytes of the file.
    pub(crate) fn len(&self) -> u64 {
        self.input.len()
    }

    /// Opens a dataset for reading.
    pub(crate) fn dataset(&self, found: &Found) -> Parsed<Dataset> {
        Dataset::open(&self.input, found)
    }

    /// The attributes of a dataset, or of the root group.
    pub(crate) fn attributes(&self, of: Option<&Found>) -> Parsed<Vec<(String, Value)>> {
        let at = of.map_or(self.root, |found| found.header);
        attributes::read(&self.input, &header::Header::read(&self.input, at)?)
    }
}
