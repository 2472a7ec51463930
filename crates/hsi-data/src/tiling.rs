//! Tiles over an image of any size, and their blending back into one.

use std::f64::consts::FRAC_PI_2;

use ndarray::{Array2, Array3, ArrayView3, Axis, Zip, s};

use crate::error::{Error, Result};

/// A grid of overlapping square tiles that covers an image.
///
/// Along each axis the tiles are spread evenly, so neighbours overlap by at least the wanted
/// number of pixels and no tile reaches over the edge. An axis shorter than a tile has one tile,
/// which [`extract`](Self::extract) fills up by reflection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tiling {
    rows: usize,
    cols: usize,
    tile: usize,
    tiles: Vec<Tile>,
}

/// The part of an image that one tile is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// First row in the image.
    pub row: usize,
    /// First column in the image.
    pub col: usize,
    /// Rows within the image; fewer than the tile's size only if the image is smaller.
    pub rows: usize,
    /// Columns within the image.
    pub cols: usize,
    /// Pixels shared with the neighbours.
    pub overlap: Overlap,
}

/// Pixels that a tile shares with each neighbour; zero at the edges of the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overlap {
    /// Rows shared with the tile above.
    pub top: usize,
    /// Rows shared with the tile below.
    pub bottom: usize,
    /// Columns shared with the tile to the left.
    pub left: usize,
    /// Columns shared with the tile to the right.
    pub right: usize,
}

impl Tiling {
    /// Lays tiles of `tile` x `tile` pixels, overlapping by at least `overlap`, over an image.
    ///
    /// # Errors
    /// [`Error::Config`] if a size is zero or the overlap is not smaller than the tile.
    pub fn new(rows: usize, cols: usize, tile: usize, overlap: usize) -> Result<Self> {
        for (field, value) in [("rows", rows), ("cols", cols), ("tile", tile)] {
            if value == 0 {
                let reason = "a size should be at least one pixel";
                return Err(Error::Config { field, value: value.to_string(), reason });
            }
        }
        if overlap >= tile {
            let reason = "the overlap should be smaller than the tile";
            return Err(Error::Config { field: "overlap", value: overlap.to_string(), reason });
        }
        let across = spans(cols, tile, overlap);
        let tiles = spans(rows, tile, overlap)
            .into_iter()
            .flat_map(|down| across.iter().map(move |&across| Tile::new(down, across)))
            .collect();
        Ok(Self { rows, cols, tile, tiles })
    }

    /// The tiles, row by row.
    pub fn tiles(&self) -> &[Tile] {
        &self.tiles
    }

    /// Side of a tile in pixels.
    pub fn tile_size(&self) -> usize {
        self.tile
    }

    /// Copies a tile out of an image. What lies outside a small image is reflected at its last
    /// row and column (the edge itself is not repeated, as NumPy's `reflect`).
    ///
    /// # Shapes
    /// - `image`: `[bands, rows, cols]`
    /// - output: `[bands, tile, tile]`
    ///
    /// # Errors
    /// [`Error::Shape`] if the image is not of the tiling's size, [`Error::Window`] if the tile is
    /// of another tiling.
    pub fn extract(&self, image: ArrayView3<'_, f32>, tile: &Tile) -> Result<Array3<f32>> {
        let (bands, rows, cols) = image.dim();
        if (rows, cols) != (self.rows, self.cols) {
            let expected = vec![bands, self.rows, self.cols];
            return Err(Error::Shape { what: "image", expected, got: image.shape().to_vec() });
        }
        tile.check(rows, cols)?;
        let row_of: Vec<usize> = (0..self.tile).map(|i| reflect(i + tile.row, rows)).collect();
        let col_of: Vec<usize> = (0..self.tile).map(|i| reflect(i + tile.col, cols)).collect();
        let whole = tile.cols == self.tile;
        let mut out = Array3::zeros((bands, self.tile, self.tile));
        Zip::from(out.axis_iter_mut(Axis(0))).and(image.axis_iter(Axis(0))).par_for_each(
            |mut to, from| {
                for (mut to, &row) in to.axis_iter_mut(Axis(0)).zip(&row_of) {
                    let from = from.row(row);
                    if whole {
                        to.assign(&from.slice(s![tile.col..tile.col + tile.cols]));
                    } else {
                        to.iter_mut().zip(&col_of).for_each(|(to, &col)| *to = from[col]);
                    }
                }
            },
        );
        Ok(out)
    }
}

impl Tile {
    fn new(down: Span, across: Span) -> Self {
        let overlap = Overlap {
            top: down.before,
            bottom: down.after,
            left: across.before,
            right: across.after,
        };
        let (row, col, rows, cols) = (down.start, across.start, down.size, across.size);
        Self { row, col, rows, cols, overlap }
    }

