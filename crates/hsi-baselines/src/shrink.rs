//! Soft thresholds, and their choice by Stein's unbiased estimate of the risk.
//!
//! D. Donoho, I. Johnstone, "Adapting to Unknown Smoothness via Wavelet Shrinkage", JASA 90(432),
//! 1995.

use ndarray::NdFloat;

use crate::{Error, Result};

/// Moves a value towards zero by `threshold`, at most to zero.
pub fn soft<T: NdFloat>(value: T, threshold: T) -> T {
    value - value.max(-threshold).min(threshold)
}

/// Thresholds in equal steps from 0 to a limit, in standard deviations of the noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SureGrid {
    /// Number of thresholds, at least 2.
    pub points: usize,
    /// The largest threshold.
    pub limit: f64,
}

/// The threshold of the least estimated risk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SureThreshold {
    /// The threshold.
    pub threshold: f64,
    /// Its risk as [`SureGrid::risks`] gives it.
    pub risk: f64,
}

impl SureGrid {
    /// Returns the grid of HyRes in HyDe, which ends at `√ln points`.
    pub fn short(points: usize) -> Self {
        Self { points, limit: (points.max(1) as f64).ln().sqrt() }
    }

    /// Returns the grid that ends at the universal threshold `√(2 ln samples)`.
    pub fn universal(points: usize, samples: usize) -> Self {
        Self { points, limit: (2.0 * (samples.max(1) as f64).ln()).sqrt() }
    }

    /// Checks that there are two thresholds or more and that the limit is finite.
    ///
    /// # Errors
    /// [`Error::Parameter`] names what is wrong.
    pub fn validate(&self) -> Result<()> {
        let wrong = |parameter, expected, got| {
            Err(Error::Parameter { method: "sure", parameter, expected, got })
        };
        if !(2..=10_000).contains(&self.points) {
            return wrong("points", "between 2 and 10000", self.points as f64);
        }
        if !(self.limit.is_finite() && self.limit >= 0.0) {
            return wrong("limit", "a finite number of at least 0", self.limit);
        }
        Ok(())
    }

    /// Returns the threshold number `index`, from 0.
    pub fn threshold(&self, index: usize) -> f64 {
        self.limit * index as f64 / (self.points.max(2) - 1) as f64
    }

    /// Returns the estimated risk of every threshold for values with noise of variance 1, less the
    /// risk of leaving out nothing but the constant `Σ x² - N`: `Σ 2 [|x| > t] - max(x² - t², 0)`.
    pub fn risks<T: Copy + Into<f64>>(&self, values: &[T]) -> Vec<f64> {
        let sum = |index| {
            let t = self.threshold(index);
            values.iter().fold(0.0, |sum, &x| {
                let x = x.into().abs();
                // The largest excess is 0 where the value does not exceed the threshold.
                sum + if x > t { 2.0 - (x * x - t * t) } else { 0.0 }
            })
        };
        (0..self.points).map(sum).collect()
    }

    /// Returns the first threshold of the least risk.
    pub fn choose<T: Copy + Into<f64>>(&self, values: &[T]) -> SureThreshold {
        self.least(&self.risks(values))
    }

    /// Returns the first threshold of the least of some risks.
    pub(crate) fn least(&self, risks: &[f64]) -> SureThreshold {
        let mut best = SureThreshold { threshold: 0.0, risk: f64::INFINITY };
        for (index, &risk) in risks.iter().enumerate() {
            if risk < best.risk {
                best = SureThreshold { threshold: self.threshold(index), risk };
            }
        }
        best
    }
}
