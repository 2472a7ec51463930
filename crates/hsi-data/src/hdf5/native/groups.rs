//! The tree of groups: every dataset with its path.

use std::collections::HashSet;

use super::header::{DATASPACE, DATATYPE, Header, LAYOUT, LINK, LINK_INFO, SYMBOL_TABLE, open};
use super::heaps::{FractalHeap, LocalHeap};
use super::input::{Input, UNDEFINED};
use super::types::{Extent, Type, extent};
use crate::fault::{Fault, Parsed, bad};

/// Groups and datasets at most.
const MAX_OBJECTS: usize = 10_000;
/// Bytes of a path at most.
const MAX_PATH: usize = 4096;

/// A dataset that was found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// Path without the first slash.
    pub(crate) path: String,
    pub(crate) kind: Type,
    /// Size of each axis; none for a scalar.
    pub(crate) dims: Vec<u64>,
    /// Address of the object header.
    pub(super) header: u64,
}

enum Target {
    Object(u64),
    Soft(String),
}

/// Lists the datasets of all groups, in the order of the file. Soft links are followed within the
/// file; external links and mounted files are not.
pub(super) fn datasets(input: &Input, root: u64) -> Parsed<Vec<Found>> {
    let mut found: Vec<Found> = Vec::new();
    let mut aliases = Vec::new();
    let mut seen = HashSet::from([root]);
    let mut waiting = vec![(String::new(), root)];
    let mut objects = 0;
    while let Some((path, at)) = waiting.pop() {
        let header = Header::read(input, at)?;
        let mut links = links(input, &header)?;
        links.reverse();
        for (name, target) in links {
            objects += 1;
            let path = if path.is_empty() { name } else { format!("{path}/{name}") };
            if objects > MAX_OBJECTS || path.len() > MAX_PATH {
                return bad!("more than {MAX_OBJECTS} objects, or a path of over {MAX_PATH} bytes");
            }
            match target {
                Target::Soft(to) => aliases.push((path, to)),
                Target::Object(at) => match dataset(input, &path, at)? {
                    Some(dataset) => found.push(dataset),
                    None if seen.insert(at) => waiting.push((path, at)),
                    None => {}
                },
            }
        }
    }
    for (path, to) in aliases {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let to = match to.strip_prefix('/') {
            Some(absolute) => absolute.to_owned(),
            None if folder.is_empty() => to,
            None => format!("{folder}/{to}"),
        };
        let target = found.iter().find(|dataset| dataset.path == to).cloned();
        found.extend(target.map(|dataset| Found { path, ..dataset }));
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// The dataset of a header, or `None` if it is a group or a named type.
fn dataset(input: &Input, path: &str, at: u64) -> Parsed<Option<Found>> {
    let header = Header::read(input, at)?;
    if !header.has(LAYOUT) {
        return Ok(None);
    }
    let found = |kind, dims| Found { path: path.to_owned(), kind, dims, header: at };
    let read = || -> Parsed<Found> {
        let kind = header.find(input, DATATYPE)?.ok_or("a dataset without a type")?;
        let kind = Type::parse(input, &kind)?;
        let space = header.find(input, DATASPACE)?.ok_or("a dataset without a shape")?;
        match extent(input, &space)? {
            Some(Extent { dims, .. }) => Ok(found(kind, dims)),
            None => Ok(found(Type::Other { name: "empty", size: 1 }, Vec::new())),
        }
    };
    match read() {
        Ok(found) => Ok(Some(found)),
        // It is listed, as others may be read all the same.
        Err(Fault::Unsupported(_)) => {
            Ok(Some(found(Type::Other { name: "unsupported", size: 1 }, Vec::new())))
        }
        Err(fault) => Err(fault),
    }
}

fn links(input: &Input, header: &Header) -> Parsed<Vec<(String, Target)>> {
    let mut links = Vec::new();
    for message in &header.messages {
        match message.kind {
            LINK => links.extend(link(input, &message.data)?),
            LINK_INFO => {
                let mut cursor = input.cursor(&message.data);
                cursor.skip(1)?;
                let flags = cursor.u8()?;
                cursor.skip(if flags & 1 == 0 { 0 } else { 8 })?;
                let (heap, names) = (cursor.address()?, cursor.address()?);
                if heap == UNDEFINED || names == UNDEFINED {
                    continue;
                }
                let heap = FractalHeap::read(input, heap)?;
                super::tree2::records(input, names, &[5], |_, record| {
                    let id = record.get(4..).unwrap_or_default();
                    if links.len() > MAX_OBJECTS {
                        return bad!("more than {MAX_OBJECTS} links");
                    }
                    links.extend(link(input, &heap.object(id)?)?);
                    Ok(())
                })?;
            }
            SYMBOL_TABLE => {
                let mut cursor = input.cursor(&message.data);
                let (tree, heap) = (cursor.address()?, cursor.address()?);
                let heap = LocalHeap::read(input, heap)?;
                symbols(input, tree, None, &heap, &mut HashSet::new(), &mut links)?;
            }
            _ => {}
        }
    }
    Ok(links)
}

/// Reads a link message; links to other files are left out.
fn link(input: &Input, data: &[u8]) -> Parsed<Option<(String, Target)>> {
    let mut cursor = input.cursor(data);
    let (version, flags) = (cursor.u8()?, cursor.u8()?);
    if version != 1 {
        return bad!("a link of version {version}");
    }
    let kind = if flags & 8 == 0 { 0 } else { cursor.u8()? };
    cursor.skip(if flags & 4 == 0 { 0 } else { 8 })?;
    cursor.skip(usize::from(flags >> 4 & 1))?;
    let length = cursor.uint(1 << (flags & 3))? as usize;
    let name = String::from_utf8_lossy(cursor.take(length)?).into_owned();
    match kind {
        0 => Ok(Some((name, Target::Object(cursor.address()?)))),
        1 => {
            let length = usize::from(cursor.u16()?);
            let to = String::from_utf8_lossy(cursor.take(length)?).into_owned();
            Ok(Some((name, Target::Soft(to))))
        }
        _ => Ok(None),
    }
}

/// Walks the tree of an older group. Each node is visited once, and levels fall.
fn symbols(
    input: &Input,
    at: u64,
    expected: Option<u8>,
    heap: &LocalHeap,
    seen: &mut HashSet<u64>,
    links: &mut Vec<(String, Target)>,
) -> Parsed<()> {
    if !seen.insert(at) {
        return bad!("the tree of a group comes to {at} twice");
    }
    let (offset, length) = (u64::from(input.offset_size), u64::from(input.length_size));
    let head_size = 8 + 2 * offset;
    let head = input.bytes(at, head_size)?;
    let mut cursor = open_tree(input, &head)?;
    let (level, entries) = (cursor.u8()?, u64::from(cursor.u16()?));
    if expected.is_some_and(|expected| level != expected) {
        return bad!("a node of level {level} in the tree of a group");
    }
    let body = input.bytes(at + head_size, entries * (offset + length))?;
    let mut cursor = input.cursor(&body);
    for _ in 0..entries {
        cursor.length()?;
        let child = cursor.address()?;
        if level > 0 {
            symbols(input, child, Some(level - 1), heap, seen, links)?;
        } else if seen.insert(child) {
            table(input, child, heap, links)?;
        }
    }
    Ok(())
}

fn open_tree<'a>(input: &Input, head: &'a [u8]) -> Parsed<super::input::Cursor<'a>> {
    let mut cursor = input.cursor(head);
    cursor.signature(*b"TREE")?;
    match cursor.u8()? {
        0 => Ok(cursor),
        kind => bad!("a node of kind {kind} in the tree of a group"),
    }
}

/// Reads a table of symbols: names and addresses.
fn table(
    input: &Input,
    at: u64,
    heap: &LocalHeap,
    links: &mut Vec<(String, Target)>,
) -> Parsed<()> {
    let head = input.bytes(at, 8)?;
    let mut cursor = open(input, &head, *b"SNOD", &[1])?;
    cursor.skip(1)?;
    let count = u64::from(cursor.u16()?);
    let offset = u64::from(input.offset_size);
    let body = input.bytes(at + 8, count * (2 * offset + 24))?;
    let mut cursor = input.cursor(&body);
    for _ in 0..count {
        if links.len() > MAX_OBJECTS {
            return bad!("more than {MAX_OBJECTS} links");
        }
        let (name, header) = (cursor.address()?, cursor.address()?);
        let kind = cursor.u32()?;
        cursor.skip(4)?;
        let scratch = cursor.take(16)?;
        let name = heap.name(name)?;
        let target = if kind == 2 {
            let at = input.cursor(scratch).u32()?;
            Target::Soft(heap.name(u64::from(at))?)
        } else {
            Target::Object(header)
        };
        links.push((name, target));
    }
    Ok(())
}
