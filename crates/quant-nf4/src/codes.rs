//! Packed 4-bit codes: two a byte, the first in the high half.

use std::ops::Range;

use crate::QuantType;

/// The numbers that the codes of NF4 stand for.
pub(crate) const NF4: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// The numbers that the codes of FP4 stand for; the second zero is code 8.
pub(crate) const FP4: [f32; 16] = [
    0.0,
    0.0625 / 12.0,
    8.0 / 12.0,
    1.0,
    4.0 / 12.0,
    6.0 / 12.0,
    2.0 / 12.0,
    3.0 / 12.0,
    0.0,
    -0.0625 / 12.0,
    -8.0 / 12.0,
    -1.0,
    -4.0 / 12.0,
    -6.0 / 12.0,
    -2.0 / 12.0,
    -3.0 / 12.0,
];

/// The codes of FP4 in ascending order of their numbers.
const FP4_ORDER: [u8; 16] = [11, 10, 13, 12, 15, 14, 9, 0, 8, 1, 6, 7, 4, 5, 2, 3];

/// The codes of NF4 are in ascending order.
const NF4_ORDER: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// What is needed to write and to read the codes of a type.
pub(crate) struct Codes {
    /// The number that a code stands for.
    pub(crate) values: [f32; 16],
    /// The numbers that both halves of a byte stand for.
    pairs: [[f32; 2]; 256],
    /// Midpoints between neighbouring numbers, ascending.
    midpoints: [f32; 15],
    /// The code of the number of each rank.
    order: [u8; 16],
}

static NF4_CODES: Codes = Codes::new(NF4, NF4_ORDER);
static FP4_CODES: Codes = Codes::new(FP4, FP4_ORDER);

impl Codes {
    /// The tables of a type.
    pub(crate) fn of(quant_type: QuantType) -> &'static Self {
        match quant_type {
            QuantType::Nf4 => &NF4_CODES,
            QuantType::Fp4 => &FP4_CODES,
        }
    }

    const fn new(values: [f32; 16], order: [u8; 16]) -> Self {
        let mut pairs = [[0.0; 2]; 256];
        let mut byte = 0;
        while byte < 256 {
            pairs[byte] = [values[byte >> 4], values[byte & 15]];
            byte += 1;
        }
        let mut midpoints = [0.0; 15];
        let mut rank = 0;
        while rank < 15 {
            let (low, high) = (values[order[rank] as usize], values[order[rank + 1] as usize]);
            midpoints[rank] = f32::midpoint(low, high);
            rank += 1;
        }
        Self { values, pairs, midpoints, order }
    }

    /// The code of the nearest number; half-way between two, that of the lower one.
    ///
    /// In FP4, which has two zeros, numbers up to zero take code 0, those above it code 8.
    #[inline(always)]
    pub(crate) fn nearest(&self, x: f32) -> u8 {
        self.order[usize::from(self.rank(x))]
    }

    #[inline(always)]
    fn rank(&self, x: f32) -> u8 {
        self.midpoints.iter().map(|&midpoint| u8::from(midpoint < x)).sum()
    }

    /// Packs the codes of a block whose largest magnitude is `absmax`, and returns the scale that
    /// is stored.
    ///
    /// A `last` block that is not full is divided by its scale, which is at least 1e-38; the others
    /// are multiplied by its inverse. `xs` is overwritten.
    #[inline(always)]
    pub(crate) fn pack(&self, xs: &mut [f32], absmax: f32, full: bool, packed: &mut [u8]) -> f32 {
        const LEAST: f32 = 1e-38;
        let clamped = absmax.max(LEAST);
        if full {
            let inverse = 1.0 / clamped;
            for x in xs.iter_mut() {
                *x = (*x * inverse).clamp(-1.0, 1.0);
            }
        } else {
            for x in xs.iter_mut() {
                *x = (*x / clamped).clamp(-1.0, 1.0);
            }
        }
        let (pairs, rest) = xs.as_chunks::<2>();
        for (byte, &[first, second]) in packed.iter_mut().zip(pairs) {
            *byte = self.nearest(first) << 4 | self.nearest(second);
        }
        if let ([x], Some(byte)) = (rest, packed.get_mut(pairs.len())) {
            // The half that is left over holds the code of zero.
            *byte = self.nearest(*x) << 4 | self.nearest(0.0);
        }
        if full { absmax } else { clamped }
    }

    /// Writes the numbers of a `range` of elements that lie in one block of scale `scale`.
    #[inline(always)]
    pub(crate) fn unpack(&self, packed: &[u8], range: Range<usize>, scale: f32, out: &mut [f32]) {
        let Range { mut start, end } = range;
        let mut out = out;
        if start % 2 == 1 && start < end {
            let (first, rest) = out.split_at_mut(1);
            first[0] = self.values[usize::from(packed[start / 2] & 15)] * scale;
            (start, out) = (start + 1, rest);
        }
        let bytes = &packed[start / 2..end.div_ceil(2)];
        let (pairs, rest) = out.as_chunks_mut::<2>();
        for (pair, &byte) in pairs.iter_mut().zip(bytes) {
            let [first, second] = self.pairs[usize::from(byte)];
            *pair = [first * scale, second * scale];
        }
        if let ([last], Some(&byte)) = (rest, bytes.get(pairs.len())) {
            *last = self.values[usize::from(byte >> 4)] * scale;
        }
    }
}