    fn check(&self, rows: usize, cols: usize) -> Result<()> {
        for (axis, start, length, size) in
            [("rows", self.row, self.rows, rows), ("columns", self.col, self.cols, cols)]
        {
            let end = start.saturating_add(length);
            if length == 0 || end > size {
                return Err(Error::Window { axis, start, end, size });
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Span {
    start: usize,
    size: usize,
    before: usize,
    after: usize,
}

/// Spreads tiles over an axis.
fn spans(size: usize, tile: usize, overlap: usize) -> Vec<Span> {
    if size <= tile {
        return vec![Span { start: 0, size, before: 0, after: 0 }];
    }
    let steps = (size - tile).div_ceil(tile - overlap);
    let starts: Vec<usize> = (0..=steps).map(|i| i * (size - tile) / steps).collect();
    let shared = |i: usize| starts[i] + tile - starts[i + 1];
    (0..=steps)
        .map(|i| Span {
            start: starts[i],
            size: tile,
            before: if i > 0 { shared(i - 1) } else { 0 },
            after: if i < steps { shared(i) } else { 0 },
        })
        .collect()
}

/// Reflects an index that may lie beyond the end, over and over.
fn reflect(index: usize, size: usize) -> usize {
    let period = 2 * (size - 1);
    if period == 0 {
        return 0;
    }
    let index = index % period;
    if index < size { index } else { period - index }
}

/// Joins processed tiles into an image, fading from tile to tile.
///
/// The weight of a tile is a raised cosine over each overlap, which together with that of its
/// neighbour is one. The image is kept as the weighted mean of the tiles added so far, so the
/// weights sum to one also where three tiles meet along an axis, and tiles that agree give exactly
/// what they agree on. Memory: the image and one plane of weights.
#[derive(Clone, Debug)]
pub struct Blender {
    mean: Array3<f32>,
    weight: Array2<f32>,
}

impl Blender {
    /// An empty image.
    pub fn new(bands: usize, rows: usize, cols: usize) -> Self {
        Self { mean: Array3::zeros((bands, rows, cols)), weight: Array2::zeros((rows, cols)) }
    }

    /// Adds a processed tile; what lies beyond the edge of a small image is dropped.
    ///
    /// # Shapes
    /// - `samples`: `[bands, tile, tile]`, or larger than `tile.rows` x `tile.cols` anyhow
    ///
    /// # Errors
    /// [`Error::Shape`] if the samples do not fill the tile, [`Error::Window`] if the tile does
    /// not lie in the image.
    pub fn add(&mut self, tile: &Tile, samples: ArrayView3<'_, f32>) -> Result<()> {
        let (bands, rows, cols) = self.mean.dim();
        tile.check(rows, cols)?;
        let got = samples.dim();
        if got.0 != bands || got.1 < tile.rows || got.2 < tile.cols {
            let expected = vec![bands, tile.rows, tile.cols];
            return Err(Error::Shape { what: "tile", expected, got: samples.shape().to_vec() });
        }
        let down = ramp(tile.rows, tile.overlap.top, tile.overlap.bottom);
        let across = ramp(tile.cols, tile.overlap.left, tile.overlap.right);
        let window = s![tile.row..tile.row + tile.rows, tile.col..tile.col + tile.cols];
        // The share of this tile in the mean of all tiles up to it.
        let mut total = self.weight.slice_mut(window);
        let share = Array2::from_shape_fn((tile.rows, tile.cols), |(r, c)| {
            let weight = (down[r] * across[c]) as f32;
            total[[r, c]] += weight;
            weight / total[[r, c]]
        });
        let samples = samples.slice(s![.., ..tile.rows, ..tile.cols]);
        Zip::from(self.mean.axis_iter_mut(Axis(0))).and(samples.axis_iter(Axis(0))).par_for_each(
            |mut band, samples| {
                Zip::from(band.slice_mut(window))
                    .and(samples)
                    .and(&share)
                    .for_each(|mean, &sample, &share| *mean += share * (sample - *mean));
            },
        );
        Ok(())
    }

    /// The image.
    ///
    /// # Shapes
    /// - output: `[bands, rows, cols]`
    ///
    /// # Errors
    /// [`Error::Uncovered`] if a pixel belongs to no tile that was added.
    pub fn finish(self) -> Result<Array3<f32>> {
        let pixels = self.weight.iter().filter(|&&w| w <= 0.0).count();
        if pixels > 0 {
            return Err(Error::Uncovered { pixels, total: self.weight.len() });
        }
        Ok(self.mean)
    }
}

/// Weights along one axis of a tile: rising over `before`, one, falling over `after`.
fn ramp(size: usize, before: usize, after: usize) -> Vec<f64> {
    let rise = |k: usize, length: usize| {
        if k >= length {
            return 1.0;
        }
        (FRAC_PI_2 * (k as f64 + 0.5) / length as f64).sin().powi(2)
    };
    (0..size).map(|i| rise(i, before) * rise(size - 1 - i, after)).collect()
}
