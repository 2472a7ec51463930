//! Transforms of blocks of 8 x 8 pixels, and the tables of all transformed blocks of a strip.

use std::array;
use std::ops::Range;

use ndarray::ArrayView2;

/// Extent of a block.
pub(crate) const SIDE: usize = 8;
/// Pixels of a block.
pub(crate) const AREA: usize = SIDE * SIDE;

/// A block or its coefficients, row by row.
pub(crate) type Block = [f32; AREA];
type Matrix = [[f32; SIDE]; SIDE];

/// A separable transform of blocks: `T B T'`, and its inverse.
#[derive(Debug, Clone)]
pub(crate) struct Transform {
    forward: Matrix,
    inverse: Matrix,
}

impl Transform {
    /// Returns the orthonormal discrete cosine transform of type II.
    pub(crate) fn cosine() -> Self {
        let n = SIDE as f64;
        let forward: [[f64; SIDE]; SIDE] = array::from_fn(|k| {
            let scale = if k == 0 { (1.0 / n).sqrt() } else { (2.0 / n).sqrt() };
            array::from_fn(|i| {
                scale * (std::f64::consts::PI * (i as f64 + 0.5) * k as f64 / n).cos()
            })
        });
        let inverse = array::from_fn(|i| array::from_fn(|k| forward[k][i]));
        Self { forward: narrow(&forward), inverse: narrow(&inverse) }
    }

    /// Returns the periodised biorthogonal wavelet transform bior1.5 of three levels, every row
    /// scaled to unit norm.
    pub(crate) fn biorthogonal() -> Self {
        // The synthesis of bior1.5, which is short on its low band: each level maps a low band of
        // n and details of n to 2n samples. The low-pass analysis filter of 10 taps and its dual.
        const LONG: [f64; 5] = [3.0 / 128.0, -3.0 / 128.0, -22.0 / 128.0, 22.0 / 128.0, 1.0];
        let half = std::f64::consts::FRAC_1_SQRT_2;
        let mut forward = [[0.0; SIDE]; SIDE];
        let mut low: Vec<[f64; SIDE]> =
            (0..SIDE).map(|i| array::from_fn(|j| f64::from(u8::from(i == j)))).collect();
        let mut row = SIDE;
        while low.len() > 1 {
            let n = low.len();
            let detail =
                (0..n / 2).map(|k| array::from_fn(|j| half * (low[2 * k][j] - low[2 * k + 1][j])));
            row -= n / 2;
            for (offset, detail) in detail.enumerate() {
                forward[row + offset] = detail;
            }
            low = (0..n / 2)
                .map(|k| {
                    array::from_fn(|j| {
                        // Taps 0..5 run from the fourth sample before the pair, 5..10 mirror them.
                        let tap = |m: usize| if m < 5 { LONG[m] } else { LONG[9 - m] };
                        (0..10).map(|m| half * tap(m) * low[(2 * k + m + 5 * n - 4) % n][j]).sum()
                    })
                })
                .collect();
        }
        forward[0] = low[0];
        for row in &mut forward {
            let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            *row = row.map(|x| x / norm);
        }
        Self { forward: narrow(&forward), inverse: narrow(&inverse(&forward)) }
    }

    /// Returns the coefficients of one block.
    #[cfg(test)]
    pub(crate) fn forward(&self, block: &Block) -> Block {
        sandwich(&self.forward, block)
    }

    /// Returns the block with these coefficients.
    pub(crate) fn inverse(&self, coefficients: &Block) -> Block {
        sandwich(&self.inverse, coefficients)
    }
}

/// Returns `M B M'`.
#[inline]
fn sandwich(matrix: &Matrix, block: &Block) -> Block {
    let mut half = [0.0; AREA]; // M B
    for (row, out) in matrix.iter().zip(half.chunks_exact_mut(SIDE)) {
        for (&m, line) in row.iter().zip(block.chunks_exact(SIDE)) {
            out.iter_mut().zip(line).for_each(|(out, &x)| *out += m * x);
        }
    }
    let mut whole = [0.0; AREA]; // (M B) M'
    for (line, out) in half.chunks_exact(SIDE).zip(whole.chunks_exact_mut(SIDE)) {
        for (k, &x) in line.iter().enumerate() {
            for (out, row) in out.iter_mut().zip(matrix) {
                *out += x * row[k];
            }
        }
    }
    whole
}

fn narrow(matrix: &[[f64; SIDE]; SIDE]) -> Matrix {
    matrix.map(|row| row.map(|x| x as f32))
}

