//! The median filter in three dimensions.
//!
//! The cube is cut into tiles. The values of a tile and of its border are replaced by their ranks,
//! so that a window is a set of ranks; sliding it by one voxel exchanges one face of the window,
//! and the median is looked for near where it was.

use std::fmt;
use std::str::FromStr;

use ndarray::{Array3, ArrayView3, ArrayViewMut3, Axis};
use rayon::prelude::*;

use crate::denoiser::ensure_usable;
use crate::options::{Method, Setting};
use crate::rank_set::RankSet;
use crate::{Denoiser, Error, Result};

/// Largest extent of a window along an axis.
const MAX_EXTENT: usize = 255;
/// How a window is written.
const FORM: &str = "median[:ROWSxCOLSxBANDS]";
/// Extents of a tile across the direction of sliding.
const TILE: usize = 16;
/// Extent of a tile along the direction of sliding.
const RUN: usize = 256;

/// Replaces every value by the median of a window of `rows` x `cols` x `bands` around it.
///
/// Beyond its edges the cube is mirrored with the edge value repeated (`d c b a | a b c d`), as
/// often as the window asks for. Same as `scipy.ndimage.median_filter(cube, size=(bands, rows,
/// cols), mode="reflect")`.
///
/// # Examples
/// ```
/// use hsi_baselines::{Denoiser, MedianFilter};
///
/// let mut cube = ndarray::Array3::from_elem((9, 8, 8), 0.5_f32);
/// cube[[4, 3, 2]] = 1.0;
/// let median = MedianFilter { bands: 1, ..MedianFilter::default() };
/// assert_eq!(median.denoise(cube.view())?[[4, 3, 2]], 0.5);
/// # Ok::<(), hsi_baselines::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MedianFilter {
    /// Rows of the window, odd, at most 255.
    pub rows: usize,
    /// Columns of the window, odd, at most 255.
    pub cols: usize,
    /// Bands of the window, odd, at most 255.
    pub bands: usize,
}

impl Default for MedianFilter {
    /// Returns the window of 5 x 5 pixels and 9 bands.
    fn default() -> Self {
        Self { rows: 5, cols: 5, bands: 9 }
    }
}

impl MedianFilter {
    /// Checks that every extent of the window is odd and at most 255.
    ///
    /// # Errors
    /// [`Error::Window`] names the first extent that is not.
    pub fn validate(&self) -> Result<()> {
        for (axis, got) in [("rows", self.rows), ("cols", self.cols), ("bands", self.bands)] {
            if got % 2 == 0 || got > MAX_EXTENT {
                return Err(Error::Window { axis, max: MAX_EXTENT, got });
            }
        }
        Ok(())
    }
}

impl fmt::Display for MedianFilter {
    /// Writes the window as `ROWSxCOLSxBANDS`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.rows, self.cols, self.bands)
    }
}

impl FromStr for MedianFilter {
    type Err = Error;

    /// Reads a window written `ROWSxCOLSxBANDS` and validates it.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::Parameters {
            baseline: Self::NAME,
            form: FORM.to_owned(),
            got: text.to_owned(),
        };
        let extents: Vec<usize> = text
            .split(['x', 'X'])
            .map(|extent| extent.trim().parse().map_err(|_| wrong()))
            .collect::<Result<_>>()?;
        let [rows, cols, bands] = extents[..] else {
            return Err(wrong());
        };
        let filter = Self { rows, cols, bands };
        filter.validate()?;
        Ok(filter)
    }
}

impl Method for MedianFilter {
    const NAME: &'static str = "median";
    const ABOUT: &'static str = "median of a window of pixels and bands";

    fn settings(&mut self) -> Vec<(&'static str, &mut dyn Setting)> {
        vec![("rows", &mut self.rows), ("cols", &mut self.cols), ("bands", &mut self.bands)]
    }

    fn check(&self) -> Result<()> {
        self.validate()
    }

    fn read_bare(&mut self, text: &str) -> Result<bool> {
        *self = text.parse()?;
        Ok(true)
    }
}

impl Denoiser for MedianFilter {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn denoise(&self, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        self.validate()?;
        ensure_usable(noisy)?;
        let mut filtered = Array3::zeros(noisy.dim());
        let window = [self.bands, self.rows, self.cols];
        let axes = axes_sliding_last(window, noisy.shape());
        let window = axes.map(|axis| window[axis]);
        let noisy = noisy.permuted_axes(axes);
        let tiles = into_tiles(filtered.view_mut().permuted_axes(axes));
        tiles.into_par_iter().for_each(|(origin, tile)| filter_tile(noisy, window, origin, tile));
        Ok(filtered)
    }
}

