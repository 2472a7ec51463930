//! Quantisation of numbers to 4-bit codes and scales.

use rayon::prelude::*;

use crate::codes::Codes;
use crate::simd::vectorized;
use crate::storage::Floats;
use crate::{Error, QuantType, Result};

/// Elements that one thread quantises at a time: a whole number of blocks of any size.
const PIECE: usize = 4096;

/// Returns the packed codes and the scales of the blocks.
pub(crate) fn encode(
    xs: Floats<'_>,
    quant_type: QuantType,
    block_size: usize,
) -> Result<(Vec<u8>, Vec<f32>)> {
    let codes = Codes::of(quant_type);
    let mut packed = vec![0; xs.len().div_ceil(2)];
    let mut scales = vec![0.0; xs.len().div_ceil(block_size)];
    let finite = packed
        .par_chunks_mut(PIECE / 2)
        .zip(scales.par_chunks_mut(PIECE / block_size))
        .enumerate()
        .map(|(index, (packed, scales))| {
            let start = index * PIECE;
            let mut piece = [0.0; PIECE];
            let piece = &mut piece[..PIECE.min(xs.len() - start)];
            xs.read(start, piece);
            encode_piece(codes, block_size, piece, packed, scales)
        })
        .reduce(|| true, |a, b| a && b);
    if finite { Ok((packed, scales)) } else { Err(not_finite(xs)) }
}

/// The error for numbers of which one is not finite.
fn not_finite(xs: Floats<'_>) -> Error {
    let mut piece = [0.0; PIECE];
    for start in (0..xs.len()).step_by(PIECE) {
        let piece = &mut piece[..PIECE.min(xs.len() - start)];
        xs.read(start, piece);
        if let Some(place) = piece.iter().position(|x| !x.is_finite()) {
            return Error::NotFinite { index: start + place, value: piece[place] };
        }
    }
    Error::NotFinite { index: 0, value: f32::NAN }
}

vectorized! {
    /// Quantises a piece, which is overwritten, and returns whether all its numbers are finite.
    fn encode_piece(
        codes: &Codes,
        block_size: usize,
        piece: &mut [f32],
        packed: &mut [u8],
        scales: &mut [f32],
    ) -> bool {
        let mut finite = true;
        let blocks = piece.chunks_mut(block_size).zip(packed.chunks_mut(block_size / 2));
        for ((block, packed), scale) in blocks.zip(scales) {
            // Magnitudes are ordered as their bits are, with what is not finite above the rest.
            let bits = block.iter().fold(0, |max, x| (x.to_bits() & 0x7fff_ffff).max(max));
            let absmax = f32::from_bits(bits);
            finite &= absmax.is_finite();
            let full = block.len() == block_size;
            *scale = codes.pack(block, absmax, full, packed);
        }
        finite
    }
}
