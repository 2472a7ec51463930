//! Trees of version 2, which index chunks, links and attributes.

use std::collections::HashSet;

use super::chunks::block;
use super::header::open;
use super::input::{Input, UNDEFINED, bytes_for};
use crate::fault::{Parsed, bad};

/// Signature, version, kind and checksum of a node.
const OVERHEAD: u64 = 10;

/// Shape of the nodes of one level, counted from the leaves.
#[derive(Clone, Copy)]
struct Level {
    /// Records of a node and of all nodes below it, at most.
    most: u64,
    most_below: u64,
}

struct Tree<'a> {
    input: &'a Input,
    kind: u8,
    node: u64,
    record: u64,
    levels: Vec<Level>,
    seen: HashSet<u64>,
}

/// Calls `take` with the kind and the bytes of each record of a tree of one of the kinds.
pub(super) fn records(
    input: &Input,
    at: u64,
    kinds: &[u8],
    mut take: impl FnMut(u8, &[u8]) -> Parsed<()>,
) -> Parsed<()> {
    let (offset, length) = (u64::from(input.offset_size), u64::from(input.length_size));
    let header = block(input, at, 18 + offset + length)?;
    let mut cursor = open(input, &header, *b"BTHD", &[0])?;
    let kind = cursor.u8()?;
    let (node, record) = (u64::from(cursor.u32()?), u64::from(cursor.u16()?));
    let depth = cursor.u16()?;
    cursor.skip(2)?;
    let (root, count) = (cursor.address()?, u64::from(cursor.u16()?));
    if !kinds.contains(&kind) || record == 0 || node < OVERHEAD + record {
        return bad!("a tree of kind {kind} with records of {record} in nodes of {node} bytes");
    }
    if root == UNDEFINED || count == 0 {
        return Ok(());
    }
    let most = (node - OVERHEAD) / record;
    let mut levels = vec![Level { most, most_below: most }];
    let mut tree = Tree { input, kind, node, record, levels: Vec::new(), seen: HashSet::new() };
    for depth in 1..=u64::from(depth) {
        let below = levels[levels.len() - 1];
        let pointer = tree.pointer(&levels, depth);
        let Some(room) = node.checked_sub(OVERHEAD + pointer).filter(|_| depth <= 32) else {
            return bad!("a tree of {depth} levels in nodes of {node} bytes");
        };
        let most = room / (record + pointer);
        let most_below = (most + 1).saturating_mul(below.most_below).saturating_add(most);
        levels.push(Level { most, most_below });
    }
    tree.levels = levels;
    tree.walk(root, count, u64::from(depth), &mut take)
}

impl Tree<'_> {
    /// Bytes of a pointer to a child, in a node of a depth above zero.
    fn pointer(&self, levels: &[Level], depth: u64) -> u64 {
        let below = levels.get(depth as usize - 1).map_or(0, |level| level.most_below);
        let total = if depth > 1 { bytes_for(below) as u64 } else { 0 };
        let most = levels.first().map_or(0, |level| level.most);
        u64::from(self.input.offset_size) + bytes_for(most) as u64 + total
    }

    fn walk(
        &mut self,
        at: u64,
        count: u64,
        depth: u64,
        take: &mut impl FnMut(u8, &[u8]) -> Parsed<()>,
    ) -> Parsed<()> {
        let most = self.levels.get(depth as usize).map_or(0, |level| level.most);
        if count > most || !self.seen.insert(at) {
            return bad!(
                "a node of {count} records at {at}, which holds {most} or was seen before"
            );
        }
        let pointer = if depth == 0 { 0 } else { self.pointer(&self.levels, depth) };
        let pointers = if depth == 0 { 0 } else { (count + 1) * pointer };
        let size = OVERHEAD - 4 + count * self.record + pointers;
        let bytes = block(self.input, at, size.min(self.node))?;
        let signature = if depth == 0 { *b"BTLF" } else { *b"BTIN" };
        let mut cursor = open(self.input, &bytes, signature, &[0])?;
        cursor.skip(1)?;
        for _ in 0..count {
            take(self.kind, cursor.take(self.record as usize)?)?;
        }
        if depth == 0 {
            return Ok(());
        }
        let width = self.levels.first().map_or(1, |level| bytes_for(level.most));
        let rest = pointer as usize - usize::from(self.input.offset_size) - width;
        for _ in 0..=count {
            let (child, count) = (cursor.address()?, cursor.uint(width)?);
            cursor.skip(rest)?;
            self.walk(child, count, depth - 1, take)?;
        }
        Ok(())
    }
}
