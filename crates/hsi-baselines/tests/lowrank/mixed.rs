//! Stripes and clipping.

use hsi_baselines::{
    Auto, Denoiser, Destripe, Error, FastHyDe, Limit, MedianFilter, NoiseReport, Unclip, by_name,
};
use ndarray::{Array3, Axis};
use proptest::prelude::*;

use crate::common::{
    Numbers, cube, fixtures, kinds_of_bands, max_abs_diff, psnr, scene, with_noise,
};

/// Adds normal noise, to some columns an offset for each band, and clips to [0, 1].
fn mixed(clean: &Array3<f32>, sigma: f32, offset: f32, seed: u64) -> Array3<f32> {
    let mut numbers = Numbers::new(seed + 77);
    let mut noisy = with_noise(clean, sigma, seed);
    for mut band in noisy.outer_iter_mut() {
        for (c, mut column) in band.columns_mut().into_iter().enumerate() {
            let shift = offset * (2.0 * numbers.uniform() - 1.0);
            if c * 7 % 10 < 4 {
                column.mapv_inplace(|x| x + shift);
            }
        }
    }
    noisy.mapv(|x| x.clamp(0.0, 1.0))
}

#[test]
fn the_best_chain_removes_the_published_noise() {
    let Some(folder) = fixtures() else { return };
    let clean = cube(&folder, "s32_clean");
    let noisy = cube(&folder, "s32_paper_noisy");
    let found = Destripe::default().separate(noisy.view()).unwrap();
    assert!(found.sigma.iter().all(|s| (s / 0.27 - 1.0).abs() < 0.1), "{}", found.sigma);
    // Twelve of 32 columns carry stripes.
    let striped = found.stripes.axis_iter(Axis(1)).filter(|line| line.iter().any(|&x| x != 0.0));
    assert!((11..=15).contains(&striped.count()));
    let best = psnr(&Auto::default().denoise(noisy.view()).unwrap(), &clean);
    assert!(best > 25.2, "{best} dB");
    let plain = psnr(&FastHyDe::default().denoise(noisy.view()).unwrap(), &clean);
    assert!(plain < 17.0, "{plain} dB");
    // Most of it is won by the first stage, whatever the method.
    let median = MedianFilter::default().denoise(noisy.view()).unwrap();
    let filtered = by_name("destripe+median").unwrap().denoise(noisy.view()).unwrap();
    let (with, without) = (psnr(&filtered, &clean), psnr(&median, &clean));
    assert!(with > without, "{with} and {without} dB");
}

#[test]
fn stripes_and_clipping_are_found_in_scenes_made_here() {
    for (sigma, offset) in [(0.27, 0.5), (0.1, 0.25), (0.05, 0.1)] {
        let clean = scene((30, 32, 40));
        let noisy = mixed(&clean, sigma, offset, 5);
        let found = Destripe::default().separate(noisy.view()).unwrap();
        let level = found.sigma.mean().unwrap();
        assert!((level / f64::from(sigma) - 1.0).abs() < 0.1, "{level} for {sigma}");
        assert_eq!(found.stripes.dim(), (30, 40));
        for (c, line) in found.stripes.axis_iter(Axis(1)).enumerate() {
            assert_eq!(line.iter().any(|&x| x != 0.0), c * 7 % 10 < 4, "{sigma}: column {c}");
        }
        let at_bounds = noisy.iter().filter(|&&x| x == 0.0 || x == 1.0).count();
        assert!(found.clipped <= at_bounds as f64 / noisy.len() as f64);
        let ours = psnr(&Auto::default().denoise(noisy.view()).unwrap(), &clean);
        let plain = psnr(&FastHyDe::default().denoise(noisy.view()).unwrap(), &clean);
        assert!(ours > plain + 5.0, "{sigma}: {ours} and {plain} dB");
    }
}

#[test]
fn the_report_sees_through_stripes_and_clipping() {
    let noisy = mixed(&scene((30, 32, 40)), 0.2, 0.5, 4);
    let report = NoiseReport::of(noisy.view()).unwrap();
    assert!((report.level / 0.2 - 1.0).abs() < 0.1, "{}", report.level);
    assert!((1..=5).contains(&report.dimension), "{}", report.dimension);
    let striped: Vec<usize> = (0..40).filter(|c| c * 7 % 10 < 4).collect();
    assert_eq!(report.striped, striped);
    assert!(report.clipped > 0.02);
    assert!(matches!(NoiseReport::of(Array3::zeros((0, 1, 1)).view()), Err(Error::Empty { .. })));
}

#[test]
fn clipping_alone_is_undone() {
    let clean = scene((30, 32, 32)).mapv(|x| (0.6 * x - 0.2).clamp(0.0, 1.0));
    let noisy = mixed(&clean, 0.2, 0.0, 3);
    let of = |name: &str| psnr(&by_name(name).unwrap().denoise(noisy.view()).unwrap(), &clean);
    let (with, without) = (of("unclip+fasthyde"), of("fasthyde"));
    assert!(with > without + 3.0, "{with} and {without} dB");
    // No stripes are seen where there are none.
    let found = Destripe::default().separate(noisy.view()).unwrap();
    assert!(found.stripes.iter().all(|&x| x == 0.0) && found.clipped > 0.1);
    assert_eq!(found.cube, Unclip::default().denoise(noisy.view()).unwrap());
}

