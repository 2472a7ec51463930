//! Percentile normalisation: one affine map for a whole cube.

use ndarray::parallel::prelude::*;
use ndarray::{ArrayView2, ArrayView3, ArrayViewMut3, Axis, Zip};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Bins of the first count: the upper half of the bits of a value.
const BINS: usize = 1 << 16;
/// Ranges narrower than this count as this wide.
const MIN_RANGE: f64 = 1e-12;

/// The map of a cube to [0, 1] between two of its percentiles, the same for every band.
///
/// ```text
/// y = (clamp(x, low, high) - low) / max(high - low, 1e-12)        x = low + y (high - low)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PercentileRange {
    /// The value that becomes 0.
    pub low: f64,
    /// The value that becomes 1.
    pub high: f64,
}

impl PercentileRange {
    /// The published percentiles.
    pub const PUBLISHED: (f64, f64) = (1.0, 99.0);

    /// The range between two percentiles of all values of a cube, 0 to 100.
    ///
    /// With the values sorted, percentile `q` of `n` values is at the fractional index
    /// `q / 100 (n - 1)`, interpolated linearly, as `numpy.percentile` has it. The values are
    /// counted, not sorted.
    ///
    /// # Shapes
    /// - `cube`: `[bands, rows, cols]`
    /// - `missing`: `[rows, cols]`, `true` where a pixel is left out
    ///
    /// # Errors
    /// [`Error::Setting`] unless `0 <= low < high <= 100`, [`Error::NotFinite`], [`Error::Shape`]
    /// if the mask does not fit or no pixel is left.
    pub fn of(
        cube: ArrayView3<'_, f32>,
        missing: Option<ArrayView2<'_, bool>>,
        (low, high): (f64, f64),
    ) -> Result<Self> {
        if !(0.0 <= low && low < high && high <= 100.0) {
            let expected = "two numbers from 0 to 100, the first below the second";
            return Err(Error::setting("percentiles", expected, format!("{low}, {high}")));
        }
        let (bands, rows, cols) = cube.dim();
        if let Some(mask) = missing.as_ref().filter(|mask| mask.dim() != (rows, cols)) {
            return Err(Error::Shape {
                what: "the mask",
                expected: format!("{rows} x {cols} pixels"),
                got: mask.shape().to_vec(),
            });
        }
        let left_out = missing.as_ref().map_or(0, |mask| mask.iter().filter(|&&m| m).count());
        let n = bands * (rows * cols - left_out);
        if n == 0 {
            return Err(Error::Shape {
                what: "the cube",
                expected: "one value or more".to_owned(),
                got: cube.shape().to_vec(),
            });
        }
        let values = Values { cube, missing };
        let count = values.count_not_finite();
        if count > 0 {
            return Err(Error::NotFinite { what: "the cube", count });
        }
        let places = [low, high].map(|q| q / 100.0 * (n - 1) as f64);
        let ranks = places.map(|place| [place.floor() as usize, place.ceil() as usize]);
        let found = values.of_ranks([ranks[0][0], ranks[0][1], ranks[1][0], ranks[1][1]]);
        let at = |i: usize| {
            let (below, above) = (f64::from(found[2 * i]), f64::from(found[2 * i + 1]));
            below + (above - below) * places[i].fract()
        };
        Ok(Self { low: at(0), high: at(1) })
    }

    /// Maps a cube to [0, 1]; what lies outside the range is clamped.
    ///
    /// # Shapes
    /// - `cube`: `[bands, rows, cols]`
    pub fn normalize_in_place(&self, mut cube: ArrayViewMut3<'_, f32>) {
        let (low, high) = (self.low, self.high);
        let range = (high - low).max(MIN_RANGE);
        Zip::from(&mut cube).par_for_each(|value| {
            *value = ((f64::from(*value).max(low).min(high) - low) / range) as f32;
        });
    }

