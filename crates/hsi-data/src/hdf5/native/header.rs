//! Object headers: the messages that describe a group or a dataset.

use std::collections::HashSet;

use super::checksum::lookup3;
use super::input::{Cursor, Input, UNDEFINED};
use crate::fault::{Parsed, bad, unsupported};

/// Bytes of one header with its continuations at most.
const MAX_HEADER: u64 = 16 << 20;

pub(super) const DATASPACE: u16 = 0x01;
pub(super) const LINK_INFO: u16 = 0x02;
pub(super) const DATATYPE: u16 = 0x03;
pub(super) const FILL_VALUE: u16 = 0x05;
pub(super) const LINK: u16 = 0x06;
pub(super) const EXTERNAL_FILES: u16 = 0x07;
pub(super) const LAYOUT: u16 = 0x08;
pub(super) const FILTERS: u16 = 0x0b;
pub(super) const ATTRIBUTE: u16 = 0x0c;
const CONTINUATION: u16 = 0x10;
pub(super) const SYMBOL_TABLE: u16 = 0x11;
pub(super) const ATTRIBUTE_INFO: u16 = 0x15;

/// One message.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) kind: u16,
    /// Whether the data say where the message really is.
    shared: bool,
    pub(super) data: Vec<u8>,
}

/// The messages of an object.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) messages: Vec<Message>,
}

impl Header {
    /// Reads the header at an address.
    pub(super) fn read(input: &Input, at: u64) -> Parsed<Self> {
        let mut start = [0; 4];
        input.read_at(at, &mut start)?;
        if &start == b"OHDR" { Self::read_new(input, at) } else { Self::read_old(input, at) }
    }

    /// The first message of a kind, wherever it is stored.
    pub(super) fn find(&self, input: &Input, kind: u16) -> Parsed<Option<Vec<u8>>> {
        let message = self.messages.iter().find(|message| message.kind == kind);
        message.map(|message| message.content(input)).transpose()
    }

    pub(super) fn has(&self, kind: u16) -> bool {
        self.messages.iter().any(|message| message.kind == kind)
    }

    fn read_old(input: &Input, at: u64) -> Parsed<Self> {
        let prefix = input.bytes(at, 16)?;
        let mut cursor = input.cursor(&prefix);
        let version = cursor.u8()?;
        if version != 1 {
            return bad!("an object header of version {version} at {at}");
        }
        // Reserved, number of messages (which may lie), references.
        cursor.skip(1 + 2 + 4)?;
        let size = u64::from(cursor.u32()?);
        let mut blocks = Blocks::new((at + 16, size));
        let mut messages = Vec::new();
        while let Some(block) = blocks.next(input)? {
            let mut cursor = input.cursor(&block);
            while cursor.left() >= 8 {
                let (kind, size) = (cursor.u16()?, cursor.u16()?);
                let flags = cursor.u8()?;
                cursor.skip(3)?;
                let data = cursor.take(usize::from(size))?.to_vec();
                blocks.push(input, kind, data, flags, &mut messages)?;
                cursor.align()?;
            }
        }
        Ok(Self { messages })
    }

    fn read_new(input: &Input, at: u64) -> Parsed<Self> {
        let prefix = input.bytes(at, (input.len() - at).min(64))?;
        let mut cursor = input.cursor(&prefix);
        cursor.signature(*b"OHDR")?;
        let (version, flags) = (cursor.u8()?, cursor.u8()?);
        if version != 2 {
            return unsupported!("an object header of version {version}");
        }
        // Four times, two limits of attributes.
        cursor.skip(if flags & 0x20 == 0 { 0 } else { 16 })?;
        cursor.skip(if flags & 0x10 == 0 { 0 } else { 4 })?;
        let size = cursor.uint(1 << (flags & 3))?;
        let fixed = cursor.at() as u64;
        let with_order = flags & 4 != 0;
        let Some(whole) = size.checked_add(fixed + 4) else {
            return bad!("an object header of {size} bytes");
        };
        let mut blocks = Blocks::new((at, whole));
        let mut skip = fixed as usize;
        let mut messages = Vec::new();
        while let Some(block) = blocks.next(input)? {
            let Some((content, sum)) = block.split_last_chunk::<4>() else {
                return bad!("a block of an object header of {} bytes", block.len());
            };
            if u32::from_le_bytes(*sum) != lookup3(content) {
                return bad!("the checksum of the object header at {at} is wrong");
            }
            let mut cursor = input.cursor(content);
            if skip == 4 {
                cursor.clone().signature(*b"OCHK")?;
            }
            cursor.skip(skip)?;
            skip = 4;
            // What is shorter than the head of a message is a gap.
            let head = if with_order { 6 } else { 4 };
            while cursor.left() >= head {
                let (kind, size) = (u16::from(cursor.u8()?), cursor.u16()?);
                let flags = cursor.u8()?;
                cursor.skip(if with_order { 2 } else { 0 })?;
                let data = cursor.take(usize::from(size))?.to_vec();
                blocks.push(input, kind, data, flags, &mut messages)?;
            }
        }
        Ok(Self { messages })
    }
}

