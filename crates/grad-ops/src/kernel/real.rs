//! The number types of the kernels and their transcendental functions.

use candle_core::{CpuStorage, WithDType};
use num_traits::Float;

/// A number type that the kernels compute in: `f32` or `f64`.
///
/// `FMA` says whether the surrounding code is compiled for a processor with fused
/// multiply-add (see [`vectorized`](crate::kernel::simd)); the functions are branch-free in `f32`,
/// so that loops over them become vector code.
pub(crate) trait Real: Float + WithDType + Default {
    /// The nearest number of this type.
    fn of(value: f64) -> Self;

    /// The number in double precision.
    fn wide(self) -> f64;

    /// The elements of a storage if it is of this type.
    fn elements_mut(storage: &mut CpuStorage) -> Option<&mut [Self]>;

    /// Fills `out` with what `fill` writes in single precision, with the help of `scratch`.
    fn from_single<E>(
        out: &mut [Self],
        scratch: &mut Vec<f32>,
        fill: impl FnOnce(&mut [f32]) -> Result<(), E>,
    ) -> Result<(), E>;

    /// `e^self` for a number that is not positive; what would underflow may come out as the
    /// smallest normal number.
    fn exp_negative<const FMA: bool>(self) -> Self;

    /// The distribution function and the density of the standard normal distribution.
    fn normal<const FMA: bool>(self) -> (Self, Self);
}

/// `a · b + c`, fused if the processor can.
#[inline(always)]
fn madd<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Horner's rule, highest coefficient first.
#[inline(always)]
fn polynomial<const FMA: bool, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = 0.0;
    for coefficient in coefficients {
        sum = madd::<FMA>(sum, x, coefficient);
    }
    sum
}

impl Real for f32 {
    #[inline(always)]
    fn of(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }

    fn elements_mut(storage: &mut CpuStorage) -> Option<&mut [Self]> {
        match storage {
            CpuStorage::F32(elements) => Some(elements),
            _ => None,
        }
    }

    fn from_single<E>(
        out: &mut [Self],
        _scratch: &mut Vec<f32>,
        fill: impl FnOnce(&mut [f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        fill(out)
    }

    /// `2^n · e^r` with a polynomial fitted for `|r| <= ln 2 / 2` (relative error 3e-9 before
    /// rounding).
    #[inline(always)]
    fn exp_negative<const FMA: bool>(self) -> Self {
        // Adding and subtracting this rounds to a whole number and leaves it in the low bits.
        const ROUND: f32 = 12_582_912.0;
        // ln 2 in two parts, the first with trailing zeros so that n times it is exact.
        const LN_2_HIGH: f32 = 0.693_359_4;
        const LN_2_LOW: f32 = -2.121_944_4e-4;
        let x = if self < -87.3 { -87.3 } else { self };
        let shifted = madd::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
        let n = shifted - ROUND;
        let r = madd::<FMA>(n, -LN_2_LOW, madd::<FMA>(n, -LN_2_HIGH, x));
        let exp = polynomial::<FMA, 7>(
            r,
            [1.381_459_8e-3, 8.368_717e-3, 4.166_839e-2, 1.666_652_1e-1, 4.999_999_3e-1, 1.0, 1.0],
        );
        // n lies in [-126, 0]: the exponent of the result is that of `exp` plus n.
        let n = shifted.to_bits().wrapping_sub(ROUND.to_bits());
        f32::from_bits(exp.to_bits().wrapping_add(n << 23))
    }

    /// `erfc(z) = e^(-z²) · t · P(t)`, `t = 1 / (1 + 0.4 z)`, with a polynomial fitted for
    /// `0 <= z <= 10` (relative error 6e-8 before rounding, absolute error 2e-7 after it).
    #[inline(always)]
    fn normal<const FMA: bool>(self) -> (Self, Self) {
        let z = self.abs() * std::f32::consts::FRAC_1_SQRT_2;
        let t = 1.0 / madd::<FMA>(0.4, z, 1.0);
        let fitted = polynomial::<FMA, 9>(
            t,
            [
                4.125_312_6e-2,
                -1.403_196_6e-1,
                8.398_814e-2,
                8.796_339_5e-2,
                7.975_712e-2,
                1.933_929_5e-1,
                2.018_876_5e-1,
                2.264_431e-1,
                2.256_342_3e-1,
            ],
        );
        let bell = (self * self * -0.5).exp_negative::<FMA>();
        let tail = 0.5 * bell * t * fitted;
        // The inverse root of 2 pi.
        (if self > 0.0 { 1.0 - tail } else { tail }, bell * 0.398_942_3)
    }
}

impl Real for f64 {
    #[inline(always)]
    fn of(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }

    fn elements_mut(storage: &mut CpuStorage) -> Option<&mut [Self]> {
        match storage {
            CpuStorage::F64(elements) => Some(elements),
            _ => None,
        }
    }

    fn from_single<E>(
        out: &mut [Self],
        scratch: &mut Vec<f32>,
        fill: impl FnOnce(&mut [f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        scratch.resize(out.len(), 0.0);
        fill(scratch)?;
        for (out, &x) in out.iter_mut().zip(scratch.iter()) {
            *out = f64::from(x);
        }
        Ok(())
    }

    #[inline(always)]
    fn exp_negative<const FMA: bool>(self) -> Self {
        self.exp()
    }

    #[inline(always)]
    fn normal<const FMA: bool>(self) -> (Self, Self) {
        let distribution = 0.5 * libm::erfc(-self * std::f64::consts::FRAC_1_SQRT_2);
        let density = (self * self * -0.5).exp() * 0.398_942_280_401_432_7;
        (distribution, density)
    }
}

#[cfg(test)]
mod tests {
    use super::Real;

    #[test]
    fn functions_agree_with_double_precision() {
        for index in -120_000..=0 {
            let x = index as f32 / 1000.0;
            let (exp, fused) = (x.exp_negative::<false>(), x.exp_negative::<true>());
            let expected = f64::from(x).exp();
            for got in [exp, fused] {
                let error = (f64::from(got) - expected).abs();
                assert!(error <= 2e-7 * expected + 1.3e-38, "exp({x}) = {got}, not {expected}");
            }
        }
        for index in -20_000..=20_000 {
            let x = index as f32 / 1000.0;
            let expected = f64::from(x).normal::<false>();
            for got in [x.normal::<false>(), x.normal::<true>()] {
                let error = (f64::from(got.0) - expected.0).abs();
                assert!(error <= 2e-7, "Φ({x}) = {}, not {}", got.0, expected.0);
                // The rounding of x² / 2 is what remains far out.
                assert!(error <= (5e-7 + 1e-7 * f64::from(x * x)) * expected.0 + 1e-37, "Φ({x})");
                assert!((f64::from(got.1) - expected.1).abs() <= 1.2e-7, "φ({x})");
            }
        }
        assert!(f32::NAN.exp_negative::<false>().is_nan() && f32::NAN.normal::<false>().0.is_nan());
    }
}
