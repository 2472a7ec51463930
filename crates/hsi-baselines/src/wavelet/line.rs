//! One level of the transform of one line, or of all columns at once.
//!
//! With the taps `h` and `g` of the synthesis, `L` in number, and the mirrored signal `x`:
//! `low[k] = Σ_j h[j] x[2k + 2 - L + j]`, `high` alike with `g`. Even and odd samples are kept
//! apart, so that every sum runs over neighbours.

use ndarray::{ArrayView2, NdFloat};

use super::Wavelet;

/// Sums that are kept in registers.
const LANES: usize = 16;

/// Filters in the type of the values.
pub(super) struct Taps<T> {
    low: Vec<T>,
    high: Vec<T>,
}

impl<T: NdFloat> Taps<T> {
    pub(super) fn new(wavelet: &Wavelet) -> Self {
        let narrow = |taps: &[f64]| taps.iter().map(|&tap| cast(tap)).collect();
        Self { low: narrow(&wavelet.low), high: narrow(&wavelet.high) }
    }

    /// Returns half the number of taps.
    fn reach(&self) -> usize {
        self.low.len() / 2
    }
}

fn cast<T: NdFloat>(x: f64) -> T {
    T::from(x).expect("floating-point numbers convert into each other")
}

/// Returns the place of index `index - before` in a signal mirrored with its ends repeated.
fn mirror(index: usize, before: usize, length: usize) -> usize {
    let period = 2 * length;
    let place = (index + period - before % period) % period;
    if place < length { place } else { period - 1 - place }
}

/// Transforms a line; `low` and `high` have the length [`Wavelet::half`] gives, not 0.
pub(super) fn analyse<T: NdFloat>(
    taps: &Taps<T>,
    signal: &[T],
    scratch: &mut Vec<T>,
    low: &mut [T],
    high: &mut [T],
) {
    let (half, reach) = (low.len(), taps.reach());
    let before = 2 * reach - 2;
    let padded = half + reach - 1;
    scratch.clear();
    scratch.resize(2 * padded, T::zero());
    let (even, odd) = scratch.split_at_mut(padded);
    let inner = before / 2..before / 2 + signal.len() / 2;
    for i in (0..inner.start).chain(inner.end..padded) {
        even[i] = signal[mirror(2 * i, before, signal.len())];
        odd[i] = signal[mirror(2 * i + 1, before, signal.len())];
    }
    let pairs = signal.chunks_exact(2);
    for ((even, odd), pair) in even[inner.clone()].iter_mut().zip(&mut odd[inner]).zip(pairs) {
        (*even, *odd) = (pair[0], pair[1]);
    }
    correlate([even, odd], &taps.low, low);
    correlate([even, odd], &taps.high, high);
}

/// Sums even and odd samples with the even and odd taps.
fn correlate<T: NdFloat>(phases: [&[T]; 2], taps: &[T], sums: &mut [T]) {
    let full = sums.len() / LANES * LANES;
    let (blocks, rest) = sums.split_at_mut(full);
    for (block, sums) in blocks.chunks_exact_mut(LANES).enumerate() {
        let mut lanes = [T::zero(); LANES];
        for (t, &tap) in taps.iter().enumerate() {
            let start = block * LANES + t / 2;
            let values = &phases[t % 2][start..start + LANES];
            for (lane, &value) in lanes.iter_mut().zip(values) {
                *lane += tap * value;
            }
        }
        sums.copy_from_slice(&lanes);
    }
    for (k, sum) in rest.iter_mut().enumerate() {
        *sum = taps
            .iter()
            .enumerate()
            .fold(T::zero(), |sum, (t, &tap)| sum + tap * phases[t % 2][full + k + t / 2]);
    }
}

