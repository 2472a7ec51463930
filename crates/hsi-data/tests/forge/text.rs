//! Text headers: numbers exchanged for hostile ones, lines and signs lost or doubled.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Numbers that programs stumble over.
const NUMBERS: [&str; 18] = [
    "0",
    "-1",
    "1",
    "3",
    "255",
    "65536",
    "2147483647",
    "-2147483648",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999",
    "1e308",
    "-1e-320",
    "nan",
    "inf",
    "0x10",
];

/// The text header of a `.npy` file; its length follows.
pub(super) fn npy(bytes: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let (size, start) = match bytes.get(6) {
        Some(1) => (2, 10),
        _ => (4, 12),
    };
    let length = bytes
        .get(8..8 + size)
        .unwrap_or_default()
        .iter()
        .rev()
        .fold(0, |n, &b| n << 8 | usize::from(b));
    let Some(header) = bytes.get(start..start + length) else { return bytes.to_vec() };
    let forged = any(header, rng);
    let mut out = bytes[..8].to_vec();
    let stated = if rng.random_bool(0.95) { forged.len() } else { rng.random_range(0..1 << 20) };
    out.extend(&(stated as u32).to_le_bytes()[..size]);
    out.extend(forged);
    out.extend(&bytes[start + length..]);
    out
}

/// A `.npy` file of another shape, type and order, whose samples nearly fit.
pub(super) fn npy_of_any_shape(bytes: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    const TYPES: [(&str, usize); 9] = [
        ("<f4", 4),
        (">f8", 8),
        ("<i2", 2),
        (">u4", 4),
        ("|b1", 1),
        ("|u1", 1),
        ("<f2", 2),
        ("=i8", 8),
        ("<c8", 8),
    ];
    let (descr, size) = TYPES[rng.random_range(0..TYPES.len())];
    let axes = if rng.random_bool(0.9) { 3 } else { rng.random_range(0..6) };
    let shape: Vec<usize> = (0..axes).map(|_| rng.random_range(0..6)).collect();
    let order = ["True", "False"][rng.random_range(0..2)];
    let list: Vec<String> = shape.iter().map(ToString::to_string).collect();
    let list = list.join(", ") + ",";
    let list = if shape.is_empty() { "" } else { &list };
    let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({list}), }}\n");
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.bytes());
    let samples = shape.iter().product::<usize>() * size;
    let samples = if rng.random_bool(0.7) { samples } else { samples + rng.random_range(0..9) };
    out.extend(bytes.iter().cycle().take(samples));
    out
}

/// Any text.
pub(super) fn any(bytes: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..rng.random_range(1..4) {
        if out.is_empty() {
            break;
        }
        match rng.random_range(0..10) {
            0..5 => exchange_number(&mut out, rng),
            5 => {
                let range = line(&out, rng);
                out.drain(range);
            }
            6 => {
                let range = line(&out, rng);
                let copy = out[range.clone()].to_vec();
                out.splice(range.end..range.end, copy);
            }
            7 => {
                // A sign is lost, or becomes another one.
                let signs: Vec<usize> =
                    (0..out.len()).filter(|&at| b"{}()[],=<>'\":/".contains(&out[at])).collect();
                if !signs.is_empty() {
                    let at = signs[rng.random_range(0..signs.len())];
                    if rng.random_bool(0.5) {
                        out.remove(at);
                    } else {
                        out[at] = b"{}()[],=<>'\":/"[rng.random_range(0..14)];
                    }
                }
            }
            8 => {
                let at = rng.random_range(0..out.len());
                out[at] = rng.random();
            }
            _ => {
                // A piece from elsewhere.
                let from = rng.random_range(0..out.len());
                let length = rng.random_range(0..64).min(out.len() - from);
                let piece = out[from..from + length].to_vec();
                let at = rng.random_range(0..=out.len());
                out.splice(at..at, piece);
            }
        }
    }
    out
}

/// Replaces one of the numbers of a text.
fn exchange_number(out: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    let is_part = |b: u8| b.is_ascii_digit() || b == b'.' || b == b'-';
    let starts: Vec<usize> = (0..out.len())
        .filter(|&at| out[at].is_ascii_digit() && (at == 0 || !is_part(out[at - 1])))
        .collect();
    if starts.is_empty() {
        return;
    }
    let start = starts[rng.random_range(0..starts.len())];
    let length = out[start..].iter().take_while(|&&b| is_part(b)).count();
    let number = NUMBERS[rng.random_range(0..NUMBERS.len())];
    out.splice(start..start + length, number.bytes());
}

/// The place of a line.
fn line(text: &[u8], rng: &mut ChaCha8Rng) -> std::ops::Range<usize> {
    let at = rng.random_range(0..text.len());
    let start = text[..at].iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
    let end = text[at..].iter().position(|&b| b == b'\n').map_or(text.len(), |n| at + n + 1);
    start..end
}
