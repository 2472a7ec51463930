//! Binary structures: numbers exchanged for others, addresses for those of other structures.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A structure of a file: its place, its length, and whether a checksum follows it.
struct Place {
    start: usize,
    length: usize,
    has_sum: bool,
}

/// Changes anything, mostly near the start.
pub(super) fn any(bytes: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    forged(bytes, &[], rng)
}

/// Changes structures of HDF5, with new checksums: without, only the checksums would be tested.
pub(super) fn hdf5(bytes: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    const SIGNATURES: [&[u8; 4]; 18] = [
        b"OHDR", b"OCHK", b"BTHD", b"BTIN", b"BTLF", b"FRHP", b"FHIB", b"FHDB", b"FAHD", b"FADB",
        b"EAHD", b"EAIB", b"EASB", b"EADB", b"TREE", b"SNOD", b"HEAP", b"GCOL",
    ];
    let mut places = Vec::new();
    for at in 0..bytes.len().saturating_sub(8) {
        if !SIGNATURES.iter().any(|name| bytes[at..].starts_with(*name)) {
            continue;
        }
        if matches!(&bytes[at..at + 4], b"TREE" | b"SNOD" | b"HEAP" | b"GCOL") {
            let length = (bytes.len() - at).min(160);
            places.push(Place { start: at, length, has_sum: false });
            continue;
        }
        let ends = |length: &usize| {
            let end = at + length;
            bytes.get(end..end + 4).is_some_and(|sum| sum == lookup3(&bytes[at..end]))
        };
        let length = (8..2048).find(ends);
        places.extend(length.map(|length| Place { start: at, length, has_sum: true }));
    }
    if bytes.get(8).is_some_and(|version| *version >= 2) && bytes.starts_with(b"\x89HDF") {
        places.push(Place { start: 0, length: 44, has_sum: true });
    }
    forged(bytes, &places, rng)
}

/// Changes the directories of a TIFF: tags, types, counts, values and offsets, and the lists that
/// they point to.
pub(super) fn tiff(bytes: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let big_endian = bytes.starts_with(b"MM");
    let number = |at: usize, size: usize| -> usize {
        let part = bytes.get(at..at + size).unwrap_or_default().iter();
        let push = |n: usize, b: &u8| n.wrapping_shl(8) | usize::from(*b);
        if big_endian { part.fold(0, push) } else { part.rev().fold(0, push) }
    };
    let is_big = number(2, 2) == 43;
    let (word, entry) = if is_big { (8, 20) } else { (4, 12) };
    let (count_size, mut at) = if is_big { (8, number(8, 8)) } else { (2, number(4, 4)) };
    let mut places = vec![Place { start: 0, length: 16.min(bytes.len()), has_sum: false }];
    // A chain of directories may be a cycle: no more than a few are followed.
    for _ in 0..8 {
        let count = number(at, count_size);
        if at == 0 || at >= bytes.len() || count == 0 || count > 1000 {
            break;
        }
        for nth in 0..count {
            let start = at + count_size + nth * entry;
            if start + entry > bytes.len() {
                break;
            }
            places.push(Place { start, length: entry, has_sum: false });
            let (values, to) = (number(start + 4, word), number(start + 4 + word, word));
            if values > 1 && to < bytes.len() {
                let length = (bytes.len() - to).min(64);
                places.push(Place { start: to, length, has_sum: false });
            }
        }
        at = number(at + count_size + count * entry, word);
    }
    forged(bytes, &places, rng)
}

/// Changes the records of a zip archive: sizes, offsets, methods, names.
pub(super) fn zip(bytes: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let records = [(b"PK\x01\x02", 46), (b"PK\x03\x04", 30), (b"PK\x05\x06", 22)];
    let mut places = Vec::new();
    for start in 0..bytes.len() {
        let record = records.iter().find(|(mark, _)| bytes[start..].starts_with(*mark));
        places.extend(record.map(|&(_, length)| Place { start, length, has_sum: false }));
    }
    forged(bytes, &places, rng)
}

