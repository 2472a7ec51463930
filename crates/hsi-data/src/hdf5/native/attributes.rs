//! Attributes: numbers and text that describe a group or a dataset.

use super::header::{ATTRIBUTE, ATTRIBUTE_INFO, Header};
use super::heaps::{FractalHeap, global};
use super::input::{Input, UNDEFINED};
use super::types::{Extent, Type, byte_count, extent, of_attribute};
use crate::arrays::{Value, numbers};
use crate::fault::{Parsed, bad, unsupported};

/// Bytes of the texts of an attribute at most.
const MAX_TEXT: usize = 16 << 20;

/// Reads the attributes of an object. What has no meaning here, such as references, is left out.
pub(super) fn read(input: &Input, header: &Header) -> Parsed<Vec<(String, Value)>> {
    let mut found = Vec::new();
    for message in header.messages.iter().filter(|message| message.kind == ATTRIBUTE) {
        found.extend(parse(input, &message.content(input)?)?);
    }
    if let Some(info) = header.find(input, ATTRIBUTE_INFO)? {
        let mut cursor = input.cursor(&info);
        let (version, flags) = (cursor.u8()?, cursor.u8()?);
        if version != 0 {
            return unsupported!("a list of attributes of version {version}");
        }
        cursor.skip(if flags & 1 == 0 { 0 } else { 2 })?;
        let (heap, names) = (cursor.address()?, cursor.address()?);
        if heap != UNDEFINED && names != UNDEFINED {
            let heap = FractalHeap::read(input, heap)?;
            super::tree2::records(input, names, &[8], |_, record| {
                let id = record.get(..8).unwrap_or_default();
                found.extend(parse(input, &heap.object(id)?)?);
                Ok(())
            })?;
        }
    }
    Ok(found)
}

fn parse(input: &Input, data: &[u8]) -> Parsed<Option<(String, Value)>> {
    let mut cursor = input.cursor(data);
    let (version, flags) = (cursor.u8()?, cursor.u8()?);
    if !(1..=3).contains(&version) {
        return unsupported!("an attribute of version {version}");
    }
    let sizes = [cursor.u16()?, cursor.u16()?, cursor.u16()?].map(usize::from);
    cursor.skip(usize::from(version == 3))?;
    let mut part = |size: usize| -> Parsed<&[u8]> {
        let bytes = cursor.take(size)?;
        if version == 1 {
            cursor.skip((size.next_multiple_of(8) - size).min(cursor.left()))?;
        }
        Ok(bytes)
    };
    let (name, kind, space) = (part(sizes[0])?, part(sizes[1])?, part(sizes[2])?);
    let name = text(name);
    let flags = if version == 1 { 0 } else { flags };
    if flags & 2 != 0 {
        return Ok(None);
    }
    let kind = of_attribute(input, kind, flags & 1 != 0)?;
    let Some(Extent { dims, .. }) = extent(input, space)? else { return Ok(None) };
    let size = byte_count(&dims, kind.size())?;
    let values = cursor.rest();
    let Some(values) = usize::try_from(size).ok().and_then(|size| values.get(..size)) else {
        return bad!("the attribute `{name}` has {} bytes of {size}", values.len());
    };
    Ok(value(input, &kind, values)?.map(|value| (name, value)))
}

/// The numbers or texts of an attribute.
fn value(input: &Input, kind: &Type, bytes: &[u8]) -> Parsed<Option<Value>> {
    Ok(Some(match *kind {
        Type::Number { dtype, big_endian } => Value::Numbers(numbers(dtype, big_endian, bytes)),
        Type::Text { size } => Value::Text(bytes.chunks(size.max(1)).map(text).collect()),
        Type::AnyText { size } => {
            let mut texts = Vec::new();
            let mut left = MAX_TEXT;
            for reference in bytes.chunks(size.max(1)) {
                let mut cursor = input.cursor(reference);
                let length = cursor.u32()? as usize;
                let (at, index) = (cursor.address()?, cursor.u32()?);
                let object = match length {
                    0 => Vec::new(),
                    _ => global(input, at, index)?,
                };
                let Some(rest) = left.checked_sub(length) else {
                    return bad!("an attribute of more than {MAX_TEXT} bytes");
                };
                left = rest;
                texts.push(text(object.get(..length).unwrap_or(&object)));
            }
            Value::Text(texts)
        }
        Type::Other { .. } => return Ok(None),
    }))
}

/// Text up to the first zero, without spaces at its end.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim_end().to_owned()
}
