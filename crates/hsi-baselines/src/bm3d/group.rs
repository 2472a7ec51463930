//! Groups of similar blocks: how they are found, and the transform along them.

use super::block::{AREA, Block, Table};

/// Blocks that resemble a reference block, most similar first.
#[derive(Debug, Default)]
pub(crate) struct Matches {
    /// Squared distance, row and column.
    found: Vec<(f32, u32, u32)>,
}

impl Matches {
    /// Looks for at most `most` blocks of a table within `reach` rows and columns of a reference
    /// whose mean squared difference from it is below `limit`.
    ///
    /// The reference is the first of them. Of equally similar blocks the upper left comes first.
    /// The number that is kept is a power of two.
    pub(crate) fn search(
        &mut self,
        table: &Table,
        reference: (usize, usize),
        reach: usize,
        limit: f32,
        most: usize,
    ) -> &[(f32, u32, u32)] {
        let (row, col) = reference;
        let wanted = &table.row(row)[col];
        self.found.clear();
        self.found.push((0.0, row as u32, col as u32));
        let mut limit = if most > 1 { limit * AREA as f32 } else { 0.0 };
        let rows = table.rows();
        let cols = col.saturating_sub(reach)..(col + reach + 1).min(table.across());
        for r in row.saturating_sub(reach).max(rows.start)..(row + reach + 1).min(rows.end) {
            let line = &table.row(r)[cols.clone()];
            for (c, candidate) in cols.clone().zip(line) {
                let Some(distance) = distance_below(wanted, candidate, limit) else { continue };
                if (r, c) == reference {
                    continue;
                }
                if self.found.len() == most {
                    self.found.pop();
                }
                let place = self.found[1..].partition_point(|other| other.0 <= distance) + 1;
                self.found.insert(place, (distance, r as u32, c as u32));
                if self.found.len() == most {
                    limit = limit.min(self.found[most - 1].0);
                }
            }
        }
        self.found.truncate(1 << self.found.len().ilog2());
        &self.found
    }
}

/// Returns the squared distance of two blocks if it is below a limit.
#[inline]
fn distance_below(a: &Block, b: &Block, limit: f32) -> Option<f32> {
    // Most candidates are ruled out by their first quarter.
    const FIRST: usize = AREA / 4;
    let first = squared_distance(&a[..FIRST], &b[..FIRST]);
    if first >= limit {
        return None;
    }
    let distance = first + squared_distance(&a[FIRST..], &b[FIRST..]);
    (distance < limit).then_some(distance)
}

#[inline]
fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for i in 0..8 {
            let d = a[i] - b[i];
            lanes[i] += d * d;
        }
    }
    ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5]))
        + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]))
}

/// Applies the orthonormal Haar transform along a group of `2^n` blocks in place.
pub(crate) fn haar(group: &mut [Block], scratch: &mut Vec<Block>) {
    let mut n = group.len();
    while n > 1 {
        n /= 2;
        scratch.clear();
        scratch.extend_from_slice(&group[..2 * n]);
        for (i, pair) in scratch.chunks_exact(2).enumerate() {
            for k in 0..AREA {
                let (x, y) = (pair[0][k], pair[1][k]);
                group[i][k] = (x + y) * std::f32::consts::FRAC_1_SQRT_2;
                group[n + i][k] = (x - y) * std::f32::consts::FRAC_1_SQRT_2;
            }
        }
    }
}

/// Inverts [`haar`].
pub(crate) fn inverse_haar(group: &mut [Block], scratch: &mut Vec<Block>) {
    let mut n = 1;
    while n < group.len() {
        scratch.clear();
        scratch.extend_from_slice(&group[..2 * n]);
        for i in 0..n {
            for k in 0..AREA {
                let (low, high) = (scratch[i][k], scratch[n + i][k]);
                group[2 * i][k] = (low + high) * std::f32::consts::FRAC_1_SQRT_2;
                group[2 * i + 1][k] = (low - high) * std::f32::consts::FRAC_1_SQRT_2;
            }
        }
        n *= 2;
    }
}

#[cfg(test)]
mod tests {
    use std::array;

    use super::super::block::{SIDE, Transform};
    use super::*;

    #[test]
    fn haar_is_orthonormal_and_inverted() {
        for n in [1, 2, 8, 32] {
            let group: Vec<Block> =
                (0..n).map(|i| array::from_fn(|k| ((i * AREA + k) as f32).sin())).collect();
            let mut moved = group.clone();
            let mut scratch = Vec::new();
            haar(&mut moved, &mut scratch);
            let energy = |group: &[Block]| group.iter().flatten().map(|x| x * x).sum::<f32>();
            assert!((energy(&moved) / energy(&group) - 1.0).abs() < 1e-5);
            inverse_haar(&mut moved, &mut scratch);
            for (x, y) in group.iter().flatten().zip(moved.iter().flatten()) {
                assert!((x - y).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn the_search_is_an_exhaustive_one() {
        let image = ndarray::Array2::from_shape_fn((30, 27), |(r, c)| {
            ((r / 3 * 7 + c / 4 * 5) % 11) as f32 * 0.1
        });
        let table = Table::new(image.view(), 0..30 - SIDE + 1, &Transform::cosine());
        for (limit, most) in [(0.05, 16), (1.0, 32), (1e-6, 16), (0.08, 1)] {
            for reference in [(0_usize, 0_usize), (11, 9), (22, 19)] {
                let mut all = Vec::new();
                for r in reference.0.saturating_sub(6)..(reference.0 + 7).min(23) {
                    for c in reference.1.saturating_sub(6)..(reference.1 + 7).min(20) {
                        let (a, b) = (&table.row(reference.0)[reference.1], &table.row(r)[c]);
                        let d: f32 = a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum();
                        if d < limit * AREA as f32 && (r, c) != reference {
                            all.push(d);
                        }
                    }
                }
                all.push(0.0);
                all.sort_by(f32::total_cmp);
                all.truncate(1 << all.len().min(most).ilog2());
                let mut matches = Matches::default();
                let found = matches.search(&table, reference, 6, limit, most);
                assert_eq!(found.len(), all.len());
                assert_eq!((found[0].1 as usize, found[0].2 as usize), reference);
                for (found, expected) in found.iter().zip(all) {
                    assert!((found.0 - expected).abs() < 1e-4);
                }
            }
        }
    }
}
