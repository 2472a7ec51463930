//! Separable wavelet transforms of images of any size.
//!
//! I. Daubechies, "Orthonormal bases of compactly supported wavelets", Comm. Pure Appl. Math. 41(7),
//! 1988. Beyond its edges a signal is mirrored with the edge value repeated, at every level: the
//! same as mode `symmetric` of PyWavelets. The transform has somewhat more coefficients than the
//! image has pixels; its inverse is exact.

mod line;
mod plane;
mod taps;

use ndarray::NdFloat;

pub use plane::{Orientation, Subband, WaveletTransform};

use crate::{Error, Result};

/// An orthonormal wavelet of the Daubechies family.
#[derive(Debug, Clone, PartialEq)]
pub struct Wavelet {
    moments: usize,
    low: Vec<f64>,
    high: Vec<f64>,
}

impl Wavelet {
    /// The largest number of vanishing moments there are filters for.
    pub const MAX_MOMENTS: usize = taps::SCALING.len();

    /// Returns the wavelet `dbN` with `moments` vanishing moments and twice as many taps.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless `moments` lies between 1 and 10.
    pub fn daubechies(moments: usize) -> Result<Self> {
        let low = moments.checked_sub(1).and_then(|index| taps::SCALING.get(index));
        let low = low.ok_or(Error::Parameter {
            method: "wavelet",
            parameter: "moments",
            expected: "between 1 and 10",
            got: moments as f64,
        })?;
        let low = low.to_vec();
        let mut high: Vec<f64> = low.iter().rev().copied().collect();
        high.iter_mut().skip(1).step_by(2).for_each(|tap| *tap = -*tap);
        Ok(Self { moments, low, high })
    }

    /// Returns the number of vanishing moments.
    pub fn moments(&self) -> usize {
        self.moments
    }

    /// Returns the taps of the low-pass filter of the synthesis, which sum to √2.
    ///
    /// Reversed they are those of the analysis.
    pub fn low(&self) -> &[f64] {
        &self.low
    }

    /// Returns the taps of the high-pass filter of the synthesis, which sum to 0.
    ///
    /// Reversed they are those of the analysis.
    pub fn high(&self) -> &[f64] {
        &self.high
    }

    /// Returns the number of coefficients in each half of the transform of `length` values.
    pub fn half(&self, length: usize) -> usize {
        if length == 0 { 0 } else { (length + self.low.len() - 1) / 2 }
    }

    /// Returns the low-pass and the high-pass half of one level of the transform of a signal.
    ///
    /// # Shapes
    /// `signal`: `n` values; each half: `(n + taps - 1) / 2` values.
    pub fn analyse<T: NdFloat>(&self, signal: &[T]) -> (Vec<T>, Vec<T>) {
        let half = self.half(signal.len());
        let (mut low, mut high) = (vec![T::zero(); half], vec![T::zero(); half]);
        if half > 0 {
            let taps = line::Taps::new(self);
            line::analyse(&taps, signal, &mut Vec::new(), &mut low, &mut high);
        }
        (low, high)
    }

    /// Returns the signal of `length` values with these halves.
    ///
    /// # Errors
    /// [`Error::Shape`] if the halves are not those of a signal of this length.
    pub fn synthesise<T: NdFloat>(&self, low: &[T], high: &[T], length: usize) -> Result<Vec<T>> {
        let half = self.half(length);
        if low.len() != half || high.len() != half {
            return Err(Error::Shape { expected: vec![half; 2], got: vec![low.len(), high.len()] });
        }
        let mut signal = vec![T::zero(); length];
        if length > 0 {
            line::synthesise(&line::Taps::new(self), low, high, &mut Vec::new(), &mut signal);
        }
        Ok(signal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_are_orthonormal_and_have_their_vanishing_moments() {
        for moments in 1..=Wavelet::MAX_MOMENTS {
            let wavelet = Wavelet::daubechies(moments).expect("a known wavelet");
            let (low, high) = (wavelet.low(), wavelet.high());
            assert_eq!(
                (low.len(), high.len(), wavelet.moments()),
                (2 * moments, 2 * moments, moments)
            );
            let shifted = |a: &[f64], b: &[f64], by: usize| -> f64 {
                a.iter().skip(by).zip(b).map(|(x, y)| x * y).sum()
            };
            for by in (0..2 * moments).step_by(2) {
                let unit = f64::from(u8::from(by == 0));
                assert!((shifted(low, low, by) - unit).abs() < 1e-14, "db{moments}");
                assert!((shifted(high, high, by) - unit).abs() < 1e-14, "db{moments}");
                assert!(shifted(low, high, by).abs() < 1e-14, "db{moments}");
                assert!(shifted(high, low, by).abs() < 1e-14, "db{moments}");
            }
            for power in 0..moments as i32 {
                let terms = high.iter().enumerate().map(|(k, tap)| tap * (k as f64).powi(power));
                let size: f64 = (2.0 * moments as f64).powi(power);
                assert!(terms.sum::<f64>().abs() < 1e-11 * size, "db{moments}, moment {power}");
            }
        }
        for moments in [0, 11, usize::MAX] {
            assert!(matches!(Wavelet::daubechies(moments), Err(Error::Parameter { .. })));
        }
    }
}
