//! MATLAB's `.mat` files of version 5: numeric arrays of every class and rank, truth values, text,
//! fields of structs and elements of cells; plain and compressed, of either byte order.
//!
//! Files are treated as hostile: every size is checked against what is left of the element around
//! it, compressed elements are inflated in pieces and never past what deflate can make of them.
//!
//! # References
//! - The MathWorks, "MAT-File Format", version 5 and level 5.

mod class;
mod contents;
mod file;
mod read;
mod stream;
mod write;
mod writer;

pub(crate) use class::MatClass;
pub(crate) use file::MatFile;
pub(crate) use read::open;
pub(crate) use writer::MatWriter;

use crate::sample::ByteOrder;

/// Versions of MATLAB files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// Matrices one after the other, without a header.
    V4,
    /// Elements with tags.
    V5(ByteOrder),
    /// HDF5 behind 512 bytes.
    V73,
}

/// Tells the version of a MATLAB file from its first 128 bytes.
pub(crate) fn version(head: &[u8]) -> Option<Version> {
    if let Some(&[a, b, c, d]) = head.get(124..128).and_then(|end| end.first_chunk()) {
        match (u16::from_be_bytes([a, b]), [c, d]) {
            (0x0100, [b'M', b'I']) => return Some(Version::V5(ByteOrder::Big)),
            (0x0001, [b'I', b'M']) => return Some(Version::V5(ByteOrder::Little)),
            (0x0200, [b'M', b'I']) | (0x0002, [b'I', b'M']) => return Some(Version::V73),
            _ => {}
        }
    }
    // Version 4 starts with a number of the decimal digits M0PT, rows, columns, whether there is an
    // imaginary part, and the length of the name.
    let words: Vec<[u8; 4]> = head.get(..20)?.as_chunks::<4>().0.to_vec();
    let is_v4 = |number: fn([u8; 4]) -> u32, machines: std::ops::Range<u32>| {
        let [kind, rows, cols, imaginary, name] =
            [words[0], words[1], words[2], words[3], words[4]].map(number);
        machines.contains(&(kind / 1000))
            && kind / 100 % 10 == 0
            && kind / 10 % 10 <= 5
            && kind % 10 <= 2
            && rows.max(cols) < 1 << 31
            && imaginary <= 1
            && (1..=64).contains(&name)
    };
    (is_v4(u32::from_le_bytes, 0..1) || is_v4(u32::from_be_bytes, 1..5)).then_some(Version::V4)
}
