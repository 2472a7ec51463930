//! The modified Bessel function that the published `airy` kernel is made of.

/// Step of the trapezoid rule; it converges exponentially for this integrand.
const STEP: f64 = 0.05;
/// Beyond this exponent `exp(-x)` is zero in `f64`.
const LAST: f64 = 746.0;

/// `K1(z)`, the modified Bessel function of the second kind and first order, for `z > 0`.
///
/// ```text
/// K1(z) = integral over t from 0 to infinity of exp(-z cosh t) cosh t
/// ```
///
/// # References
/// - NIST Digital Library of Mathematical Functions, 10.32.9.
pub(super) fn k1(z: f64) -> f64 {
    // Near zero the integrand is wide: K1(z) is 1/z there to double precision.
    if z < 1e-8 {
        return 1.0 / z;
    }
    let mut sum = 0.5 * (-z).exp();
    for i in 1u32.. {
        let cosh = (f64::from(i) * STEP).cosh();
        if z.is_nan() || z * cosh >= LAST {
            break;
        }
        sum += (-z * cosh).exp() * cosh;
    }
    sum * STEP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k1_has_the_tabulated_values() {
        // `scipy.special.k1`, SciPy 1.17.1.
        let table = [
            (1e-9, 1e9),
            (0.01, 99.973_894_118_296_23),
            (0.5, 1.656_441_120_003_300_7),
            (1.0, 0.601_907_230_197_234_6),
            (2.338_11, 0.090_510_343_433_264_85),
            (10.0, 1.864_877_345_382_558_5e-5),
            (100.0, 4.679_853_735_636_909e-45),
        ];
        for (z, expected) in table {
            assert!((k1(z) / expected - 1.0).abs() < 1e-12, "K1({z}) = {}", k1(z));
        }
        assert_eq!(k1(800.0), 0.0);
    }
}