/// The blocks of a header that are still to be read.
struct Blocks {
    waiting: Vec<(u64, u64)>,
    seen: HashSet<u64>,
    left: u64,
}

impl Blocks {
    fn new(first: (u64, u64)) -> Self {
        Self { waiting: vec![first], seen: HashSet::new(), left: MAX_HEADER }
    }

    fn next(&mut self, input: &Input) -> Parsed<Option<Vec<u8>>> {
        if self.waiting.is_empty() {
            return Ok(None);
        }
        let (at, size) = self.waiting.remove(0);
        if !self.seen.insert(at) {
            return bad!("an object header continues at {at} twice");
        }
        self.left = match self.left.checked_sub(size) {
            Some(left) => left,
            None => return bad!("an object header of more than {MAX_HEADER} bytes"),
        };
        input.bytes(at, size).map(Some)
    }

    fn push(
        &mut self,
        input: &Input,
        kind: u16,
        data: Vec<u8>,
        flags: u8,
        messages: &mut Vec<Message>,
    ) -> Parsed<()> {
        match kind {
            CONTINUATION => {
                let mut cursor = input.cursor(&data);
                let place = (cursor.address()?, cursor.length()?);
                self.waiting.push(place);
            }
            // Nothing, and the kinds that are of no interest here.
            0 => {}
            _ => messages.push(Message { kind, shared: flags & 2 != 0, data }),
        }
        Ok(())
    }
}

impl Message {
    /// The data, from where they are stored.
    pub(super) fn content(&self, input: &Input) -> Parsed<Vec<u8>> {
        if self.shared { shared(input, self.kind, &self.data) } else { Ok(self.data.clone()) }
    }
}

/// A message that is stored in the header of another object, such as a named datatype.
pub(super) fn shared(input: &Input, kind: u16, data: &[u8]) -> Parsed<Vec<u8>> {
    let mut cursor = input.cursor(data);
    let (version, place) = (cursor.u8()?, cursor.u8()?);
    match (version, place) {
        (1, _) => cursor.skip(6)?,
        (2, _) | (3, 2) => {}
        (3, 1) => return unsupported!("a table of shared messages"),
        _ => return bad!("a shared message of version {version} in place {place}"),
    }
    let at = cursor.address()?;
    let header = Header::read(input, at)?;
    match header.messages.iter().find(|message| message.kind == kind) {
        Some(message) if !message.shared => Ok(message.data.clone()),
        _ => bad!("a shared message of kind {kind} is not at {at}"),
    }
}

/// Checks version and place of a structure and returns what follows its signature.
pub(super) fn open<'a>(
    input: &Input,
    bytes: &'a [u8],
    signature: [u8; 4],
    versions: &[u8],
) -> Parsed<Cursor<'a>> {
    let mut cursor = input.cursor(bytes);
    cursor.signature(signature)?;
    let version = cursor.u8()?;
    if versions.contains(&version) {
        return Ok(cursor);
    }
    unsupported!("version {version} of `{}`", String::from_utf8_lossy(&signature))
}

/// A structure whose last four bytes are the checksum of the others.
pub(super) fn checked(input: &Input, at: u64, size: u64) -> Parsed<Vec<u8>> {
    if at == UNDEFINED {
        return bad!("a structure has no address");
    }
    let mut bytes = input.bytes(at, size)?;
    let Some((content, sum)) = bytes.split_last_chunk::<4>() else {
        return bad!("a structure of {size} bytes");
    };
    if u32::from_le_bytes(*sum) != lookup3(content) {
        return bad!("the checksum of the structure at {at} is wrong");
    }
    bytes.truncate(bytes.len() - 4);
    Ok(bytes)
}
