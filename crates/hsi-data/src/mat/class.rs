//! Classes of MATLAB arrays and types of stored numbers.

use std::fmt;

use crate::meta::SampleType;

/// Class of a MATLAB array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum MatClass {
    /// Array of arrays.
    Cell,
    /// Named fields.
    Struct,
    /// Object of the old kind.
    Object,
    /// Text.
    Char,
    /// Sparse matrix.
    Sparse,
    /// Double precision.
    Double,
    /// Single precision.
    Single,
    /// Signed, 8 bits.
    Int8,
    /// Unsigned, 8 bits.
    Uint8,
    /// Signed, 16 bits.
    Int16,
    /// Unsigned, 16 bits.
    Uint16,
    /// Signed, 32 bits.
    Int32,
    /// Unsigned, 32 bits.
    Uint32,
    /// Signed, 64 bits.
    Int64,
    /// Unsigned, 64 bits.
    Uint64,
    /// Truth values.
    Logical,
    /// Function handle.
    Function,
    /// Object of the new kind, such as `string` or `table`.
    Opaque,
}

impl MatClass {
    /// The class of a number in the array flags, without the logical flag.
    pub(super) fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            1 => Self::Cell,
            2 => Self::Struct,
            3 => Self::Object,
            4 => Self::Char,
            5 => Self::Sparse,
            6 => Self::Double,
            7 => Self::Single,
            8 => Self::Int8,
            9 => Self::Uint8,
            10 => Self::Int16,
            11 => Self::Uint16,
            12 => Self::Int32,
            13 => Self::Uint32,
            14 => Self::Int64,
            15 => Self::Uint64,
            16 => Self::Function,
            17 => Self::Opaque,
            _ => return None,
        })
    }

    /// The number of the class in the array flags.
    pub(super) fn code(self) -> u32 {
        match self {
            Self::Cell => 1,
            Self::Struct => 2,
            Self::Object => 3,
            Self::Char => 4,
            Self::Sparse => 5,
            Self::Double => 6,
            Self::Single => 7,
            Self::Int8 => 8,
            Self::Uint8 | Self::Logical => 9,
            Self::Int16 => 10,
            Self::Uint16 => 11,
            Self::Int32 => 12,
            Self::Uint32 => 13,
            Self::Int64 => 14,
            Self::Uint64 => 15,
            Self::Function => 16,
            Self::Opaque => 17,
        }
    }

    /// The class that holds samples of a type; half precision becomes `single`.
    pub(crate) fn of(dtype: SampleType) -> Self {
        match dtype {
            SampleType::Bool => Self::Logical,
            SampleType::U8 => Self::Uint8,
            SampleType::U16 => Self::Uint16,
            SampleType::U32 => Self::Uint32,
            SampleType::U64 => Self::Uint64,
            SampleType::I8 => Self::Int8,
            SampleType::I16 => Self::Int16,
            SampleType::I32 => Self::Int32,
            SampleType::I64 => Self::Int64,
            SampleType::F16 | SampleType::F32 => Self::Single,
            SampleType::F64 => Self::Double,
        }
    }

    /// The type of the samples, for classes of numbers and truth values.
    pub(crate) fn dtype(self) -> Option<SampleType> {
        Some(match self {
            Self::Logical => SampleType::Bool,
            Self::Uint8 => SampleType::U8,
            Self::Uint16 => SampleType::U16,
            Self::Uint32 => SampleType::U32,
            Self::Uint64 => SampleType::U64,
            Self::Int8 => SampleType::I8,
            Self::Int16 => SampleType::I16,
            Self::Int32 => SampleType::I32,
            Self::Int64 => SampleType::I64,
            Self::Single => SampleType::F32,
            Self::Double => SampleType::F64,
            _ => return None,
        })
    }

    /// MATLAB's name of the class, such as `double`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cell => "cell",
            Self::Struct => "struct",
            Self::Object => "object",
            Self::Char => "char",
            Self::Sparse => "sparse",
            Self::Double => "double",
            Self::Single => "single",
            Self::Int8 => "int8",
            Self::Uint8 => "uint8",
            Self::Int16 => "int16",
            Self::Uint16 => "uint16",
            Self::Int32 => "int32",
            Self::Uint32 => "uint32",
            Self::Int64 => "int64",
            Self::Uint64 => "uint64",
            Self::Logical => "logical",
            Self::Function => "function_handle",
            Self::Opaque => "opaque",
        }
    }
}

impl fmt::Display for MatClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

pub(super) const MI_INT8: u32 = 1;
pub(super) const MI_UINT8: u32 = 2;
pub(super) const MI_UINT16: u32 = 4;
pub(super) const MI_INT32: u32 = 5;
pub(super) const MI_UINT32: u32 = 6;
pub(super) const MI_MATRIX: u32 = 14;
pub(super) const MI_COMPRESSED: u32 = 15;
pub(super) const MI_UTF8: u32 = 16;
pub(super) const MI_UTF16: u32 = 17;

/// The sample type of a numeric data type.
pub(super) fn stored_type(kind: u32) -> Option<SampleType> {
    Some(match kind {
        1 => SampleType::I8,
        2 => SampleType::U8,
        3 => SampleType::I16,
        4 => SampleType::U16,
        5 => SampleType::I32,
        6 => SampleType::U32,
        7 => SampleType::F32,
        9 => SampleType::F64,
        12 => SampleType::I64,
        13 => SampleType::U64,
        _ => return None,
    })
}

/// The data type that stores samples.
pub(super) fn data_type(dtype: SampleType) -> u32 {
    match dtype {
        SampleType::I8 => 1,
        SampleType::Bool | SampleType::U8 => 2,
        SampleType::I16 => 3,
        SampleType::U16 => 4,
        SampleType::I32 => 5,
        SampleType::U32 => 6,
        SampleType::F16 | SampleType::F32 => 7,
        SampleType::F64 => 9,
        SampleType::I64 => 12,
        SampleType::U64 => 13,
    }
}
