//! One stored sample, its bytes and its `f32`.

use half::f16;
use ndarray::Array3;

use super::Samples;
use crate::meta::SampleType;

/// A type that samples are stored in. Implemented for the twelve types of [`SampleType`].
pub trait Element: Copy + Default + PartialEq + Send + Sync + std::fmt::Debug + 'static {
    /// The type's name.
    const DTYPE: SampleType;

    /// Puts an array into the enumeration of all types.
    fn wrap(array: Array3<Self>) -> Samples;

    /// Rounds to nearest where `f32` is narrower.
    fn to_f32(self) -> f32;

    /// Rounds to nearest, ties to even, and clamps to the range; NaN becomes 0 in an integer.
    fn from_f32(value: f32) -> Self;

    /// The value as an integer, if the type is one (`bool` is).
    fn to_i128(self) -> Option<i128>;

    /// Clamps to the range; floating-point types round to nearest.
    fn from_i128(value: i128) -> Self;

    /// The value; 64-bit integers round to nearest.
    fn to_f64(self) -> f64;

    /// As [`from_f32`](Self::from_f32).
    fn from_f64(value: f64) -> Self;

    /// Decodes every `stride`-th byte position of `bytes`, from the first. Stops at the end of
    /// whichever is shorter.
    #[doc(hidden)]
    fn decode(bytes: &[u8], stride: usize, big_endian: bool, out: &mut [Self]);

    /// [`decode`](Self::decode), as `f32`.
    #[doc(hidden)]
    fn decode_f32(bytes: &[u8], stride: usize, big_endian: bool, out: &mut [f32]);

    /// Appends the bytes of samples.
    #[doc(hidden)]
    fn encode(samples: &[Self], big_endian: bool, bytes: &mut Vec<u8>);
}

fn decode_with<T: Copy, const SIZE: usize>(
    bytes: &[u8],
    stride: usize,
    out: &mut [T],
    from: impl Fn([u8; SIZE]) -> T,
) {
    if stride == SIZE {
        for (out, chunk) in out.iter_mut().zip(bytes.as_chunks::<SIZE>().0) {
            *out = from(*chunk);
        }
    } else {
        for (out, chunk) in out.iter_mut().zip(bytes.chunks(stride.max(SIZE))) {
            if let Some(chunk) = chunk.first_chunk::<SIZE>() {
                *out = from(*chunk);
            }
        }
    }
}

macro_rules! bytes_of {
    ($t:ty) => {
        fn decode(bytes: &[u8], stride: usize, big_endian: bool, out: &mut [Self]) {
            if big_endian {
                decode_with(bytes, stride, out, <$t>::from_be_bytes);
            } else {
                decode_with(bytes, stride, out, <$t>::from_le_bytes);
            }
        }

        fn decode_f32(bytes: &[u8], stride: usize, big_endian: bool, out: &mut [f32]) {
            if big_endian {
                decode_with(bytes, stride, out, |raw| <$t>::from_be_bytes(raw).to_f32());
            } else {
                decode_with(bytes, stride, out, |raw| <$t>::from_le_bytes(raw).to_f32());
            }
        }

        fn encode(samples: &[Self], big_endian: bool, bytes: &mut Vec<u8>) {
            let start = bytes.len();
            bytes.resize(start + size_of_val(samples), 0);
            let out = bytes[start..].as_chunks_mut::<{ size_of::<$t>() }>().0;
            if big_endian {
                out.iter_mut().zip(samples).for_each(|(out, v)| *out = v.to_be_bytes());
            } else {
                out.iter_mut().zip(samples).for_each(|(out, v)| *out = v.to_le_bytes());
            }
        }
    };
}

macro_rules! integers {
    ($($t:ty, $variant:ident;)*) => {$(
        impl Element for $t {
            const DTYPE: SampleType = SampleType::$variant;
            fn wrap(array: Array3<Self>) -> Samples {
                Samples::$variant(array)
            }
            fn to_f32(self) -> f32 {
                self as f32
            }
            fn from_f32(value: f32) -> Self {
                value.round_ties_even() as Self
            }
            fn to_i128(self) -> Option<i128> {
                Some(i128::from(self))
            }
            fn from_i128(value: i128) -> Self {
                value.clamp(i128::from(Self::MIN), i128::from(Self::MAX)) as Self
            }
            fn to_f64(self) -> f64 {
                self as f64
            }
            fn from_f64(value: f64) -> Self {
                value.round_ties_even() as Self
            }
            bytes_of!($t);
        }
    )*};
}

integers! {
    u8, U8; u16, U16; u32, U32; u64, U64; i8, I8; i16, I16; i32, I32; i64, I64;
}

macro_rules! floats {
    ($($t:ty, $variant:ident;)*) => {$(
        impl Element for $t {
            const DTYPE: SampleType = SampleType::$variant;
            fn wrap(array: Array3<Self>) -> Samples {
                Samples::$variant(array)
            }
            fn to_f32(self) -> f32 {
                self as f32
            }
            fn from_f32(value: f32) -> Self {
                Self::from(value)
            }
            fn to_i128(self) -> Option<i128> {
                None
            }
            fn from_i128(value: i128) -> Self {
                value as Self
            }
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            fn from_f64(value: f64) -> Self {
                value as Self
            }
            bytes_of!($t);
        }
    )*};
}

floats! { f32, F32; f64, F64; }

impl Element for f16 {
    const DTYPE: SampleType = SampleType::F16;
    fn wrap(array: Array3<Self>) -> Samples {
        Samples::F16(array)
    }
    fn to_f32(self) -> f32 {
        Self::to_f32(self)
    }
    fn from_f32(value: f32) -> Self {
        let rounded = Self::from_f32(value);
        if rounded.is_infinite() && value.is_finite() {
            return if value > 0.0 { Self::MAX } else { Self::MIN };
        }
        rounded
    }
    fn to_i128(self) -> Option<i128> {
        None
    }
    fn from_i128(value: i128) -> Self {
        <Self as Element>::from_f32(value as f32)
    }
    fn to_f64(self) -> f64 {
        Self::to_f64(self)
    }
    fn from_f64(value: f64) -> Self {
        let rounded = Self::from_f64(value);
        if rounded.is_infinite() && value.is_finite() {
            return if value > 0.0 { Self::MAX } else { Self::MIN };
        }
        rounded
    }
    bytes_of!(f16);
}

impl Element for bool {
    const DTYPE: SampleType = SampleType::Bool;
    fn wrap(array: Array3<Self>) -> Samples {
        Samples::Bool(array)
    }
    fn to_f32(self) -> f32 {
        f32::from(u8::from(self))
    }
    fn from_f32(value: f32) -> Self {
        value.round_ties_even() >= 1.0
    }
    fn to_i128(self) -> Option<i128> {
        Some(i128::from(self))
    }
    fn from_i128(value: i128) -> Self {
        value >= 1
    }
    fn to_f64(self) -> f64 {
        f64::from(u8::from(self))
    }
    fn from_f64(value: f64) -> Self {
        value.round_ties_even() >= 1.0
    }
    fn decode(bytes: &[u8], stride: usize, _: bool, out: &mut [Self]) {
        decode_with(bytes, stride, out, |[byte]| byte != 0);
    }
    fn decode_f32(bytes: &[u8], stride: usize, _: bool, out: &mut [f32]) {
        decode_with(bytes, stride, out, |[byte]| f32::from(u8::from(byte != 0)));
    }
    fn encode(samples: &[Self], _: bool, bytes: &mut Vec<u8>) {
        bytes.extend(samples.iter().map(|&v| u8::from(v)));
    }
}
