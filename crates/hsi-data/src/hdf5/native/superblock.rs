//! Where a file starts: signature, sizes of numbers, the root group.

use super::checksum::lookup3;
use super::input::{Input, UNDEFINED};
use crate::arrays::FileBytes;
use crate::fault::{Parsed, bad, unsupported};

/// The first bytes of every HDF5 file, or of its part behind the user's block.
pub(crate) const SIGNATURE: &[u8; 8] = b"\x89HDF\r\n\x1a\n";

/// Finds the superblock, sets up how addresses are read, and returns that of the root group's
/// object header.
pub(super) fn read(input: &mut Input) -> Parsed<u64> {
    let Some(at) = find(&input.file)? else {
        return bad!("there is no HDF5 signature");
    };
    let piece = input.bytes(at, (input.len() - at).min(128))?;
    let mut cursor = input.cursor(&piece);
    cursor.skip(8)?;
    let version = cursor.u8()?;
    let before_addresses = match version {
        // Versions and sizes, ranks of the trees, flags.
        0 => 24,
        1 => 28,
        2 | 3 => 12,
        version => return unsupported!("a superblock of version {version}"),
    };
    cursor.skip(if version < 2 { 4 } else { 0 })?;
    (input.offset_size, input.length_size) = (cursor.u8()?, cursor.u8()?);
    for size in [input.offset_size, input.length_size] {
        if !matches!(size, 2 | 4 | 8) {
            return bad!("addresses or lengths of {size} bytes");
        }
    }
    let mut cursor = input.cursor(&piece);
    cursor.skip(before_addresses)?;
    let base = cursor.address()?;
    // Free space or extension, end of the file.
    cursor.address()?;
    cursor.address()?;
    let mut root = cursor.address()?;
    if version < 2 {
        // That was the driver's block; the root group has a name at 0.
        cursor.address()?;
        root = cursor.address()?;
    } else if cursor.clone().u32()? != lookup3(piece.get(..cursor.at()).unwrap_or_default()) {
        return bad!("the checksum of the superblock is wrong");
    }
    // Files whose user's block was put before them later have a base of zero all the same.
    let base = if base == 0 { at } else { base };
    input.file = input.file.clone().rebased(base);
    if root == UNDEFINED {
        return bad!("there is no root group");
    }
    Ok(root)
}

/// The signature stands at the start, or at 512, 1024 and so on.
pub(crate) fn find(file: &FileBytes) -> Parsed<Option<u64>> {
    let mut at = 0;
    while file.check(at, 8).is_ok() {
        let mut head = [0; 8];
        file.read_at(at, &mut head)?;
        if &head == SIGNATURE {
            return Ok(Some(at));
        }
        at = if at == 0 { 512 } else { at.saturating_mul(2) };
    }
    Ok(None)
}