/// Rebuilds a line from its halves; the signal may be one value shorter than what they hold.
pub(super) fn synthesise<T: NdFloat>(
    taps: &Taps<T>,
    low: &[T],
    high: &[T],
    scratch: &mut Vec<T>,
    signal: &mut [T],
) {
    let pairs = low.len() + 1 - taps.reach();
    scratch.clear();
    scratch.resize(2 * pairs, T::zero());
    let (even, odd) = scratch.split_at_mut(pairs);
    for (phase, sums) in [even, odd].into_iter().enumerate() {
        spread(taps, phase, low, high, sums);
    }
    let (even, odd) = scratch.split_at(pairs);
    for ((pair, &even), &odd) in signal.chunks_mut(2).zip(even).zip(odd) {
        pair[0] = even;
        if let Some(value) = pair.get_mut(1) {
            *value = odd;
        }
    }
}

/// Computes the even or the odd samples: `Σ_q h[2q + phase] low[i + reach - 1 - q]` and `g` alike.
fn spread<T: NdFloat>(taps: &Taps<T>, phase: usize, low: &[T], high: &[T], sums: &mut [T]) {
    let reach = taps.reach();
    let full = sums.len() / LANES * LANES;
    let (blocks, rest) = sums.split_at_mut(full);
    for (block, sums) in blocks.chunks_exact_mut(LANES).enumerate() {
        let mut lanes = [T::zero(); LANES];
        for q in 0..reach {
            let start = block * LANES + reach - 1 - q;
            let (h, g) = (taps.low[2 * q + phase], taps.high[2 * q + phase]);
            let values = low[start..start + LANES].iter().zip(&high[start..start + LANES]);
            for (lane, (&low, &high)) in lanes.iter_mut().zip(values) {
                *lane += h * low + g * high;
            }
        }
        sums.copy_from_slice(&lanes);
    }
    for (i, sum) in rest.iter_mut().enumerate() {
        *sum = (0..reach).fold(T::zero(), |sum, q| {
            let place = full + i + reach - 1 - q;
            sum + taps.low[2 * q + phase] * low[place] + taps.high[2 * q + phase] * high[place]
        });
    }
}

/// Transforms all columns of an image of `width` columns, row by row of the result.
///
/// # Shapes
/// `image`: rows of `width`; `low` and `high`: [`Wavelet::half`] rows each.
pub(super) fn analyse_columns<T: NdFloat>(
    taps: &Taps<T>,
    image: &[T],
    width: usize,
    low: &mut [T],
    high: &mut [T],
) {
    let rows = image.len() / width;
    let before = taps.low.len() - 2;
    let results = low.chunks_exact_mut(width).zip(high.chunks_exact_mut(width));
    for (k, (low, high)) in results.enumerate() {
        low.fill(T::zero());
        high.fill(T::zero());
        for (j, (&h, &g)) in taps.low.iter().zip(&taps.high).enumerate() {
            let start = mirror(2 * k + j, before, rows) * width;
            let values = &image[start..start + width];
            for ((low, high), &value) in low.iter_mut().zip(&mut *high).zip(values) {
                *low += h * value;
                *high += g * value;
            }
        }
    }
}

/// Rebuilds all columns of an image; its last row may be one that the halves hold too much.
///
/// # Shapes
/// `low` and `high`: the same number of rows and columns; `image`: rows of as many columns.
pub(super) fn synthesise_columns<T: NdFloat>(
    taps: &Taps<T>,
    low: ArrayView2<'_, T>,
    high: ArrayView2<'_, T>,
    image: &mut [T],
) {
    let reach = taps.reach();
    for (r, sums) in image.chunks_exact_mut(low.ncols()).enumerate() {
        sums.fill(T::zero());
        for q in 0..reach {
            let place = r / 2 + reach - 1 - q;
            let (h, g) = (taps.low[2 * q + r % 2], taps.high[2 * q + r % 2]);
            let values = low.row(place).into_iter().zip(high.row(place));
            for (sum, (&low, &high)) in sums.iter_mut().zip(values) {
                *sum += h * low + g * high;
            }
        }
    }
}
