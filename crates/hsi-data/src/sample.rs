//! Samples between their stored form and `f32`.

use crate::meta::SampleType;
use crate::samples::{Element, with_dtype};

/// Byte order of stored samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

/// Decodes every `stride`-th byte position of `bytes`, from the first, into `out`.
///
/// Stops at the end of whichever is shorter.
#[allow(dead_code, reason = "used by the formats that follow")]
pub(crate) fn decode(
    dtype: SampleType,
    order: ByteOrder,
    bytes: &[u8],
    stride: usize,
    out: &mut [f32],
) {
    with_dtype!(dtype, T => T::decode_f32(bytes, stride, order == ByteOrder::Big, out));
}

/// Appends the stored form of the samples to `bytes`.
#[allow(dead_code, reason = "used by the formats that follow")]
pub(crate) fn encode(dtype: SampleType, order: ByteOrder, samples: &[f32], bytes: &mut Vec<u8>) {
    with_dtype!(dtype, T => {
        for part in samples.chunks(1 << 12) {
            let part: Vec<T> = part.iter().map(|&v| <T as Element>::from_f32(v)).collect();
            T::encode(&part, order == ByteOrder::Big, bytes);
        }
    });
}