/// Inverts a matrix by Gauss-Jordan elimination with row exchange.
fn inverse(matrix: &[[f64; SIDE]; SIDE]) -> [[f64; SIDE]; SIDE] {
    let mut a = *matrix;
    let mut b: [[f64; SIDE]; SIDE] =
        array::from_fn(|i| array::from_fn(|j| f64::from(u8::from(i == j))));
    for k in 0..SIDE {
        let pivot = (k..SIDE).fold(k, |p, i| if a[i][k].abs() > a[p][k].abs() { i } else { p });
        a.swap(k, pivot);
        b.swap(k, pivot);
        let scale = 1.0 / a[k][k];
        a[k].iter_mut().chain(&mut b[k]).for_each(|x| *x *= scale);
        let (row_a, row_b) = (a[k], b[k]);
        for i in (0..SIDE).filter(|&i| i != k) {
            let factor = a[i][k];
            a[i].iter_mut().zip(row_a).for_each(|(x, y)| *x -= factor * y);
            b[i].iter_mut().zip(row_b).for_each(|(x, y)| *x -= factor * y);
        }
    }
    b
}

/// The coefficients of every block of a strip of an image.
#[derive(Debug)]
pub(crate) struct Table {
    /// First row of the first blocks.
    top: usize,
    /// Blocks in a row.
    across: usize,
    blocks: Vec<Block>,
}

impl Table {
    /// Transforms the blocks whose first row lies in `rows`; the image is at least 8 x 8.
    pub(crate) fn new(image: ArrayView2<'_, f32>, rows: Range<usize>, with: &Transform) -> Self {
        let across = image.ncols() - SIDE + 1;
        let top = rows.start;
        // Rows of the image are transformed once, then shared by the eight blocks above each
        // other that hold them.
        let lines: Vec<[f32; SIDE]> = (top..rows.end + SIDE - 1)
            .flat_map(|row| {
                let row = image.row(row);
                (0..across).map(move |col| {
                    let mut line = [0.0; SIDE];
                    for k in 0..SIDE {
                        let x = row[col + k];
                        for (out, matrix) in line.iter_mut().zip(&with.forward) {
                            *out += matrix[k] * x;
                        }
                    }
                    line
                })
            })
            .collect();
        let mut blocks = Vec::with_capacity(rows.len() * across);
        for row in 0..rows.len() {
            for col in 0..across {
                let mut block = [0.0; AREA];
                for k in 0..SIDE {
                    let line = &lines[(row + k) * across + col];
                    for (out, matrix) in block.chunks_exact_mut(SIDE).zip(&with.forward) {
                        let m = matrix[k];
                        out.iter_mut().zip(line).for_each(|(out, &x)| *out += m * x);
                    }
                }
                blocks.push(block);
            }
        }
        Self { top, across, blocks }
    }

    /// Returns the blocks in a row.
    pub(crate) fn across(&self) -> usize {
        self.across
    }

    /// Returns the rows in which blocks start.
    pub(crate) fn rows(&self) -> Range<usize> {
        self.top..self.top + self.blocks.len() / self.across
    }

    /// Returns the blocks of one row, from the left.
    pub(crate) fn row(&self, row: usize) -> &[Block] {
        let start = (row - self.top) * self.across;
        &self.blocks[start..start + self.across]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transforms_are_inverted() {
        let block: Block = array::from_fn(|i| (i as f32 * 0.37).sin());
        for transform in [Transform::cosine(), Transform::biorthogonal()] {
            let back = transform.inverse(&transform.forward(&block));
            for (x, y) in block.iter().zip(back) {
                assert!((x - y).abs() < 1e-5, "{x} {y}");
            }
        }
    }

    #[test]
    fn the_biorthogonal_matrix_is_that_of_pywavelets() {
        // Rows 1 and 2 of `pywt.wavedec(I, "bior1.5", "periodization", 3)`, scaled to unit norm.
        let second = [0.21942, 0.44928, 0.44928, 0.21942];
        let third = [0.56936, 0.40235, -0.40235, -0.56936, -0.08351, 0.08351, -0.08351, 0.08351];
        let matrix = Transform::biorthogonal().forward;
        for j in 0..4 {
            assert!((matrix[1][j] - second[j]).abs() < 1e-5, "{:?}", matrix[1]);
            assert!((matrix[1][j + 4] + second[j]).abs() < 1e-5, "{:?}", matrix[1]);
        }
        for j in 0..8 {
            assert!((matrix[2][j] - third[j]).abs() < 1e-5, "{:?}", matrix[2]);
        }
    }

    #[test]
    fn a_table_holds_the_transform_of_each_block() {
        let image = ndarray::Array2::from_shape_fn((12, 11), |(r, c)| ((r * 11 + c) as f32).cos());
        let transform = Transform::biorthogonal();
        let table = Table::new(image.view(), 1..5, &transform);
        assert_eq!((table.rows(), table.across()), (1..5, 4));
        for (row, col) in [(1, 0), (2, 3), (4, 2)] {
            let block: Block = array::from_fn(|i| image[[row + i / SIDE, col + i % SIDE]]);
            let expected = transform.forward(&block);
            for (x, y) in table.row(row)[col].iter().zip(expected) {
                assert!((x - y).abs() < 1e-5, "{x} {y}");
            }
        }
    }
}
