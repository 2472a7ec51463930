//! BM3D against an independent implementation, and its laws.

use hsi_baselines::{Bm3d, Error};
use ndarray::Array2;
use proptest::prelude::*;

use crate::common::{fixtures, low, max_abs_diff};

#[test]
fn both_passes_agree_with_an_independent_implementation() {
    let Some(folder) = fixtures() else { return };
    for (name, sigma) in [("in64", 0.1), ("s0.05_in", 0.05), ("s0.27_in", 0.27)] {
        let noisy = low(&folder, &format!("bm3d_{name}"));
        let bm3d = Bm3d::default();
        let pilot = bm3d.hard_threshold(noisy.view(), sigma).expect("usable");
        let estimate = bm3d.denoise(noisy.view(), sigma).expect("usable");
        for (pass, ours) in [("ht", pilot), ("wie", estimate)] {
            let expected = low(&folder, &format!("own_bm3d_{name}_{pass}"));
            let difference = max_abs_diff(ours.view(), expected.view());
            assert!(difference < 1e-3, "{name}, {pass}: {difference}");
        }
    }
}

#[test]
fn noise_is_taken_away_at_every_level() {
    let Some(folder) = fixtures() else { return };
    let clean = low(&folder, "bm3d_clean64");
    // The scene is all fine texture: little can be won at the lowest level.
    for (sigma, name, left) in
        [(0.02, "bm3d_s0.02_in", 1.0), (0.1, "bm3d_in64", 0.5), (0.2, "bm3d_s0.2_in", 0.3)]
    {
        let noisy = low(&folder, name);
        let estimate = Bm3d::default().denoise(noisy.view(), sigma).expect("usable");
        let mse =
            |image: &Array2<f32>| (image - &clean).mapv(|x| x * x).mean().expect("has values");
        let ratio = mse(&estimate) / mse(&noisy);
        assert!(ratio < left, "{sigma}: {ratio}");
    }
}

#[test]
fn what_cannot_be_denoised_is_an_error() {
    let bm3d = Bm3d::default();
    let empty = bm3d.denoise(Array2::zeros((0, 4)).view(), 0.1);
    assert!(matches!(empty, Err(Error::Empty { .. })));
    let mut image = Array2::zeros((9, 9));
    for sigma in [-0.1, f32::NAN, f32::INFINITY] {
        let refused = bm3d.denoise(image.view(), sigma);
        assert!(matches!(refused, Err(Error::Parameter { parameter: "sigma", .. })), "{sigma}");
    }
    let refused = bm3d.wiener(image.view(), Array2::zeros((9, 8)).view(), 0.1);
    assert!(matches!(refused, Err(Error::Shape { .. })));
    image[[3, 2]] = f32::NAN;
    let refused = bm3d.denoise(image.view(), 0.1);
    assert!(matches!(refused, Err(Error::NonFinite { row: 3, col: 2, .. })));
    let good = Bm3d::default();
    for (wrong, name) in [
        (Bm3d { step: 0, ..good }, "step"),
        (Bm3d { step: 9, ..good }, "step"),
        (Bm3d { reach: 128, ..good }, "reach"),
        (Bm3d { group_hard: 12, ..good }, "group_hard"),
        (Bm3d { group_wiener: 512, ..good }, "group_wiener"),
        (Bm3d { threshold: -1.0, ..good }, "threshold"),
        (Bm3d { kaiser: f32::NAN, ..good }, "kaiser"),
    ] {
        let refused = wrong.validate();
        assert!(
            matches!(refused, Err(Error::Parameter { parameter, .. }) if parameter == name),
            "{name}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_image_of_any_size_gives_finite_values_within_reason(
        rows in 1_usize..20,
        cols in 1_usize..20,
        sigma in prop_oneof![Just(0.0_f32), 1e-6_f32..2.0],
        scale in prop_oneof![Just(0.0_f32), Just(1.0), Just(1e4)],
        values in prop::collection::vec(-1.0_f32..1.0, 400),
    ) {
        let image = Array2::from_shape_fn((rows, cols), |(r, c)| scale * values[r * 20 + c]);
        let estimate = Bm3d::default().denoise(image.view(), sigma)?;
        prop_assert_eq!(estimate.dim(), image.dim());
        prop_assert!(estimate.iter().all(|x| x.is_finite() && x.abs() <= 4.0 * scale + 1e-6));
    }

    #[test]
    fn a_constant_image_stays_what_it_is(
        rows in 1_usize..24,
        cols in 1_usize..24,
        value in -1.0_f32..1.0,
    ) {
        let image = Array2::from_elem((rows, cols), value);
        let estimate = Bm3d { threshold: 0.0, wiener_noise: 0.0, ..Bm3d::default() }
            .denoise(image.view(), 0.1)?;
        prop_assert!(max_abs_diff(image.view(), estimate.view()) < 1e-5);
    }

    #[test]
    fn threads_change_nothing(rows in 8_usize..50, cols in 8_usize..30) {
        let image = Array2::from_shape_fn((rows, cols), |(r, c)| ((r * 31 + c * 17) % 13) as f32 * 0.07);
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
            pool.install(|| Bm3d::default().denoise(image.view(), 0.1))
        };
        prop_assert_eq!(run(1)?, run(3)?);
    }
}
