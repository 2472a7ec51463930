//! The product with a packed matrix, one unpacked panel after the other.
//!
//! The target is cut into pieces of some rows and columns; how, depends on its shape only. A piece
//! is the sum, in a fixed order, of the products with the panels above its columns.

use std::ops::Range;

use rayon::prelude::*;

use super::PackedWeight;
use crate::Result;
use crate::kernel::Real;
use crate::kernel::gemm::Mat;
use crate::kernel::tiles::tiles;

/// What the columns of the target belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The product with the transposed matrix: the columns are the matrix's rows.
    Outputs,
    /// The product with the matrix itself.
    Inputs,
}

/// Adds the product of `xs`, `(rows, depth)`, with the matrix or its transpose to `target`.
pub(super) fn product<T: Real>(
    weight: &dyn PackedWeight,
    side: Side,
    xs: &[T],
    (rows, depth): (usize, usize),
    target: &mut [T],
) -> Result<()> {
    let shape = weight.shape();
    let width = if side == Side::Outputs { shape.0 } else { shape.1 };
    let xs = Mat::new(xs, rows, depth);
    let plan = Plan::new(rows, width);
    let tiles = tiles(target, width, (rows, width), plan.tile);
    tiles.into_par_iter().try_for_each_init(Scratch::default, |scratch, mut tile| {
        for start in (0..depth).step_by(plan.depth) {
            let sums = start..(start + plan.depth).min(depth);
            let panel = scratch.unpack(weight, side, tile.cols(), sums.clone())?;
            tile.product(true, xs.part(tile.rows(), sums), panel);
        }
        Ok(())
    })
}

/// Room for a panel.
#[derive(Default)]
struct Scratch<T> {
    panel: Vec<T>,
    packed: Vec<f32>,
}

impl<T: Real> Scratch<T> {
    /// The panel by which a piece of the product is multiplied: `sums.len()` rows and
    /// `cols.len()` columns.
    fn unpack(
        &mut self,
        weight: &dyn PackedWeight,
        side: Side,
        cols: Range<usize>,
        sums: Range<usize>,
    ) -> Result<Mat<'_, T>> {
        let (rows, cols) = match side {
            Side::Outputs => (cols, sums),
            Side::Inputs => (sums, cols),
        };
        let shape = (rows.len(), cols.len());
        self.panel.resize(shape.0 * shape.1, T::zero());
        T::from_single(&mut self.panel, &mut self.packed, |out| weight.unpack(rows, cols, out))?;
        let panel = Mat::new(&self.panel, shape.0, shape.1);
        Ok(if side == Side::Outputs { panel.t() } else { panel })
    }
}

/// How a product is cut.
struct Plan {
    /// Rows and columns of a piece of the target.
    tile: (usize, usize),
    /// Terms of a sum that are unpacked together.
    depth: usize,
}

impl Plan {
    /// About this many pieces are made of a large product.
    const PIECES: usize = 16;
    /// Rows for which unpacking a panel once more costs little.
    const ROWS: usize = 256;

    fn new(rows: usize, width: usize) -> Self {
        // With few rows a panel is used few times: it should stay in the first-level cache.
        let (cols, depth) = if rows <= 8 { (16, 512) } else { (128, 512) };
        let down = Self::PIECES.div_ceil(width.div_ceil(cols)).min(rows.div_ceil(Self::ROWS));
        let tile = (rows.div_ceil(down.max(1)).next_multiple_of(8), cols);
        Self { tile, depth }
    }
}
