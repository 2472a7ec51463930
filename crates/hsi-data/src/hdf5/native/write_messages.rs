//! The messages of object headers, as they are written: in the versions that every release of the
//! C library since 1.8 reads.

use super::Filter;
use super::input::UNDEFINED;
use crate::meta::SampleType;

/// Value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Attribute {
    /// Numbers, little-endian: one without axis, or a list.
    Numbers { dtype: SampleType, list: bool, bytes: Vec<u8> },
    /// Text of a fixed number of bytes.
    Fixed(String),
    /// Text of variable length: one without axis, or a list.
    Text { list: bool, texts: Vec<String> },
}

impl Attribute {
    pub(crate) fn f32s(values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self::Numbers { dtype: SampleType::F32, list: true, bytes }
    }

    pub(crate) fn f64s(values: &[f64]) -> Self {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self::Numbers { dtype: SampleType::F64, list: true, bytes }
    }

    pub(crate) fn u8s(values: &[u8]) -> Self {
        Self::Numbers { dtype: SampleType::U8, list: true, bytes: values.to_vec() }
    }

    pub(crate) fn f64(value: f64) -> Self {
        let bytes = value.to_le_bytes().to_vec();
        Self::Numbers { dtype: SampleType::F64, list: false, bytes }
    }

    pub(crate) fn i32(value: i32) -> Self {
        let bytes = value.to_le_bytes().to_vec();
        Self::Numbers { dtype: SampleType::I32, list: false, bytes }
    }

    pub(crate) fn u32(value: u32) -> Self {
        let bytes = value.to_le_bytes().to_vec();
        Self::Numbers { dtype: SampleType::U32, list: false, bytes }
    }

    pub(crate) fn text(text: &str) -> Self {
        Self::Text { list: false, texts: vec![text.to_owned()] }
    }

    pub(crate) fn texts(texts: &[String]) -> Self {
        Self::Text { list: true, texts: texts.to_vec() }
    }
}

/// A datatype message of numbers.
pub(super) fn number(dtype: SampleType, big_endian: bool) -> Vec<u8> {
    let size = dtype.size();
    let order = u8::from(big_endian && size > 1);
    let mut out = match dtype {
        SampleType::F16 | SampleType::F32 | SampleType::F64 => {
            vec![0x11, order | 0x20, (size * 8 - 1) as u8, 0]
        }
        SampleType::I8 | SampleType::I16 | SampleType::I32 | SampleType::I64 => {
            vec![0x10, order | 8, 0, 0]
        }
        SampleType::Bool => {
            // An enumeration of signed bytes, as h5py has it.
            let mut out = vec![0x18, 2, 0, 0, 1, 0, 0, 0];
            out.extend(number(SampleType::I8, false));
            out.extend(b"FALSE\0\0\0TRUE\0\0\0\0\x00\x01");
            return out;
        }
        _ => vec![0x10, order, 0, 0],
    };
    out.extend((size as u32).to_le_bytes());
    out.extend([0, 0]);
    out.extend((size as u16 * 8).to_le_bytes());
    let (exponent, mantissa, bias): (u8, u8, u32) = match dtype {
        SampleType::F16 => (5, 10, 15),
        SampleType::F32 => (8, 23, 127),
        SampleType::F64 => (11, 52, 1023),
        _ => return out,
    };
    out.extend([mantissa, exponent, 0, mantissa]);
    out.extend(bias.to_le_bytes());
    out
}

fn fixed_text(size: usize) -> Vec<u8> {
    let mut out = vec![0x13, 0x00, 0, 0];
    out.extend((size.max(1) as u32).to_le_bytes());
    out
}

fn any_text() -> Vec<u8> {
    // A sequence that is text, zero-terminated, in UTF-8, of unsigned bytes: release 1.10 of the C
    // library finds no way to read text whose base is text.
    let mut out = vec![0x19, 0x01, 0x01, 0, 16, 0, 0, 0];
    out.extend(number(SampleType::U8, false));
    out
}

