//! Datatypes and dataspaces.

use super::header::{DATATYPE, shared};
use super::input::{Input, UNDEFINED};
use crate::fault::{Parsed, bad, unsupported};
use crate::meta::SampleType;

/// Axes at most.
const MAX_RANK: usize = 32;

/// Type of stored values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    /// Numbers, and truth values as h5py stores them.
    Number { dtype: SampleType, big_endian: bool },
    /// Text of so many bytes.
    Text { size: usize },
    /// Text of any length, kept elsewhere; a reference of so many bytes.
    AnyText { size: usize },
    /// What has no samples: its name and its bytes.
    Other { name: &'static str, size: usize },
}

impl Type {
    /// Reads a datatype message.
    pub(super) fn parse(input: &Input, data: &[u8]) -> Parsed<Self> {
        let mut cursor = input.cursor(data);
        let first = cursor.u8()?;
        let (class, version) = (first & 15, first >> 4);
        if !(1..=5).contains(&version) {
            return unsupported!("a datatype of version {version}");
        }
        let bits = cursor.uint(3)?;
        let size = cursor.u32()? as usize;
        if size == 0 {
            return bad!("a datatype of no bytes");
        }
        let name = match class {
            0 => {
                let (offset, precision) = (cursor.u16()?, usize::from(cursor.u16()?));
                let whole = offset == 0 && precision == size * 8;
                let dtype = match (size, bits & 8 != 0) {
                    (1, false) => Some(SampleType::U8),
                    (1, true) => Some(SampleType::I8),
                    (2, false) => Some(SampleType::U16),
                    (2, true) => Some(SampleType::I16),
                    (4, false) => Some(SampleType::U32),
                    (4, true) => Some(SampleType::I32),
                    (8, false) => Some(SampleType::U64),
                    (8, true) => Some(SampleType::I64),
                    _ => None,
                };
                if let Some(dtype) = dtype.filter(|_| whole) {
                    return Ok(Self::Number { dtype, big_endian: bits & 1 != 0 });
                }
                "integer of an unusual width"
            }
            1 => {
                let layout = (
                    size,
                    cursor.u16()?,
                    cursor.u16()?,
                    (cursor.u8()?, cursor.u8()?),
                    (cursor.u8()?, cursor.u8()?),
                    cursor.u32()?,
                );
                // Size, offset and precision, place and size of the exponent, of the mantissa,
                // bias; then the place of the sign and the implied first bit of the mantissa.
                let dtype = match layout {
                    (2, 0, 16, (10, 5), (0, 10), 15) => Some((SampleType::F16, 15)),
                    (4, 0, 32, (23, 8), (0, 23), 127) => Some((SampleType::F32, 31)),
                    (8, 0, 64, (52, 11), (0, 52), 1023) => Some((SampleType::F64, 63)),
                    _ => None,
                };
                let usual = |&(_, sign): &(SampleType, u64)| {
                    (bits >> 8) & 0xff == sign && bits >> 4 & 3 == 2 && bits & 0x40 == 0
                };
                if let Some((dtype, _)) = dtype.filter(usual) {
                    return Ok(Self::Number { dtype, big_endian: bits & 1 != 0 });
                }
                "floating-point number of an unusual layout"
            }
            3 => return Ok(Self::Text { size }),
            8 => return Self::truth(input, cursor.rest(), size, bits),
            9 if bits & 15 == 1 => return Ok(Self::AnyText { size }),
            2 => "time",
            4 => "bit field",
            5 => "opaque",
            6 => "compound",
            7 => "reference",
            9 => "list of variable length",
            10 => "array",
            11 => "complex",
            class => return bad!("a datatype of class {class}"),
        };
        Ok(Self::Other { name, size })
    }

    /// Enumerations of one byte are truth values if they say so, else numbers of their base.
    fn truth(input: &Input, data: &[u8], size: usize, bits: u64) -> Parsed<Self> {
        let base = Self::parse(input, data)?;
        let named = |word: &[u8]| data.windows(word.len()).any(|part| part == word);
        match base {
            Self::Number { dtype: SampleType::I8 | SampleType::U8, big_endian }
                if bits & 0xffff == 2 && named(b"FALSE\0") && named(b"TRUE\0") =>
            {
                Ok(Self::Number { dtype: SampleType::Bool, big_endian })
            }
            Self::Number { dtype, .. } if dtype.size() == size => Ok(base),
            _ => Ok(Self::Other { name: "enumeration", size }),
        }
    }

    /// Bytes of a value.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Number { dtype, .. } => dtype.size(),
            Self::Text { size } | Self::AnyText { size } | Self::Other { size, .. } => *size,
        }
    }

    /// Name for lists of what a file holds.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Number { dtype, .. } => match dtype {
                SampleType::Bool => "bool",
                SampleType::U8 => "uint8",
                SampleType::U16 => "uint16",
                SampleType::U32 => "uint32",
                SampleType::U64 => "uint64",
                SampleType::I8 => "int8",
                SampleType::I16 => "int16",
                SampleType::I32 => "int32",
                SampleType::I64 => "int64",
                SampleType::F16 => "float16",
                SampleType::F32 => "float32",
                SampleType::F64 => "float64",
            },
            Self::Text { .. } | Self::AnyText { .. } => "text",
            Self::Other { name, .. } => name,
        }
    }
}

/// Reads a datatype that is part of an attribute; it may be stored elsewhere.
pub(super) fn of_attribute(input: &Input, data: &[u8], is_shared: bool) -> Parsed<Type> {
    if is_shared {
        return Type::parse(input, &shared(input, DATATYPE, data)?);
    }
    Type::parse(input, data)
}

/// Size of each axis of a dataset, and the sizes that they may grow to.
#[derive(Clone, Debug)]
pub(super) struct Extent {
    pub(super) dims: Vec<u64>,
    pub(super) max: Vec<u64>,
}

/// Reads a dataspace message; `None` for a dataset without any value.
pub(super) fn extent(input: &Input, data: &[u8]) -> Parsed<Option<Extent>> {
    let mut cursor = input.cursor(data);
    let (version, rank, flags) = (cursor.u8()?, usize::from(cursor.u8()?), cursor.u8()?);
    if rank > MAX_RANK {
        return bad!("{rank} axes");
    }
    match version {
        1 => cursor.skip(5)?,
        2 => match cursor.u8()? {
            0 | 1 => {}
            2 => return Ok(None),
            kind => return bad!("a dataspace of kind {kind}"),
        },
        version => return unsupported!("a dataspace of version {version}"),
    }
    let mut sizes = || (0..rank).map(|_| cursor.length()).collect::<Parsed<Vec<_>>>();
    let dims = sizes()?;
    let mut max = if flags & 1 == 0 { dims.clone() } else { sizes()? };
    // No limit is all bits set, of lengths of any width.
    let unlimited = u64::MAX >> (64 - 8 * u32::from(input.length_size));
    for (max, &dim) in max.iter_mut().zip(&dims) {
        *max = if *max == unlimited { UNDEFINED } else { (*max).max(dim) };
    }
    Ok(Some(Extent { dims, max }))
}

/// Bytes of an array, if they can be addressed. Zero axes do not hide an overflow of the others.
pub(super) fn byte_count(dims: &[u64], size: usize) -> Parsed<u64> {
    let room = dims.iter().try_fold(size.max(8) as u64, |n, &axis| n.checked_mul(axis.max(1)));
    if room.is_none_or(|n| isize::try_from(n).is_err()) {
        return bad!("the shape {dims:?} is impossibly large");
    }
    Ok(dims.iter().product::<u64>() * size as u64)
}
