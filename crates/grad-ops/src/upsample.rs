//! Bilinear interpolation.

use candle_core::{Shape, Tensor};

use crate::kernel::Real;
use crate::kernel::parallel::build;
use crate::kernel::simd::vectorized;
use crate::kernel::unary::{Unary, apply};
use crate::{Result, check, composed};

const OP: &str = "upsample_bilinear";

/// Enlarges height and width by a whole factor, as
/// `torch.nn.functional.interpolate(mode="bilinear", align_corners=False)`.
///
/// # Shapes
/// - `xs`: `(batch, channels, height, width)`
/// - output: `(batch, channels, factor * height, factor * width)`
///
/// # Errors
/// When the shape does not fit, the factor is zero, or there is no kernel for the number type.
pub fn upsample_bilinear(xs: &Tensor, factor: usize) -> Result<Tensor> {
    let op = Upsample::new(xs, factor)?;
    if check::on_cpu(OP, &[xs])? {
        Ok(apply(op, xs)?)
    } else {
        composed::upsample_bilinear(xs, factor)
    }
}

/// Where the elements of a row of the output come from.
pub(crate) struct Axis {
    /// Size of the input.
    pub(crate) size: usize,
    /// Lower and upper neighbour, and the weight of the upper.
    pub(crate) sources: Vec<(usize, usize, f64)>,
}

impl Axis {
    fn new(size: usize, factor: usize) -> Self {
        let source = |target: usize| {
            let place = ((target as f64 + 0.5) / factor as f64 - 0.5).max(0.0);
            let low = (place as usize).min(size - 1);
            (low, (low + 1).min(size - 1), place - low as f64)
        };
        Self { size, sources: (0..size * factor).map(source).collect() }
    }
}

/// The sizes of the input and where the output comes from.
pub(crate) struct Upsample {
    /// Samples and channels.
    pub(crate) maps: (usize, usize),
    pub(crate) down: Axis,
    pub(crate) across: Axis,
}

impl Upsample {
    /// Checks the input.
    pub(crate) fn new(xs: &Tensor, factor: usize) -> Result<Self> {
        let [batch, channels, height, width] = check::maps(OP, xs)?;
        let elements = [height, width, factor, factor]
            .iter()
            .try_fold(batch * channels, |all, &n| all.checked_mul(n));
        if elements.is_none_or(|elements| elements == 0 || elements > isize::MAX as usize / 8) {
            let expected = format!("fit for enlarging by a factor of {factor}");
            return Err(check::shape_error(OP, "the input", expected, xs));
        }
        let (down, across) = (Axis::new(height, factor), Axis::new(width, factor));
        Ok(Self { maps: (batch, channels), down, across })
    }
}

impl Unary for Upsample {
    const NAME: &'static str = OP;

    fn output(&self, _input: &Shape) -> Shape {
        let size = (self.down.sources.len(), self.across.sources.len());
        Shape::from((self.maps.0, self.maps.1, size.0, size.1))
    }

    fn forward<T: Real>(&self, xs: &[T]) -> Vec<T> {
        let size = self.down.size * self.across.size;
        let width = self.across.sources.len();
        let enlarged = self.down.sources.len() * width;
        build(self.maps.0 * self.maps.1 * enlarged, enlarged, |index, ys| {
            // Two rows of the input, interpolated along the row.
            let mut rows = [vec![T::zero(); width], vec![T::zero(); width]];
            let mut held = [usize::MAX; 2];
            let map = &xs[index * size..][..size];
            for (ys, &(low, high, share)) in ys.chunks_exact_mut(width).zip(&self.down.sources) {
                for row in [low, high] {
                    let slot = row % 2;
                    if held[slot] != row {
                        held[slot] = row;
                        let from = &map[row * self.across.size..][..self.across.size];
                        for (to, &(low, high, share)) in
                            rows[slot].iter_mut().zip(&self.across.sources)
                        {
                            *to = from[low] + (from[high] - from[low]) * T::of(share);
                        }
                    }
                }
                mix(&rows[low % 2], &rows[high % 2], T::of(share), ys);
            }
        })
    }

    fn backward<T: Real>(&self, xs: &[T], _ys: &[T], grad: &[T]) -> Vec<T> {
        let size = self.down.size * self.across.size;
        let width = self.across.sources.len();
        let enlarged = self.down.sources.len() * width;
        build(xs.len(), size, |index, out| {
            let map = &grad[index * enlarged..][..enlarged];
            let mut sums = vec![T::zero(); width];
            for (row, out) in out.chunks_exact_mut(self.across.size).enumerate() {
                sums.fill(T::zero());
                // The rows of the output between the neighbours of this row.
                let factor = self.down.sources.len() / self.down.size;
                let (first, last) = (row.saturating_sub(1) * factor, (row + 2) * factor);
                let rows = map.chunks_exact(width).zip(&self.down.sources);
                for (grad, &(low, high, share)) in rows.take(last).skip(first) {
                    let weight = if low == row { 1.0 - share } else { 0.0 }
                        + if high == row { share } else { 0.0 };
                    if weight > 0.0 {
                        accumulate(&mut sums, grad, T::of(weight));
                    }
                }
                for (&sum, &(low, high, share)) in sums.iter().zip(&self.across.sources) {
                    out[low] += sum * T::of(1.0 - share);
                    out[high] += sum * T::of(share);
                }
            }
        })
    }
}

vectorized! {
    /// Writes `low + share · (high - low)`.
    fn mix<T>(low: &[T], high: &[T], share: T, to: &mut [T]) {
        for ((to, &low), &high) in to.iter_mut().zip(low).zip(high) {
            *to = low + (high - low) * share;
        }
    }

    /// Adds a multiple of a row.
    fn accumulate<T>(sums: &mut [T], row: &[T], factor: T) {
        for (sum, &x) in sums.iter_mut().zip(row) {
            *sum += x * factor;
        }
    }
}