/// A dataspace message; no axes for a single value.
pub(super) fn dataspace(dims: &[u64]) -> Vec<u8> {
    let mut out = vec![1, dims.len() as u8, 0, 0, 0, 0, 0, 0];
    out.extend(dims.iter().flat_map(|dim| dim.to_le_bytes()));
    out
}

/// A fill value message.
pub(super) fn fill_value(fill: Option<&[u8]>, chunked: bool) -> Vec<u8> {
    let fill = fill.unwrap_or_default();
    let mut out = vec![2, if chunked { 3 } else { 2 }, 2, 1];
    out.extend((fill.len() as u32).to_le_bytes());
    out.extend(fill);
    out
}

/// A filter pipeline message.
pub(super) fn pipeline(filters: &[Filter]) -> Vec<u8> {
    let mut out = vec![1, filters.len() as u8, 0, 0, 0, 0, 0, 0];
    for filter in filters {
        let (id, name, value): (u16, &[u8], Option<u32>) = match *filter {
            Filter::Deflate { level } => (1, b"deflate\0", Some(u32::from(level))),
            Filter::Shuffle { size } => (2, b"shuffle\0", Some(size as u32)),
            Filter::Fletcher32 => (3, b"fletcher32\0\0\0\0\0\0", None),
            Filter::Lzf => (32000, b"lzf\0\0\0\0\0", None),
        };
        out.extend(id.to_le_bytes());
        out.extend((name.len() as u16).to_le_bytes());
        // Files may be read without the filter, if the library lacks it.
        out.extend([1, 0]);
        out.extend(u16::from(value.is_some()).to_le_bytes());
        out.extend(name);
        if let Some(value) = value {
            out.extend(value.to_le_bytes());
            out.extend([0; 4]);
        }
    }
    out
}

/// A layout message of samples in one run.
pub(super) fn contiguous(at: u64, size: u64) -> Vec<u8> {
    let mut out = vec![3, 1];
    out.extend(at.to_le_bytes());
    out.extend(size.to_le_bytes());
    out
}

/// A layout message of chunks behind a tree.
pub(super) fn chunked(tree: u64, chunk: &[u64], size: usize) -> Vec<u8> {
    let mut out = vec![3, 2, chunk.len() as u8 + 1];
    out.extend(tree.to_le_bytes());
    for &dim in chunk.iter().chain([&(size as u64)]) {
        out.extend((dim as u32).to_le_bytes());
    }
    out
}

/// An attribute message. Text of variable length goes to the global heap, whose next place `heap`
/// gives for a text.
pub(super) fn attribute(
    name: &str,
    value: &Attribute,
    mut heap: impl FnMut(&str) -> (u64, u32),
) -> Vec<u8> {
    let list = |is_list: bool, count: usize| if is_list { vec![count as u64] } else { Vec::new() };
    let (kind, dims, bytes) = match value {
        Attribute::Numbers { dtype, list: is_list, bytes } => {
            (number(*dtype, false), list(*is_list, bytes.len() / dtype.size()), bytes.clone())
        }
        Attribute::Fixed(text) => (fixed_text(text.len()), Vec::new(), text.clone().into_bytes()),
        Attribute::Text { list: is_list, texts } => {
            let mut bytes = Vec::new();
            for text in texts {
                let (at, index) = if text.is_empty() { (UNDEFINED, 0) } else { heap(text) };
                bytes.extend((text.len() as u32).to_le_bytes());
                bytes.extend(if text.is_empty() { 0 } else { at }.to_le_bytes());
                bytes.extend(index.to_le_bytes());
            }
            (any_text(), list(*is_list, texts.len()), bytes)
        }
    };
    let space = dataspace(&dims);
    let mut out = vec![1, 0];
    out.extend((name.len() as u16 + 1).to_le_bytes());
    out.extend((kind.len() as u16).to_le_bytes());
    out.extend((space.len() as u16).to_le_bytes());
    out.extend(name.as_bytes());
    out.push(0);
    pad(&mut out);
    for part in [&kind, &space] {
        out.extend(part);
        pad(&mut out);
    }
    out.extend(bytes);
    out
}

/// Fills up to a multiple of eight bytes.
pub(super) fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(8), 0);
}