    /// Maps without clamping: for an image whose own values may leave the range.
    ///
    /// # Shapes
    /// - `cube`: `[bands, rows, cols]`
    pub fn scale_in_place(&self, mut cube: ArrayViewMut3<'_, f32>) {
        let range = (self.high - self.low).max(MIN_RANGE);
        Zip::from(&mut cube)
            .par_for_each(|value| *value = ((f64::from(*value) - self.low) / range) as f32);
    }

    /// Maps [0, 1] to the range, the inverse of [`scale_in_place`](Self::scale_in_place).
    ///
    /// # Shapes
    /// - `cube`: `[bands, rows, cols]`
    pub fn denormalize_in_place(&self, mut cube: ArrayViewMut3<'_, f32>) {
        let range = (self.high - self.low).max(MIN_RANGE);
        Zip::from(&mut cube)
            .par_for_each(|value| *value = (self.low + f64::from(*value) * range) as f32);
    }
}

/// The values of a cube at the pixels that count.
struct Values<'a> {
    cube: ArrayView3<'a, f32>,
    missing: Option<ArrayView2<'a, bool>>,
}

impl Values<'_> {
    /// Folds the values, bands in parallel; the order must not matter.
    fn fold<T: Send>(
        &self,
        start: impl Fn() -> T + Sync + Send,
        step: impl Fn(&mut T, f32) + Sync,
        merge: impl Fn(T, T) -> T + Sync + Send,
    ) -> T {
        let of_band = |mut result: T, band: ArrayView2<'_, f32>| {
            match &self.missing {
                None => band.iter().for_each(|&value| step(&mut result, value)),
                Some(mask) => Zip::from(&band).and(mask).for_each(|&value, &missing| {
                    if !missing {
                        step(&mut result, value);
                    }
                }),
            }
            result
        };
        self.cube.axis_iter(Axis(0)).into_par_iter().fold(&start, of_band).reduce(&start, merge)
    }

    fn count_not_finite(&self) -> usize {
        let step = |count: &mut usize, value: f32| *count += usize::from(!value.is_finite());
        self.fold(|| 0, step, |a, b| a + b)
    }

    /// The values at four places of the sorted list. Counts the upper halves of the keys, then the
    /// lower halves of those keys that share an upper half with a wanted one.
    fn of_ranks(&self, ranks: [usize; 4]) -> [f32; 4] {
        let upper = self.count(|key| Some((key >> 16) as usize));
        let mut last: Option<(usize, Vec<usize>)> = None;
        ranks.map(|rank| {
            let (bin, before) = bin_of(&upper, rank);
            // Ascending ranks: two that share a bin follow each other.
            let (_, lower) = match last.take().filter(|(same, _)| *same == bin) {
                Some(counted) => last.insert(counted),
                None => last.insert((bin, self.count(|key| in_bin(key, bin)))),
            };
            let (low, _) = bin_of(lower, rank - before);
            value_of(((bin << 16) | low) as u32)
        })
    }

    fn count(&self, bin: impl Fn(u32) -> Option<usize> + Sync) -> Vec<usize> {
        let step = |bins: &mut Vec<usize>, value: f32| {
            if let Some(bin) = bin(key_of(value)) {
                bins[bin] += 1;
            }
        };
        self.fold(
            || vec![0; BINS],
            step,
            |mut a, b| {
                a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
                a
            },
        )
    }
}

/// The lower half of a key, if its upper half is `bin`.
fn in_bin(key: u32, bin: usize) -> Option<usize> {
    ((key >> 16) as usize == bin).then_some((key & 0xffff) as usize)
}

/// The bin that holds the value of a rank, and how many values lie in the bins before it.
fn bin_of(bins: &[usize], rank: usize) -> (usize, usize) {
    let mut before = 0;
    for (bin, &count) in bins.iter().enumerate() {
        if rank < before + count {
            return (bin, before);
        }
        before += count;
    }
    (bins.len().saturating_sub(1), before)
}

/// A number whose order is that of the values.
fn key_of(value: f32) -> u32 {
    let bits = value.to_bits();
    if bits >> 31 == 1 { !bits } else { bits | (1 << 31) }
}

fn value_of(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key & !(1 << 31) } else { !key })
}
