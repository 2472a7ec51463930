//! Values that were cut off at a bound, and what is to be expected of them.
//!
//! A value that stands at its lower bound was at or below it. If it was normal about `m` with
//! standard deviation `σ`, the mean of what it was is `m - σ λ(a)` with `a = (bound - m) / σ` and
//! `λ = φ / Φ`, the variance `σ² (1 - a λ - λ²)` (J. Tobin, "Estimation of Relationships for Limited
//! Dependent Variables", Econometrica 26(1), 1958). At the upper bound it is the mirror image.

use ndarray::parallel::prelude::*;
use ndarray::{ArrayView2, ArrayView3, Axis};

/// Least share of the values of a band that stand exactly at its least or largest value if there
/// is a bound.
const SHARE: f64 = 0.002;
/// Least number of such values.
const LEAST: usize = 3;

/// The bounds at which the values of a band were cut off.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Bounds {
    pub(crate) lower: Option<f32>,
    pub(crate) upper: Option<f32>,
}

impl Bounds {
    /// Returns whether a value stands at a bound.
    pub(crate) fn hold(self, value: f32) -> bool {
        self.lower == Some(value) || self.upper == Some(value)
    }

    /// Returns whether there is a bound.
    pub(crate) fn any(self) -> bool {
        self.lower.is_some() || self.upper.is_some()
    }

    /// Returns a value within the bounds.
    pub(crate) fn limit(self, value: f32) -> f32 {
        let value = self.lower.map_or(value, |bound| value.max(bound));
        self.upper.map_or(value, |bound| value.min(bound))
    }

    /// Returns mean and variance of what a value was before it was cut off.
    #[inline]
    pub(crate) fn expected(self, value: f32, mean: f64, sigma: f64) -> (f64, f64) {
        if self.lower == Some(value) {
            let bound = f64::from(value);
            let (shift, variance) = truncated((bound - mean) / sigma);
            (mean - sigma * shift, sigma * sigma * variance)
        } else if self.upper == Some(value) {
            let bound = f64::from(value);
            let (shift, variance) = truncated((mean - bound) / sigma);
            (mean + sigma * shift, sigma * sigma * variance)
        } else {
            (f64::from(value), 0.0)
        }
    }
}

/// Finds the bounds of every band: values that many pixels have exactly.
///
/// A band of one value alone has none.
pub(crate) fn detect(cube: ArrayView3<'_, f32>) -> Vec<Bounds> {
    cube.axis_iter(Axis(0)).into_par_iter().map(of_band).collect()
}

fn of_band(band: ArrayView2<'_, f32>) -> Bounds {
    let least = (SHARE * band.len() as f64).ceil().max(LEAST as f64) as usize;
    let min = band.iter().copied().fold(f32::INFINITY, f32::min);
    let max = band.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if min == max {
        return Bounds::default();
    }
    let often = |bound: f32| band.iter().filter(|&&x| x == bound).count() >= least;
    Bounds { lower: often(min).then_some(min), upper: often(max).then_some(max) }
}

/// Returns `λ(a) = φ(a) / Φ(a)` and `1 - a λ - λ²`: shift and variance of a standard normal variable
/// that is known to lie below `a`.
fn truncated(a: f64) -> (f64, f64) {
    if a < -30.0 {
        // λ = -a + 1 / -a - ..; the variance is that of an exponential distribution.
        return (-a - 1.0 / a, 1.0 / (a * a));
    }
    let density = (-0.5 * a * a).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let below = 0.5 * libm::erfc(-a * std::f64::consts::FRAC_1_SQRT_2);
    let ratio = density / below;
    (ratio, (1.0 - a * ratio - ratio * ratio).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    #[test]
    fn moments_equal_a_numerical_integral() {
        for a in [-35.0, -29.0, -8.0, -2.0, -0.3, 0.0, 1.5, 6.0] {
            let step = 1e-4_f64;
            let (mut mass, mut first, mut second) = (0.0, 0.0, 0.0);
            // The density relative to that at the bound, or at 0 if that is below the bound.
            let peak = f64::min(a, 0.0);
            for i in 0..120_000 {
                let x = a - (f64::from(i) + 0.5) * step;
                let weight = (-0.5 * (x * x - peak * peak)).exp();
                mass += weight;
                first += weight * x;
                second += weight * x * x;
            }
            let mean = first / mass;
            let (shift, variance) = truncated(a);
            assert!((shift + mean).abs() < 1e-3 * shift.max(1e-3), "{a}: {shift} {mean}");
            let expected = second / mass - mean * mean;
            assert!((variance - expected).abs() < 0.02 * expected, "{a}: {variance} {expected}");
        }
    }

    #[test]
    fn bounds_are_values_that_many_pixels_have() {
        let mut cube = Array3::from_shape_fn((3, 10, 10), |(_, r, c)| (r * 10 + c) as f32);
        for i in 0..3 {
            cube[[1, 4, i]] = 99.0;
        }
        cube.index_axis_mut(Axis(0), 2).fill(1.0);
        let bounds = detect(cube.view());
        assert_eq!(bounds[0], Bounds::default());
        assert_eq!(bounds[1], Bounds { lower: None, upper: Some(99.0) });
        assert_eq!(bounds[2], Bounds::default());
        assert_eq!(bounds[1].limit(100.0), 99.0);
        assert_eq!(bounds[1].expected(7.0, 3.0, 1.0), (7.0, 0.0));
    }
}
