//! Packed streams: what they unpack to is forged and packed again, and bombs.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::{GzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::binary;

/// Packed elements of MATLAB 5 files: the array inside is forged, or becomes a bomb.
pub(super) fn mat(bytes: &[u8], rng: &mut ChaCha8Rng, limit_bytes: usize) -> Vec<u8> {
    const HEADER: usize = 128;
    let word = |at: usize| {
        let raw = bytes.get(at..at + 4)?;
        Some(u32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]) as usize)
    };
    // Big-endian files are forged as they are.
    if bytes.get(126..128) != Some(b"IM") {
        return binary::any(bytes, rng);
    }
    let mut out = bytes[..HEADER].to_vec();
    let mut at = HEADER;
    let mut packed_any = false;
    while let (Some(kind), Some(size)) = (word(at), word(at + 4)) {
        let Some(body) = bytes.get(at + 8..at + 8 + size) else { break };
        if kind == 15 {
            packed_any = true;
            let mut inner = Vec::new();
            ZlibDecoder::new(body).read_to_end(&mut inner).expect("golden file");
            let mut inner = binary::any(&inner, rng);
            if rng.random_bool(0.02) {
                // Half of the limit in zeros, in a few kilobytes.
                inner.resize(inner.len() + limit_bytes / 2, 0);
            }
            let mut packer = ZlibEncoder::new(Vec::new(), Compression::fast());
            packer.write_all(&inner).expect("in memory");
            let packed = packer.finish().expect("in memory");
            out.extend(15_u32.to_le_bytes());
            out.extend((packed.len() as u32).to_le_bytes());
            out.extend(packed);
        } else {
            out.extend(&bytes[at..at + 8 + size]);
        }
        at += 8 + size;
    }
    if packed_any { out } else { binary::any(bytes, rng) }
}

/// A gzipped file: other samples, more or less of them, or a stream that is broken.
pub(super) fn gzip(bytes: &[u8], rng: &mut ChaCha8Rng, limit_bytes: usize) -> Vec<u8> {
    if rng.random_bool(0.3) {
        return binary::any(bytes, rng);
    }
    let mut inner = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut inner).expect("golden file");
    let length = match rng.random_range(0..20) {
        0 => limit_bytes / 2,
        1..10 => rng.random_range(0..=inner.len()),
        _ => inner.len() + rng.random_range(0..100),
    };
    inner.resize(length, 0);
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(&inner).expect("in memory");
    packer.finish().expect("in memory")
}
