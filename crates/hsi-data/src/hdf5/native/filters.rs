//! What is done to the bytes of a chunk: deflate, shuffle, checksum, LZF.

use flate2::{Decompress, FlushDecompress, Status};

use super::checksum::fletcher32;
use super::input::Input;
use crate::fault::{Parsed, bad, unsupported};

/// Deflate cannot make more than this many bytes of one.
const MAX_INFLATION: u64 = 1032;

const DEFLATE: u16 = 1;
const SHUFFLE: u16 = 2;
const FLETCHER32: u16 = 3;
const LZF: u16 = 32000;

/// A filter of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    /// Zlib's format.
    Deflate { level: u8 },
    /// The first bytes of all values, then the second ones, and so on.
    Shuffle { size: usize },
    /// A checksum behind the bytes.
    Fletcher32,
    /// LZF, as h5py brings it.
    Lzf,
}

/// Reads a filter pipeline message.
pub(super) fn parse(input: &Input, data: &[u8]) -> Parsed<Vec<Filter>> {
    let mut cursor = input.cursor(data);
    let (version, count) = (cursor.u8()?, cursor.u8()?);
    match version {
        1 => cursor.skip(6)?,
        2 => {}
        version => return unsupported!("a filter pipeline of version {version}"),
    }
    let mut filters = Vec::new();
    for _ in 0..count {
        let id = cursor.u16()?;
        let has_name = version == 1 || id >= 256;
        let name = if has_name { usize::from(cursor.u16()?) } else { 0 };
        let (_flags, values) = (cursor.u16()?, usize::from(cursor.u16()?));
        cursor.skip(if version == 1 { name.next_multiple_of(8) } else { name })?;
        let values = (0..values).map(|_| cursor.u32()).collect::<Parsed<Vec<u32>>>()?;
        if version == 1 && values.len() % 2 == 1 {
            cursor.skip(4)?;
        }
        filters.push(match id {
            DEFLATE => Filter::Deflate { level: values.first().map_or(6, |&v| v.min(9) as u8) },
            SHUFFLE => Filter::Shuffle { size: values.first().map_or(1, |&v| v.max(1) as usize) },
            FLETCHER32 => Filter::Fletcher32,
            LZF => Filter::Lzf,
            4 => return unsupported!("szip compression"),
            5 => return unsupported!("the n-bit filter"),
            6 => return unsupported!("the scale-offset filter"),
            32001 => return unsupported!("blosc compression"),
            32004 => return unsupported!("LZ4 compression"),
            32008 => return unsupported!("the bit shuffle filter"),
            32015 => return unsupported!("zstd compression"),
            id => return unsupported!("the filter of number {id}"),
        });
    }
    let packers = |filter: &&Filter| matches!(filter, Filter::Deflate { .. } | Filter::Lzf);
    if filters.iter().filter(packers).count() > 1 {
        return unsupported!("two compressions of one chunk");
    }
    Ok(filters)
}

/// Undoes the filters of a chunk that has `size` bytes when it is whole. Bit `i` of `mask` is set
/// if filter `i` was left out.
pub(super) fn undo(
    filters: &[Filter],
    mask: u32,
    mut bytes: Vec<u8>,
    size: usize,
) -> Parsed<Vec<u8>> {
    let active = |nth: usize| mask >> nth.min(31) & 1 == 0;
    for (nth, filter) in filters.iter().enumerate().rev().filter(|&(nth, _)| active(nth)) {
        // Bytes before this filter was applied: checksums that were added earlier are still there.
        let sums = filters[..nth].iter().enumerate();
        let sums = sums.filter(|&(i, f)| active(i) && *f == Filter::Fletcher32).count();
        let wanted = size + 4 * sums;
        bytes = match *filter {
            Filter::Deflate { .. } => inflate(&bytes, wanted)?,
            Filter::Lzf => unpack_lzf(&bytes, wanted)?,
            Filter::Shuffle { size } => unshuffle(&bytes, size),
            Filter::Fletcher32 => {
                let Some((content, sum)) = bytes.split_last_chunk::<4>() else {
                    return bad!("a chunk of {} bytes has no room for a checksum", bytes.len());
                };
                let (sum, right) = (u32::from_le_bytes(*sum), fletcher32(content));
                // Files of version 1.6.2 have the bytes of each half exchanged.
                let exchanged = (right & 0x00ff_00ff) << 8 | (right >> 8 & 0x00ff_00ff);
                if sum != right && sum != exchanged {
                    return bad!("the checksum of a chunk is wrong");
                }
                let kept = content.len();
                bytes.truncate(kept);
                bytes
            }
        };
    }
    if bytes.len() == size {
        Ok(bytes)
    } else {
        bad!("a chunk of {} bytes, not {size}", bytes.len())
    }
}