#[test]
fn normal_noise_is_left_to_the_method() {
    let clean = scene((30, 32, 32));
    for sigma in [0.05, 0.1, 0.2, 0.4] {
        let noisy = with_noise(&clean, sigma, 8);
        assert_eq!(Destripe::default().denoise(noisy.view()).unwrap(), noisy, "{sigma}");
        assert_eq!(Unclip::default().denoise(noisy.view()).unwrap(), noisy, "{sigma}");
        let expected = FastHyDe::default().denoise(noisy.view()).unwrap();
        assert_eq!(Auto::default().denoise(noisy.view()).unwrap(), expected, "{sigma}");
    }
    assert_eq!(Destripe::default().denoise(clean.view()).unwrap(), clean);
}

#[test]
fn a_scene_that_changes_from_column_to_column_is_no_stripe() {
    // Two halves and a gradient, nothing of which changes along a column.
    let clean = Array3::from_shape_fn((30, 32, 40), |(b, _, c)| {
        let b = b as f32;
        let half = if c < 23 { 0.3 * (0.2 * b).sin() } else { 0.2 * (0.3 * b).cos() };
        0.5 + half + 0.003 * c as f32 * (0.1 * b).cos()
    });
    let noisy = with_noise(&clean, 0.1, 3);
    assert_eq!(Destripe::default().denoise(noisy.view()).unwrap(), noisy);
    let striped = mixed(&clean, 0.1, 0.4, 3);
    let ours = psnr(&Auto::default().denoise(striped.view()).unwrap(), &clean);
    let plain = psnr(&FastHyDe::default().denoise(striped.view()).unwrap(), &clean);
    assert!(ours > plain + 5.0, "{ours} and {plain} dB");
}

#[test]
fn stripes_along_rows_are_those_of_the_turned_cube() {
    let noisy = mixed(&scene((20, 24, 30)), 0.1, 0.4, 2);
    let turned = noisy.view().permuted_axes([0, 2, 1]);
    let rows = Destripe { rows: true, ..Destripe::default() };
    let got = rows.denoise(turned).unwrap();
    assert!(got.is_standard_layout());
    let expected = Destripe::default().denoise(noisy.view()).unwrap();
    assert_eq!(got.permuted_axes([0, 2, 1]), expected);
}

#[test]
fn an_estimate_is_limited_to_the_bounds_of_the_noisy_cube() {
    let noisy = mixed(&scene((4, 12, 12)), 0.4, 0.0, 6);
    let wild = noisy.mapv(|x| 3.0 * x - 1.0);
    let got = Limit.refine(wild.view(), noisy.view()).unwrap();
    assert_eq!(got, wild.mapv(|x| x.clamp(0.0, 1.0)));
    let free = with_noise(&scene((4, 12, 12)), 0.4, 6);
    assert_eq!(Limit.refine(wild.view(), free.view()).unwrap(), wild);
    let refused = Limit.refine(wild.slice(ndarray::s![1.., .., ..]), noisy.view());
    assert!(matches!(refused, Err(Error::Shape { .. })));
}

#[test]
fn what_makes_no_sense_is_an_error() {
    let mut cube = scene((4, 6, 6));
    for (wrong, name) in [
        (Destripe { iterations: 0, ..Destripe::default() }, "iterations"),
        (Destripe { tolerance: f64::NAN, ..Destripe::default() }, "tolerance"),
        (Destripe { threshold: 0.5, ..Destripe::default() }, "threshold"),
    ] {
        let refused = wrong.denoise(cube.view());
        assert!(
            matches!(refused, Err(Error::Parameter { parameter, .. }) if parameter == name),
            "{name}"
        );
    }
    let empty = Array3::zeros((3, 0, 4));
    cube[[1, 2, 3]] = f32::INFINITY;
    for name in ["auto", "destripe", "unclip", "limit"] {
        let method = by_name(name).unwrap();
        assert!(matches!(method.denoise(empty.view()), Err(Error::Empty { .. })), "{name}");
        let refused = method.denoise(cube.view());
        assert!(matches!(refused, Err(Error::NonFinite { band: 1, row: 2, col: 3, .. })), "{name}");
    }
}

#[test]
fn threads_change_nothing() {
    let noisy = mixed(&scene((20, 24, 30)), 0.2, 0.4, 2);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| Auto::default().denoise(noisy.view()).unwrap())
    };
    assert_eq!(run(1), run(3));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_size_and_kind_of_band_gives_finite_values_within_the_bounds(
        shape in (1..12usize, 1..8usize, 1..8usize),
        kinds in prop::collection::vec(0..5u8, 12),
        scale in prop_oneof![Just(1.0_f32), Just(1e4), Just(1e-6)],
        seed in 0..1000u64,
    ) {
        let noisy = scale * kinds_of_bands(mixed(&scene(shape), 0.3, 0.5, seed), &kinds);
        for name in ["auto", "destripe+destripe:rows=true", "unclip"] {
            let got = by_name(name).unwrap().denoise(noisy.view()).unwrap();
            prop_assert_eq!(got.dim(), noisy.dim());
            prop_assert!(got.iter().all(|x| x.abs() <= 20.0 * scale), "{}", name);
        }
    }

    #[test]
    fn constant_cubes_stay_what_they_are(
        shape in (1..6usize, 1..12usize, 1..12usize),
        value in -2.0_f32..2.0,
    ) {
        let cube = Array3::from_elem(shape, value);
        let got = Auto::default().denoise(cube.view()).unwrap();
        prop_assert!(max_abs_diff(got.view(), cube.view()) < 1e-5);
    }
}