/// Returns the axes with the one last along which sliding costs least.
///
/// A step exchanges one face of the window, a start fills it whole.
fn axes_sliding_last(window: [usize; 3], shape: &[usize]) -> [usize; 3] {
    let cost = |axis: usize| 1.0 / window[axis] as f64 + 1.0 / shape[axis].min(RUN) as f64;
    let orders = [[1, 2, 0], [0, 2, 1], [0, 1, 2]];
    let mut best = orders[0];
    for order in orders {
        if cost(order[2]) < cost(best[2]) {
            best = order;
        }
    }
    best
}

type Tile<'a> = ([usize; 3], ArrayViewMut3<'a, f32>);

/// Cuts an array into tiles, each with its origin.
fn into_tiles(array: ArrayViewMut3<'_, f32>) -> Vec<Tile<'_>> {
    let mut tiles: Vec<Tile<'_>> = vec![([0; 3], array)];
    for (axis, extent) in [TILE, TILE, RUN].into_iter().enumerate() {
        let mut cut = Vec::new();
        for (mut origin, mut rest) in tiles {
            while rest.len_of(Axis(axis)) > extent {
                let (tile, tail) = rest.split_at(Axis(axis), extent);
                cut.push((origin, tile));
                rest = tail;
                origin[axis] += extent;
            }
            cut.push((origin, rest));
        }
        tiles = cut;
    }
    tiles
}

/// Fills one tile of the result.
fn filter_tile(
    noisy: ArrayView3<'_, f32>,
    window: [usize; 3],
    origin: [usize; 3],
    mut tile: ArrayViewMut3<'_, f32>,
) {
    // The values in the reach of the tile, mirrored beyond the edges, each with its place.
    let sources: [Vec<usize>; 3] = std::array::from_fn(|axis| {
        let length = noisy.len_of(Axis(axis));
        let reach = tile.len_of(Axis(axis)) + window[axis] - 1;
        // The first source is `window / 2` before the origin; one period of the mirrored
        // sequence, often enough, keeps the number from falling below zero.
        let start = origin[axis] + window[axis] * 2 * length - window[axis] / 2;
        (start..start + reach).map(|index| mirror(index, length)).collect()
    });
    let mut sorted = Vec::with_capacity(sources.iter().map(Vec::len).product());
    for &i in &sources[0] {
        let plane = noisy.index_axis(Axis(0), i);
        for &j in &sources[1] {
            let line = plane.row(j);
            for &k in &sources[2] {
                sorted.push(u64::from(ascending(line[k])) << 32 | sorted.len() as u64);
            }
        }
    }
    sorted.sort_unstable();
    let mut ranks = vec![0; sorted.len()];
    for (rank, &entry) in sorted.iter().enumerate() {
        ranks[entry as u32 as usize] = rank as u32;
    }

    let middle = window.iter().product::<usize>() / 2;
    let (across, along) = (sources[1].len(), sources[2].len());
    let mut set = RankSet::new(ranks.len());
    let mut lines: Vec<&[u32]> = Vec::with_capacity(window[0] * window[1]);
    for (i, mut plane) in tile.outer_iter_mut().enumerate() {
        for (j, line) in plane.outer_iter_mut().enumerate() {
            lines.clear();
            for row in i..i + window[0] {
                for col in j..j + window[1] {
                    let start = (row * across + col) * along;
                    lines.push(&ranks[start..start + along]);
                }
            }
            set.clear();
            for line in &lines {
                line[..window[2]].iter().for_each(|&rank| set.insert(rank));
            }
            for (k, value) in line.into_iter().enumerate() {
                if k > 0 {
                    for line in &lines {
                        set.remove(line[k - 1]);
                        set.insert(line[k - 1 + window[2]]);
                    }
                }
                *value = from_ascending((sorted[set.select(middle)] >> 32) as u32);
            }
        }
    }
}

/// Returns the place of an index in a sequence that is mirrored with its ends repeated.
fn mirror(index: usize, length: usize) -> usize {
    let place = index % (2 * length);
    if place < length { place } else { 2 * length - 1 - place }
}

/// Maps finite numbers to integers in the same order.
fn ascending(x: f32) -> u32 {
    let bits = x.to_bits();
    if bits >> 31 == 0 { bits | 1 << 31 } else { !bits }
}

/// The inverse of [`ascending`].
fn from_ascending(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 0 { !key } else { key & !(1 << 31) })
}
