//! How strips and tiles are packed.

use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};
use weezl::BitOrder;
use weezl::decode::Decoder;
use weezl::encode::Encoder;

use crate::fault::{Parsed, bad, unsupported};
use crate::meta::Compression;

/// Most bytes that one byte can become.
const MAX_INFLATION: usize = 1032;
const MAX_LZW: usize = 4096;

/// A way of packing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    None,
    Lzw,
    Deflate,
    PackBits,
    Zstd,
}

impl Method {
    pub(super) fn from_code(code: u64) -> Parsed<Self> {
        let name = match code {
            1 => return Ok(Self::None),
            5 => return Ok(Self::Lzw),
            8 | 32946 => return Ok(Self::Deflate),
            32773 => return Ok(Self::PackBits),
            50000 => return Ok(Self::Zstd),
            2..=4 => "fax",
            6 | 7 => "JPEG",
            34712 => "JPEG 2000",
            34887 => "LERC",
            34925 => "LZMA",
            50001 => "WebP",
            50002 | 52546 => "JPEG XL",
            code => return unsupported!("compression of number {code}"),
        };
        unsupported!("{name} compression")
    }

    pub(super) fn code(compression: Compression) -> u16 {
        match compression {
            Compression::None => 1,
            Compression::Lzw { .. } => 5,
            Compression::Deflate { .. } => 8,
            Compression::Zstd { .. } => 50000,
        }
    }

    /// As it is called outside; level 6 of deflate and 9 of Zstandard are GDAL's customs, the file
    /// does not say.
    pub(super) fn compression(self, filter: bool) -> Compression {
        match self {
            Self::None | Self::PackBits => Compression::None,
            Self::Lzw => Compression::Lzw { filter },
            Self::Deflate => Compression::Deflate { level: 6, filter },
            Self::Zstd => Compression::Zstd { level: 9, filter },
        }
    }

    /// Unpacks `size` bytes. What comes after them is left out: the last strip may be whole.
    pub(super) fn unpack(self, packed: Vec<u8>, size: usize) -> Parsed<Vec<u8>> {
        let most = match self {
            Self::None => 1,
            Self::Deflate => MAX_INFLATION,
            Self::Lzw => MAX_LZW,
            Self::PackBits => 64,
            // A block of a few bytes may stand for 128 KiB.
            Self::Zstd => 1 << 17,
        };
        if size > packed.len().saturating_mul(most) {
            return bad!("{size} bytes of samples cannot come from {}", packed.len());
        }
        let out = match self {
            Self::None => {
                let mut out = packed;
                out.truncate(size);
                out
            }
            Self::Deflate => {
                let mut out = Vec::with_capacity(size);
                let status = Decompress::new(true).decompress_vec(
                    &packed,
                    &mut out,
                    FlushDecompress::Finish,
                );
                if let (Err(error), true) = (status, out.len() < size) {
                    return bad!("bad deflated data: {error}");
                }
                out.truncate(size);
                out
            }
            Self::Lzw => unpack_lzw(&packed, size)?,
            Self::PackBits => unpack_bits(&packed, size)?,
            Self::Zstd => match zstd::bulk::decompress(&packed, size) {
                Ok(out) => out,
                Err(error) => return bad!("bad Zstandard data: {error}"),
            },
        };
        if out.len() == size {
            return Ok(out);
        }
        bad!("{} bytes of samples were packed, not {size}", out.len())
    }
}

fn unpack_lzw(packed: &[u8], size: usize) -> Parsed<Vec<u8>> {
    let mut decoder = Decoder::with_tiff_size_switch(BitOrder::Msb, 8);
    let mut out = vec![0; size];
    let (mut from, mut to) = (0, 0);
    while to < size {
        let result = decoder.decode_bytes(&packed[from..], &mut out[to..]);
        from += result.consumed_in;
        to += result.consumed_out;
        match result.status {
            Ok(weezl::LzwStatus::Ok) if result.consumed_in + result.consumed_out > 0 => {}
            Ok(_) => break,
            Err(error) => return bad!("bad LZW data: {error}"),
        }
    }
    out.truncate(to);
    Ok(out)
}

