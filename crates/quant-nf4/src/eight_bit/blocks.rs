//! Blocks of 256 numbers that share a scale.

use super::{DynamicMap, VALUES};

/// Numbers that share a scale.
pub(crate) const BLOCK: usize = 256;

/// Writes the codes of at most [`BLOCK`] numbers and returns their scale, the largest magnitude.
#[inline(always)]
pub(crate) fn encode(map: &DynamicMap, xs: &[f32], codes: &mut [u8]) -> f32 {
    let absmax = xs.iter().fold(0.0f32, |max, x| max.max(x.abs()));
    if absmax == 0.0 {
        codes.fill(0);
        return 0.0;
    }
    let inverse = 1.0 / absmax;
    for (code, x) in codes.iter_mut().zip(xs) {
        *code = map.code(x * inverse);
    }
    absmax
}

/// Writes the numbers that codes of a block stand for.
#[inline(always)]
pub(crate) fn decode(values: &[f32; VALUES], codes: &[u8], absmax: f32, xs: &mut [f32]) {
    for (x, &code) in xs.iter_mut().zip(codes) {
        *x = values[usize::from(code)] * absmax;
    }
}
