//! What quantising cost.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::storage::Floats;

/// How far a quantised tensor lies from the original.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct QuantReport {
    /// Largest magnitude of a difference.
    pub max_abs_err: f64,
    /// Root of the mean squared difference.
    pub rmse: f64,
    /// Stored bits for each element.
    pub bits_per_weight: f64,
}

impl QuantReport {
    /// Compares numbers with those that `quantized` writes for a range of them.
    pub(crate) fn new(
        original: Floats<'_>,
        bits_per_weight: f64,
        quantized: impl Fn(Range<usize>, &mut [f32]),
    ) -> Self {
        const PIECE: usize = 4096;
        let (mut left, mut right) = ([0.0; PIECE], [0.0; PIECE]);
        let (mut largest, mut squares) = (0.0f64, 0.0);
        for start in (0..original.len()).step_by(PIECE) {
            let end = (start + PIECE).min(original.len());
            let (left, right) = (&mut left[..end - start], &mut right[..end - start]);
            original.read(start, left);
            quantized(start..end, right);
            for (left, right) in left.iter().zip(right.iter()) {
                let error = f64::from(left - right).abs();
                largest = largest.max(error);
                squares += error * error;
            }
        }
        let rmse = (squares / original.len() as f64).sqrt();
        Self { max_abs_err: largest, rmse, bits_per_weight }
    }
}