/// Checks before anything is allocated that so many bytes can come out of so few.
fn check_ratio(packed: usize, wanted: usize) -> Parsed<()> {
    if wanted as u64 <= (packed as u64).saturating_mul(MAX_INFLATION) {
        return Ok(());
    }
    bad!("a chunk of {wanted} bytes cannot come from {packed}")
}

fn inflate(packed: &[u8], wanted: usize) -> Parsed<Vec<u8>> {
    check_ratio(packed.len(), wanted)?;
    let mut out = Vec::with_capacity(wanted);
    let mut state = Decompress::new(true);
    let status = state.decompress_vec(packed, &mut out, FlushDecompress::Finish);
    match status {
        Ok(Status::StreamEnd) if out.len() == wanted => Ok(out),
        Ok(_) => bad!("a compressed chunk does not have {wanted} bytes"),
        Err(error) => bad!("bad compressed data: {error}"),
    }
}

/// LZF: runs of literal bytes, and references to what was written before.
fn unpack_lzf(packed: &[u8], wanted: usize) -> Parsed<Vec<u8>> {
    check_ratio(packed.len(), wanted)?;
    let mut out: Vec<u8> = Vec::with_capacity(wanted);
    let mut bytes = packed.iter().copied();
    let mut next = || bytes.next().ok_or("a compressed chunk ends early");
    while let Ok(control) = next().map(usize::from) {
        if control < 32 {
            if out.len() + control + 1 > wanted {
                break;
            }
            for _ in 0..=control {
                out.push(next()?);
            }
            continue;
        }
        let mut length = control >> 5;
        if length == 7 {
            length += usize::from(next()?);
        }
        let back = (control & 31) << 8 | usize::from(next()?);
        let Some(start) = out.len().checked_sub(back + 1) else {
            return bad!("a compressed chunk refers to what is before it");
        };
        if out.len() + length + 2 > wanted {
            break;
        }
        for i in start..start + length + 2 {
            out.push(out[i]);
        }
    }
    if out.len() == wanted {
        Ok(out)
    } else {
        bad!("a compressed chunk does not have {wanted} bytes")
    }
}

/// Applies the filters to a whole chunk.
pub(crate) fn apply(filters: &[Filter], mut bytes: Vec<u8>) -> std::io::Result<Vec<u8>> {
    for filter in filters {
        bytes = match *filter {
            Filter::Deflate { level } => {
                let room = bytes.len() / 2 + 64;
                let level = flate2::Compression::new(u32::from(level));
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::with_capacity(room), level);
                std::io::Write::write_all(&mut encoder, &bytes)?;
                encoder.finish()?
            }
            Filter::Shuffle { size } => shuffle(&bytes, size),
            Filter::Fletcher32 => {
                let sum = fletcher32(&bytes);
                bytes.extend(sum.to_le_bytes());
                bytes
            }
            Filter::Lzf => return Err(std::io::Error::other("LZF is not written")),
        };
    }
    Ok(bytes)
}