/// Runs of one byte, and of bytes as they are.
fn unpack_bits(packed: &[u8], size: usize) -> Parsed<Vec<u8>> {
    let mut out = Vec::with_capacity(size);
    let mut rest = packed;
    while let (true, Some((&control, tail))) = (out.len() < size, rest.split_first()) {
        rest = tail;
        let control = i16::from(control as i8);
        if control >= 0 {
            let count = control as usize + 1;
            let run = rest.get(..count).ok_or("PackBits data end early")?;
            out.extend_from_slice(run);
            rest = &rest[count..];
        } else if control != -128 {
            let (&byte, tail) = rest.split_first().ok_or("PackBits data end early")?;
            out.resize(out.len() + (1 - control) as usize, byte);
            rest = tail;
        }
    }
    out.truncate(size);
    Ok(out)
}

/// Packs strips and tiles, one after the other.
pub(super) enum Packer {
    None,
    Deflate(Box<Compress>),
    Lzw,
    Zstd(zstd::bulk::Compressor<'static>),
}

impl Packer {
    pub(super) fn new(compression: Compression) -> std::io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::None,
            Compression::Lzw { .. } => Self::Lzw,
            Compression::Deflate { level, .. } => {
                let level = flate2::Compression::new(u32::from(level));
                Self::Deflate(Box::new(Compress::new(level, true)))
            }
            Compression::Zstd { level, .. } => {
                Self::Zstd(zstd::bulk::Compressor::new(i32::from(level))?)
            }
        })
    }

    pub(super) fn pack(&mut self, bytes: Vec<u8>) -> std::io::Result<Vec<u8>> {
        match self {
            Self::None => Ok(bytes),
            Self::Lzw => Encoder::with_tiff_size_switch(BitOrder::Msb, 8)
                .encode(&bytes)
                .map_err(std::io::Error::other),
            Self::Zstd(compressor) => compressor.compress(&bytes),
            Self::Deflate(state) => {
                state.reset();
                let mut out = Vec::with_capacity(bytes.len() / 2 + 1024);
                loop {
                    let done = state.total_in() as usize;
                    let status =
                        state.compress_vec(&bytes[done..], &mut out, FlushCompress::Finish);
                    if status.map_err(std::io::Error::other)? == Status::StreamEnd {
                        return Ok(out);
                    }
                    out.reserve(bytes.len() / 4 + 1024);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_the_specification_are_unpacked() {
        // Apple's example, as TIFF 6.0 has it.
        let packed = [
            0xfe, 0xaa, 0x02, 0x80, 0x00, 0x2a, 0xfd, 0xaa, 0x03, 0x80, 0x00, 0x2a, 0x22, 0xf7,
            0xaa,
        ];
        let whole = [
            0xaa, 0xaa, 0xaa, 0x80, 0x00, 0x2a, 0xaa, 0xaa, 0xaa, 0xaa, 0x80, 0x00, 0x2a, 0x22,
            0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
        ];
        let out = Method::PackBits.unpack(packed.to_vec(), 24).expect("the example");
        assert_eq!(out, whole);
        assert!(Method::PackBits.unpack(packed.to_vec(), 25).is_err());
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let bytes: Vec<u8> = (0..70_000_u64).map(|i| (i * i / 9000) as u8).collect();
        for compression in [
            Compression::None,
            Compression::Deflate { level: 1, filter: false },
            Compression::Deflate { level: 9, filter: false },
            Compression::Lzw { filter: false },
            Compression::Zstd { level: 3, filter: false },
        ] {
            let mut packer = Packer::new(compression).expect("a packer");
            let method = Method::from_code(u64::from(Method::code(compression))).expect("known");
            // Twice: nothing of the first may be left.
            for _ in 0..2 {
                let packed = packer.pack(bytes.clone()).expect("in memory");
                assert_eq!(packed.len() < bytes.len(), method != Method::None);
                let whole = method.unpack(packed.clone(), bytes.len()).expect("its own");
                assert_eq!(whole, bytes, "{compression}");
                assert!(method.unpack(packed.clone(), bytes.len() + 1).is_err());
                assert!(method.unpack(packed[..packed.len() / 2].to_vec(), bytes.len()).is_err());
            }
        }
    }

    #[test]
    fn bombs_are_refused_by_their_ratio() {
        for method in [Method::None, Method::Deflate, Method::Lzw, Method::PackBits, Method::Zstd] {
            assert!(method.unpack(vec![0; 4], 1 << 40).is_err());
        }
    }
}
