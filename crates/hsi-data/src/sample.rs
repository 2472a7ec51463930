//! Samples between their stored form and `f32`.

use half::f16;

use crate::meta::SampleType;

/// Byte order of stored samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

macro_rules! with_type {
    ($dtype:expr, $order:expr, $run:ident) => {
        match ($dtype, $order) {
            (SampleType::Bool, _) => $run!(bool),
            (SampleType::U8, _) => $run!(u8, from_le_bytes, to_le_bytes),
            (SampleType::I8, _) => $run!(i8, from_le_bytes, to_le_bytes),
            (SampleType::U16, ByteOrder::Little) => $run!(u16, from_le_bytes, to_le_bytes),
            (SampleType::U16, ByteOrder::Big) => $run!(u16, from_be_bytes, to_be_bytes),
            (SampleType::U32, ByteOrder::Little) => $run!(u32, from_le_bytes, to_le_bytes),
            (SampleType::U32, ByteOrder::Big) => $run!(u32, from_be_bytes, to_be_bytes),
            (SampleType::U64, ByteOrder::Little) => $run!(u64, from_le_bytes, to_le_bytes),
            (SampleType::U64, ByteOrder::Big) => $run!(u64, from_be_bytes, to_be_bytes),
            (SampleType::I16, ByteOrder::Little) => $run!(i16, from_le_bytes, to_le_bytes),
            (SampleType::I16, ByteOrder::Big) => $run!(i16, from_be_bytes, to_be_bytes),
            (SampleType::I32, ByteOrder::Little) => $run!(i32, from_le_bytes, to_le_bytes),
            (SampleType::I32, ByteOrder::Big) => $run!(i32, from_be_bytes, to_be_bytes),
            (SampleType::I64, ByteOrder::Little) => $run!(i64, from_le_bytes, to_le_bytes),
            (SampleType::I64, ByteOrder::Big) => $run!(i64, from_be_bytes, to_be_bytes),
            (SampleType::F16, ByteOrder::Little) => $run!(f16, from_le_bytes, to_le_bytes),
            (SampleType::F16, ByteOrder::Big) => $run!(f16, from_be_bytes, to_be_bytes),
            (SampleType::F32, ByteOrder::Little) => $run!(f32, from_le_bytes, to_le_bytes),
            (SampleType::F32, ByteOrder::Big) => $run!(f32, from_be_bytes, to_be_bytes),
            (SampleType::F64, ByteOrder::Little) => $run!(f64, from_le_bytes, to_le_bytes),
            (SampleType::F64, ByteOrder::Big) => $run!(f64, from_be_bytes, to_be_bytes),
        }
    };
}

/// A stored number and its `f32`.
trait Stored: Sized {
    /// Rounds to nearest where `f32` is narrower.
    fn widen(self) -> f32;
    /// Rounds to nearest, ties to even, and clamps to the range.
    fn narrow(value: f32) -> Self;
}

macro_rules! stored_int {
    ($($t:ty),*) => {$(
        impl Stored for $t {
            fn widen(self) -> f32 {
                self as f32
            }
            fn narrow(value: f32) -> Self {
                value.round_ties_even() as Self
            }
        }
    )*};
}

stored_int!(u8, u16, u32, u64, i8, i16, i32, i64);

impl Stored for f32 {
    fn widen(self) -> f32 {
        self
    }
    fn narrow(value: f32) -> Self {
        value
    }
}

impl Stored for f64 {
    fn widen(self) -> f32 {
        self as f32
    }
    fn narrow(value: f32) -> Self {
        Self::from(value)
    }
}

impl Stored for f16 {
    fn widen(self) -> f32 {
        self.to_f32()
    }
    fn narrow(value: f32) -> Self {
        let rounded = Self::from_f32(value);
        if rounded.is_infinite() && value.is_finite() {
            return if value > 0.0 { Self::MAX } else { Self::MIN };
        }
        rounded
    }
}

/// Decodes every `stride`-th byte position of `bytes`, from the first, into `out`.
///
/// Stops at the end of whichever is shorter.
pub(crate) fn decode(
    dtype: SampleType,
    order: ByteOrder,
    bytes: &[u8],
    stride: usize,
    out: &mut [f32],
) {
    macro_rules! run {
        (bool) => {
            for (out, &byte) in out.iter_mut().zip(bytes.iter().step_by(stride.max(1))) {
                *out = f32::from(u8::from(byte != 0));
            }
        };
        ($t:ty, $from:ident, $to:ident) => {{
            const SIZE: usize = size_of::<$t>();
            let read = |chunk: &[u8]| {
                let mut raw = [0_u8; SIZE];
                raw.copy_from_slice(chunk);
                <$t>::$from(raw).widen()
            };
            if stride == SIZE {
                for (out, chunk) in out.iter_mut().zip(bytes.chunks_exact(SIZE)) {
                    *out = read(chunk);
                }
            } else {
                for (out, chunk) in out.iter_mut().zip(bytes.chunks(stride.max(SIZE))) {
                    if let Some(chunk) = chunk.get(..SIZE) {
                        *out = read(chunk);
                    }
                }
            }
        }};
    }
    with_type!(dtype, order, run);
}

/// Appends the stored form of the samples to `bytes`.
pub(crate) fn encode(dtype: SampleType, order: ByteOrder, samples: &[f32], bytes: &mut Vec<u8>) {
    macro_rules! run {
        (bool) => {
            bytes.extend(samples.iter().map(|v| u8::from(v.round_ties_even() >= 1.0)))
        };
        ($t:ty, $from:ident, $to:ident) => {
            bytes.extend(samples.iter().flat_map(|&v| <$t>::narrow(v).$to()))
        };
    }
    with_type!(dtype, order, run);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrowing_rounds_to_even_and_clamps() {
        let samples = [-1.0, 0.5, 1.5, 254.6, 300.0, f32::INFINITY];
        let mut bytes = Vec::new();
        encode(SampleType::U8, ByteOrder::Little, &samples, &mut bytes);
        assert_eq!(bytes, [0, 0, 2, 255, 255, 255]);
        let narrowed: Vec<f32> =
            [1e6, -1e6, f32::INFINITY].map(f16::narrow).into_iter().map(f16::to_f32).collect();
        assert_eq!(narrowed, [65504.0, -65504.0, f32::INFINITY]);
        assert_eq!(i64::narrow(1e30), i64::MAX);
    }

    #[test]
    fn decoding_a_stride_stops_at_the_shorter_end() {
        let bytes = [1, 0, 9, 2, 0, 9, 3];
        let mut out = [-1.0; 4];
        decode(SampleType::U16, ByteOrder::Little, &bytes, 3, &mut out);
        assert_eq!(out, [1.0, 2.0, -1.0, -1.0]);
    }
}