fn forged(bytes: &[u8], places: &[Place], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if bytes.is_empty() {
        return bytes;
    }
    let mut touched = Vec::new();
    for _ in 0..rng.random_range(1..4) {
        let place = places.get(rng.random_range(0..=places.len()));
        let (start, length) = match place {
            Some(place) if rng.random_bool(0.9) => (place.start, place.length),
            _ => (0, bytes.len().min(6000)),
        };
        let at = start + rng.random_range(0..length.max(1));
        let width = [1, 2, 4, 8][rng.random_range(0..4)];
        let value = number(&bytes, places, rng);
        let order = if rng.random_bool(0.2) { value.to_be_bytes() } else { value.to_le_bytes() };
        for (to, from) in bytes.iter_mut().skip(at).zip(&order[..width]) {
            *to = *from;
        }
        touched.push(at);
    }
    for place in places.iter().filter(|place| place.has_sum) {
        let (start, end) = (place.start, place.start + place.length);
        if touched.iter().any(|at| (start..end).contains(at)) {
            let sum = lookup3(&bytes[start..end]);
            bytes[end..end + 4].copy_from_slice(&sum);
        }
    }
    bytes
}

/// A number that is likely to be wrong: huge, negative, an address of another structure.
fn number(bytes: &[u8], places: &[Place], rng: &mut ChaCha8Rng) -> u64 {
    match rng.random_range(0..9) {
        0 => 0,
        1 => u64::MAX - rng.random_range(0..3),
        2 => 1 << rng.random_range(0..64),
        3 => bytes.len() as u64 - rng.random_range(0..2),
        4 => rng.random_range(0..bytes.len() as u64),
        5 => rng.random_range(0..64),
        6 => rng.random(),
        // Cycles, and structures in place of others.
        7 if !places.is_empty() => places[rng.random_range(0..places.len())].start as u64,
        _ => {
            let from = rng.random_range(0..bytes.len());
            let mut raw = [0; 8];
            for (to, from) in raw.iter_mut().zip(&bytes[from..]) {
                *to = *from;
            }
            u64::from_le_bytes(raw)
        }
    }
}

/// The checksum of HDF5's structures (Bob Jenkins' lookup3), little-endian.
fn lookup3(bytes: &[u8]) -> [u8; 4] {
    let start = 0xdead_beef_u32.wrapping_add(bytes.len() as u32);
    let [mut a, mut b, mut c] = [start; 3];
    let blocks = bytes.len().div_ceil(12);
    for (nth, block) in bytes.chunks(12).enumerate() {
        let mut raw = [0; 12];
        raw[..block.len()].copy_from_slice(block);
        let word = |i: usize| u32::from_le_bytes([raw[i], raw[i + 1], raw[i + 2], raw[i + 3]]);
        a = a.wrapping_add(word(0));
        b = b.wrapping_add(word(4));
        c = c.wrapping_add(word(8));
        if nth + 1 == blocks {
            for turns in [[14, 11, 25], [16, 4, 14]] {
                c = (c ^ b).wrapping_sub(b.rotate_left(turns[0]));
                a = (a ^ c).wrapping_sub(c.rotate_left(turns[1]));
                b = (b ^ a).wrapping_sub(a.rotate_left(turns[2]));
            }
            c = (c ^ b).wrapping_sub(b.rotate_left(24));
            break;
        }
        for turns in [[4, 6, 8], [16, 19, 4]] {
            a = a.wrapping_sub(c) ^ c.rotate_left(turns[0]);
            c = c.wrapping_add(b);
            b = b.wrapping_sub(a) ^ a.rotate_left(turns[1]);
            a = a.wrapping_add(c);
            c = c.wrapping_sub(b) ^ b.rotate_left(turns[2]);
            b = b.wrapping_add(a);
        }
    }
    c.to_le_bytes()
}
