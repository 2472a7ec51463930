//! Directories as bytes.

/// A tag and its values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) tag: u16,
    pub(super) values: Values,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    Shorts(Vec<u16>),
    /// Integers of 32 bits, or of 64 in a BigTIFF.
    Longs(Vec<u64>),
    Doubles(Vec<f64>),
    Text(String),
    /// A type and little-endian bytes.
    Raw(u16, Vec<u8>),
}

impl Values {
    /// Type, number of values and their bytes.
    fn encode(&self, wide: bool, big_endian: bool) -> (u16, u64, Vec<u8>) {
        fn join<const SIZE: usize>(
            big_endian: bool,
            list: impl Iterator<Item = [u8; SIZE]>,
        ) -> Vec<u8> {
            let turned = list.map(|mut raw| {
                if big_endian {
                    raw.reverse();
                }
                raw
            });
            turned.flatten().collect()
        }
        match self {
            Self::Shorts(list) => {
                (3, list.len() as u64, join(big_endian, list.iter().map(|v| v.to_le_bytes())))
            }
            Self::Longs(list) if wide => {
                (16, list.len() as u64, join(big_endian, list.iter().map(|v| v.to_le_bytes())))
            }
            Self::Longs(list) => {
                let short = list.iter().map(|&v| (v as u32).to_le_bytes());
                (4, list.len() as u64, join(big_endian, short))
            }
            Self::Doubles(list) => {
                (12, list.len() as u64, join(big_endian, list.iter().map(|v| v.to_le_bytes())))
            }
            Self::Text(text) => {
                let mut bytes: Vec<u8> = text.bytes().filter(|&b| b != 0).collect();
                bytes.push(0);
                (2, bytes.len() as u64, bytes)
            }
            Self::Raw(kind, bytes) => {
                let (whole, unit) = match kind {
                    3 | 8 => (2, 2),
                    4 | 9 | 11 | 13 => (4, 4),
                    5 | 10 => (8, 4),
                    12 | 16 | 17 | 18 => (8, 8),
                    _ => (1, 1),
                };
                let mut bytes = bytes.clone();
                if big_endian {
                    bytes.chunks_exact_mut(unit).for_each(<[u8]>::reverse);
                }
                (*kind, (bytes.len() / whole) as u64, bytes)
            }
        }
    }
}

/// A directory that lies at an address, and the values that do not fit into it, behind it.
pub(super) fn directory(mut fields: Vec<Field>, at: u64, wide: bool, big_endian: bool) -> Vec<u8> {
    fields.sort_by_key(|field| field.tag);
    let number = |value: u64, size: usize| {
        let mut raw = value.to_le_bytes()[..size].to_vec();
        if big_endian {
            raw.reverse();
        }
        raw
    };
    let (count_size, word) = if wide { (8, 8) } else { (2, 4) };
    let length = count_size + fields.len() * (4 + 2 * word) + word;
    let mut table = number(fields.len() as u64, count_size);
    let mut behind = Vec::new();
    for field in &fields {
        let (kind, count, mut bytes) = field.values.encode(wide, big_endian);
        table.extend(number(u64::from(field.tag), 2));
        table.extend(number(u64::from(kind), 2));
        table.extend(number(count, word));
        if bytes.len() <= word {
            bytes.resize(word, 0);
            table.extend(bytes);
        } else {
            table.extend(number(at + (length + behind.len()) as u64, word));
            behind.extend(bytes);
            // Values begin at even addresses.
            behind.resize(behind.len().next_multiple_of(8), 0);
        }
    }
    table.resize(length, 0);
    table.extend(behind);
    table
}

/// The start of a file, with the address of its directory.
pub(super) fn head(directory: u64, wide: bool, big_endian: bool) -> Vec<u8> {
    let mut out = if big_endian { b"MM".to_vec() } else { b"II".to_vec() };
    let short = |value: u16| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    if wide {
        out.extend([43, 8, 0].map(short).concat());
        let at = if big_endian { directory.to_be_bytes() } else { directory.to_le_bytes() };
        out.extend(at);
    } else {
        out.extend(short(42));
        let at = directory as u32;
        out.extend(if big_endian { at.to_be_bytes() } else { at.to_le_bytes() });
    }
    out
}
