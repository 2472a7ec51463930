//! Pieces of a feature map: some rows of all channels.

use crate::kernel::Real;

/// How the rows of a feature map are cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tiling {
    /// Rows of the map.
    pub(super) height: usize,
    /// Columns of the map.
    pub(super) width: usize,
    /// Rows of a tile; the last one may have fewer.
    pub(super) rows: usize,
    /// Number of tiles.
    pub(super) count: usize,
}

impl Tiling {
    /// About this many pixels make a tile.
    const PIXELS: usize = 640;

    pub(super) fn new(height: usize, width: usize) -> Self {
        let rows = (Self::PIXELS / (width + 2)).clamp(1, height);
        let rows = height.div_ceil(height.div_ceil(rows));
        Self { height, width, rows, count: height.div_ceil(rows) }
    }

    /// The tile of this index.
    pub(super) fn tile(self, index: usize) -> Tile {
        let top = index * self.rows;
        let rows = self.rows.min(self.height - top);
        Tile { height: self.height, width: self.width, top, rows }
    }
}

/// One tile. Its rows lie `width + 2` apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tile {
    height: usize,
    width: usize,
    top: usize,
    /// Number of rows.
    pub(super) rows: usize,
}

impl Tile {
    /// Distance of two rows.
    pub(super) fn pitch(self) -> usize {
        self.width + 2
    }

    /// Pixels from the first to the last, with those between the rows.
    pub(super) fn pixels(self) -> usize {
        self.rows * self.pitch() - 2
    }

    /// Size of a channel with its border.
    pub(super) fn bordered(self) -> usize {
        (self.rows + 2) * self.pitch()
    }

    /// Where a tap of the kernel begins in a channel with its border.
    pub(super) fn offset(self, tap: usize) -> usize {
        tap / 3 * self.pitch() + tap % 3
    }

    /// Copies the tile of all channels of one image with a border of what lies around it.
    pub(super) fn copy_bordered<T: Real>(self, map: &[T], mask: Option<&[T]>, to: &mut Vec<T>) {
        let plane = self.height * self.width;
        to.clear();
        for channel in (0..map.len()).step_by(plane) {
            for row in self.top..self.top + self.rows + 2 {
                if row == 0 || row > self.height {
                    to.resize(to.len() + self.pitch(), T::zero());
                } else {
                    to.push(T::zero());
                    self.copy_row(map, mask, channel + (row - 1) * self.width, to);
                    to.push(T::zero());
                }
            }
        }
    }

    /// Copies the tile of all channels of one image with zeros between the rows.
    pub(super) fn copy_gapped<T: Real>(self, map: &[T], mask: Option<&[T]>, to: &mut Vec<T>) {
        let plane = self.height * self.width;
        to.clear();
        for channel in (0..map.len()).step_by(plane) {
            for row in self.top..self.top + self.rows {
                self.copy_row(map, mask, channel + row * self.width, to);
                if row + 1 < self.top + self.rows {
                    to.extend([T::zero(); 2]);
                }
            }
        }
    }

    /// Appends a row, with zeros where the mask is not positive.
    fn copy_row<T: Real>(self, map: &[T], mask: Option<&[T]>, start: usize, to: &mut Vec<T>) {
        let row = &map[start..start + self.width];
        match mask {
            None => to.extend_from_slice(row),
            Some(mask) => {
                let mask = &mask[start..start + self.width];
                to.extend(row.iter().zip(mask).map(
                    |(&x, &mask)| {
                        if mask <= T::zero() { T::zero() } else { x }
                    },
                ));
            }
        }
    }
}
