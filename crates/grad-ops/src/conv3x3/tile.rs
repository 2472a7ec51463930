//! Pieces of a feature map: some rows of all channels.

use crate::kernel::Real;

/// How the rows of a feature map are cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tiling {
    height: usize,
    width: usize,
    /// Rows of a tile; the last one may have fewer.
    pub(super) rows: usize,
    /// Number of tiles.
    pub(super) count: usize,
}

impl Tiling {
    /// Cuts a map into tiles of about so many pixels.
    pub(super) fn new(height: usize, width: usize, pixels: usize) -> Self {
        let rows = (pixels / width).clamp(1, height);
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

/// One tile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tile {
    height: usize,
    width: usize,
    top: usize,
    rows: usize,
}

impl Tile {
    /// Number of pixels.
    pub(super) fn pixels(self) -> usize {
        self.rows * self.width
    }

    /// Index of the first pixel in its channel.
    pub(super) fn start(self) -> usize {
        self.top * self.width
    }

    /// The tile with the rows above and below it, some of which may lie outside of the image.
    pub(super) fn bordered(self) -> Shifted {
        Shifted { tile: self, first: 0, rows: self.rows + 2 }
    }

    /// What a row of the kernel (0, 1 or 2) sees of the image.
    pub(super) fn seen_by(self, row: usize) -> Shifted {
        Shifted { tile: self, first: row, rows: self.rows }
    }

    /// Copies the tile of all channels of one image, `(channels, rows, width)`.
    pub(super) fn copy<T: Real>(self, map: &[T], mask: Option<&[T]>, to: &mut Vec<T>) {
        let plane = self.height * self.width;
        to.resize(map.len() / plane * self.pixels(), T::zero());
        for (channel, to) in to.chunks_exact_mut(self.pixels()).enumerate() {
            copy_masked(map, mask, channel * plane + self.start(), to);
        }
    }
}

/// Rows around a tile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shifted {
    tile: Tile,
    /// The first row; 0 is the one above the tile.
    first: usize,
    rows: usize,
}

impl Shifted {
    /// Elements of a channel.
    pub(super) fn size(self) -> usize {
        self.rows * self.tile.width
    }

    /// Copies the rows of all channels of one image, `(3, channels, rows, width)`: what lies to
    /// the left of each pixel, the pixel, and what lies to the right of it.
    pub(super) fn copy<T: Real>(self, map: &[T], mask: Option<&[T]>, to: &mut Vec<T>) {
        let Tile { height, width, top, .. } = self.tile;
        let part = map.len() / (height * width) * self.size();
        to.resize(3 * part, T::zero());
        let (left, rest) = to.split_at_mut(part);
        let (middle, right) = rest.split_at_mut(part);
        let rows = left
            .chunks_exact_mut(width)
            .zip(middle.chunks_exact_mut(width).zip(right.chunks_exact_mut(width)));
        for (index, (left, (middle, right))) in rows.enumerate() {
            let (channel, row) = (index / self.rows, top + self.first + index % self.rows);
            if row == 0 || row > height {
                middle.fill(T::zero());
            } else {
                copy_masked(map, mask, (channel * height + row - 1) * width, middle);
            }
            left[0] = T::zero();
            left[1..].copy_from_slice(&middle[..width - 1]);
            right[..width - 1].copy_from_slice(&middle[1..]);
            right[width - 1] = T::zero();
        }
    }
}

/// Copies elements, zeros where the mask is not positive.
fn copy_masked<T: Real>(from: &[T], mask: Option<&[T]>, start: usize, to: &mut [T]) {
    let from = &from[start..start + to.len()];
    match mask {
        None => to.copy_from_slice(from),
        Some(mask) => {
            for ((to, &x), &mask) in to.iter_mut().zip(from).zip(&mask[start..]) {
                *to = if mask <= T::zero() { T::zero() } else { x };
            }
        }
    }
}
