//! Elements of MATLAB 5 files, as they are written.

use std::io::{Result, Seek, SeekFrom, Write};

use flate2::write::ZlibEncoder;

use super::class::{
    MI_COMPRESSED, MI_INT8, MI_INT32, MI_MATRIX, MI_UINT32, MI_UTF16, MatClass, data_type,
};
use crate::arrays::Value;
use crate::meta::{Compression, SampleType};
use crate::samples::Element;

/// Bytes of an array at most; MATLAB's own limit for this version.
pub(super) const MAX_BYTES: u64 = (1 << 31) - 1024;

/// Byte order and packing of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) big_endian: bool,
    pub(super) compression: Compression,
}

/// The first 128 bytes.
pub(super) fn header(form: Form) -> Vec<u8> {
    let text = "MATLAB 5.0 MAT-file, written by hsi-data";
    let mut out = format!("{text:<116}").into_bytes();
    out.resize(124, 0);
    out.extend(if form.big_endian { *b"\x01\x00MI" } else { *b"\x00\x01IM" });
    out
}

impl Form {
    fn u32(self, value: u32) -> [u8; 4] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    /// An element of a few bytes with its padding.
    fn element(self, kind: u32, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(self.u32(kind));
        out.extend(self.u32(data.len() as u32));
        out.extend(data);
        out.resize(out.len().next_multiple_of(8), 0);
        out
    }
}

/// Writes an array whose samples `fill` gives, `size` bytes of a data type.
pub(super) fn array<W: Write + Seek>(
    file: &mut W,
    form: Form,
    (name, class, shape): (&str, MatClass, &[usize]),
    (kind, size): (u32, u64),
    fill: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    let mut head = Vec::new();
    let logical = if class == MatClass::Logical { 0x0200 } else { 0 };
    let flags = [form.u32(class.code() | logical), form.u32(0)].concat();
    head.extend(form.element(MI_UINT32, &flags));
    let sizes: Vec<u8> = shape.iter().flat_map(|&axis| form.u32(axis as u32)).collect();
    head.extend(form.element(MI_INT32, &sizes));
    head.extend(form.element(MI_INT8, name.as_bytes()));
    head.extend(form.u32(kind));
    head.extend(form.u32(size as u32));
    let padding = (size.next_multiple_of(8) - size) as usize;
    let whole = head.len() as u64 + size + padding as u64;
    let mut start = form.u32(MI_MATRIX).to_vec();
    start.extend(form.u32(whole as u32));
    start.extend(head);
    let Compression::Deflate { level, .. } = form.compression else {
        file.write_all(&start)?;
        fill(file)?;
        return file.write_all(&[0; 8][..padding]);
    };
    // The size of the packed element is known when it is written.
    let at = file.stream_position()?;
    file.write_all(&form.u32(MI_COMPRESSED))?;
    file.write_all(&form.u32(0))?;
    let level = flate2::Compression::new(u32::from(level));
    let mut encoder = ZlibEncoder::new(&mut *file, level);
    encoder.write_all(&start)?;
    fill(&mut encoder)?;
    encoder.write_all(&[0; 8][..padding])?;
    encoder.finish()?;
    let end = file.stream_position()?;
    file.seek(SeekFrom::Start(at + 4))?;
    file.write_all(&form.u32((end - at - 8) as u32))?;
    file.seek(SeekFrom::Start(end))?;
    Ok(())
}

/// Writes numbers as a row of doubles, or text as a row of characters.
pub(super) fn value<W: Write + Seek>(
    file: &mut W,
    form: Form,
    name: &str,
    value: &Value,
) -> Result<()> {
    let mut bytes = Vec::new();
    let (class, kind, count) = match value {
        Value::Numbers(numbers) => {
            f64::encode(numbers, form.big_endian, &mut bytes);
            (MatClass::Double, data_type(SampleType::F64), numbers.len())
        }
        Value::Text(lines) => {
            let units: Vec<u16> = lines.join("\n").encode_utf16().collect();
            u16::encode(&units, form.big_endian, &mut bytes);
            (MatClass::Char, MI_UTF16, units.len())
        }
    };
    let size = (kind, bytes.len() as u64);
    array(file, form, (name, class, &[1, count]), size, |out| out.write_all(&bytes))
}
