//! Predictors: what is packed are differences.

/// Rows of samples as they lie in a strip or tile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows {
    /// Samples of a row.
    pub(super) count: usize,
    /// Samples of a pixel that lie together.
    pub(super) together: usize,
    /// Bytes of a sample.
    pub(super) size: usize,
    pub(super) big_endian: bool,
}

/// Differences of what?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Predictor {
    None,
    /// Samples, as integers.
    Samples,
    /// Bytes of floating-point numbers, the most significant ones of a row first.
    Bytes,
}

impl Predictor {
    pub(super) fn code(self) -> u16 {
        match self {
            Self::None => 1,
            Self::Samples => 2,
            Self::Bytes => 3,
        }
    }

    /// From differences to samples.
    pub(super) fn undo(self, rows: Rows, bytes: &mut [u8]) {
        self.each_row(rows, bytes, |row, other| match self {
            Self::None => {}
            Self::Samples => rows.sum(row),
            Self::Bytes => {
                for i in rows.together..row.len() {
                    row[i] = row[i].wrapping_add(row[i - rows.together]);
                }
                other.copy_from_slice(row);
                for (i, value) in row.chunks_exact_mut(rows.size).enumerate() {
                    for (byte, to) in value.iter_mut().enumerate() {
                        let plane = if rows.big_endian { byte } else { rows.size - 1 - byte };
                        *to = other[plane * rows.count + i];
                    }
                }
            }
        });
    }

    /// From samples to differences.
    pub(super) fn apply(self, rows: Rows, bytes: &mut [u8]) {
        self.each_row(rows, bytes, |row, other| match self {
            Self::None => {}
            Self::Samples => rows.difference(row),
            Self::Bytes => {
                other.copy_from_slice(row);
                for (i, value) in other.chunks_exact(rows.size).enumerate() {
                    for (byte, &from) in value.iter().enumerate() {
                        let plane = if rows.big_endian { byte } else { rows.size - 1 - byte };
                        row[plane * rows.count + i] = from;
                    }
                }
                for i in (rows.together..row.len()).rev() {
                    row[i] = row[i].wrapping_sub(row[i - rows.together]);
                }
            }
        });
    }

    fn each_row(self, rows: Rows, bytes: &mut [u8], run: impl Fn(&mut [u8], &mut [u8])) {
        if self == Self::None {
            return;
        }
        let length = (rows.count * rows.size).max(1);
        let mut other = vec![0; if self == Self::Bytes { length } else { 0 }];
        bytes.chunks_exact_mut(length).for_each(|row| run(row, &mut other));
    }
}

macro_rules! integers {
    ($row:expr, $rows:expr, $t:ty, $run:ident) => {{
        let words = $row.as_chunks_mut::<{ size_of::<$t>() }>().0;
        if $rows.big_endian {
            $run(words, $rows.together, <$t>::from_be_bytes, <$t>::to_be_bytes, |a: $t, b| {
                (a.wrapping_add(b), a.wrapping_sub(b))
            });
        } else {
            $run(words, $rows.together, <$t>::from_le_bytes, <$t>::to_le_bytes, |a: $t, b| {
                (a.wrapping_add(b), a.wrapping_sub(b))
            });
        }
    }};
}

impl Rows {
    fn sum(self, row: &mut [u8]) {
        match self.size {
            1 => integers!(row, self, u8, sum),
            2 => integers!(row, self, u16, sum),
            4 => integers!(row, self, u32, sum),
            _ => integers!(row, self, u64, sum),
        }
    }

    fn difference(self, row: &mut [u8]) {
        match self.size {
            1 => integers!(row, self, u8, difference),
            2 => integers!(row, self, u16, difference),
            4 => integers!(row, self, u32, difference),
            _ => integers!(row, self, u64, difference),
        }
    }
}

fn sum<T: Copy + Default, const SIZE: usize>(
    words: &mut [[u8; SIZE]],
    together: usize,
    from: impl Fn([u8; SIZE]) -> T,
    to: impl Fn(T) -> [u8; SIZE],
    both: impl Fn(T, T) -> (T, T),
) {
    if together == 1 {
        let mut last = T::default();
        for word in words {
            last = both(from(*word), last).0;
            *word = to(last);
        }
        return;
    }
    for i in together..words.len() {
        words[i] = to(both(from(words[i]), from(words[i - together])).0);
    }
}

fn difference<T: Copy, const SIZE: usize>(
    words: &mut [[u8; SIZE]],
    together: usize,
    from: impl Fn([u8; SIZE]) -> T,
    to: impl Fn(T) -> [u8; SIZE],
    both: impl Fn(T, T) -> (T, T),
) {
    for i in (together..words.len()).rev() {
        words[i] = to(both(from(words[i]), from(words[i - together])).1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_undone_in_every_size_and_order() {
        let bytes: Vec<u8> = (0..960_u32).map(|i| (i * 37 + i * i / 5) as u8).collect();
        for predictor in [Predictor::Samples, Predictor::Bytes] {
            for (size, together) in [(1, 1), (2, 1), (2, 3), (4, 1), (4, 5), (8, 1), (8, 2)] {
                for big_endian in [false, true] {
                    let count = 960 / size / 2;
                    let rows = Rows { count, together, size, big_endian };
                    let mut changed = bytes.clone();
                    predictor.apply(rows, &mut changed);
                    assert_ne!(changed, bytes, "{predictor:?} {rows:?}");
                    predictor.undo(rows, &mut changed);
                    assert_eq!(changed, bytes, "{predictor:?} {rows:?}");
                }
            }
        }
    }
}