/// Puts the first bytes of all values first, then the second ones, and so on. Bytes beyond the last
/// whole value stay where they are.
fn shuffle(bytes: &[u8], size: usize) -> Vec<u8> {
    match size {
        2 => split::<2>(bytes),
        4 => split::<4>(bytes),
        8 => split::<8>(bytes),
        _ if size <= 1 || size > bytes.len() => bytes.to_vec(),
        _ => {
            let count = bytes.len() / size;
            let mut out = Vec::with_capacity(bytes.len());
            for byte in 0..size {
                out.extend(bytes[..count * size].iter().skip(byte).step_by(size));
            }
            out.extend_from_slice(&bytes[count * size..]);
            out
        }
    }
}

fn split<const SIZE: usize>(bytes: &[u8]) -> Vec<u8> {
    let (values, rest) = bytes.as_chunks::<SIZE>();
    let mut out = vec![0; bytes.len()];
    let planes = values.len();
    // In blocks, so that the planes' lines stay in the cache.
    for (block, values) in values.chunks(256).enumerate() {
        for byte in 0..SIZE {
            let start = byte * planes + block * 256;
            for (to, value) in out[start..start + values.len()].iter_mut().zip(values) {
                *to = value[byte];
            }
        }
    }
    out[planes * SIZE..].copy_from_slice(rest);
    out
}

fn unshuffle(bytes: &[u8], size: usize) -> Vec<u8> {
    match size {
        2 => join::<2>(bytes),
        4 => join::<4>(bytes),
        8 => join::<8>(bytes),
        _ if size <= 1 || size > bytes.len() => bytes.to_vec(),
        _ => {
            let count = bytes.len() / size;
            let mut out = vec![0; bytes.len()];
            for byte in 0..size {
                let plane = &bytes[byte * count..(byte + 1) * count];
                for (to, from) in out[byte..].iter_mut().step_by(size).zip(plane) {
                    *to = *from;
                }
            }
            out[count * size..].copy_from_slice(&bytes[count * size..]);
            out
        }
    }
}

fn join<const SIZE: usize>(bytes: &[u8]) -> Vec<u8> {
    let planes = bytes.len() / SIZE;
    let mut out = vec![0; bytes.len()];
    let (values, rest) = out.as_chunks_mut::<SIZE>();
    for (block, values) in values.chunks_mut(256).enumerate() {
        for byte in 0..SIZE {
            let start = byte * planes + block * 256;
            for (to, from) in
                values.iter_mut().zip(&bytes[start..start + 256.min(planes - block * 256)])
            {
                to[byte] = *from;
            }
        }
    }
    rest.copy_from_slice(&bytes[planes * SIZE..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_undone() {
        let bytes: Vec<u8> = (0..5003_u32).map(|i| (i * i / 7) as u8).collect();
        for size in [1, 2, 3, 4, 8, 16] {
            for filters in [
                vec![Filter::Shuffle { size }],
                vec![Filter::Shuffle { size }, Filter::Deflate { level: 4 }, Filter::Fletcher32],
                vec![Filter::Fletcher32, Filter::Deflate { level: 1 }],
            ] {
                let packed = apply(&filters, bytes.clone()).expect("in memory");
                let shuffles_only = filters.len() == 1;
                assert_eq!(packed == bytes, shuffles_only && size == 1);
                let whole = undo(&filters, 0, packed.clone(), bytes.len()).expect("its own chunk");
                assert_eq!(whole, bytes, "{filters:?}");
                assert!(undo(&filters, 0, packed, bytes.len() + 1).is_err());
            }
        }
    }

    #[test]
    fn filters_that_were_left_out_are_not_undone() {
        let filters = [Filter::Shuffle { size: 2 }, Filter::Deflate { level: 4 }];
        let bytes: Vec<u8> = (0..=255).collect();
        let packed = apply(&filters[..1], bytes.clone()).expect("in memory");
        assert_eq!(undo(&filters, 2, packed, 256).expect("one filter"), bytes);
    }

    #[test]
    fn chunks_that_cannot_be_so_large_are_refused() {
        assert!(inflate(&[0; 8], 1 << 40).is_err());
        assert!(unpack_lzf(&[0x20, 0xff], 3).is_err());
        assert_eq!(unpack_lzf(&[0, 7, 0x20, 0], 4).expect("a run"), [7, 7, 7, 7]);
    }
}
