//! What deals with sparse noise: L1HyMixDe, the adaptive median, the flattening of spectra.

use hsi_baselines::{AdaptiveMedian, Denoiser, Error, FastHyDe, L1HyMixDe, SpectralTv, by_name};
use ndarray::{Array2, Array3, s};
use proptest::prelude::*;

use crate::common::{
    Numbers, cube, fixtures, kinds_of_bands, max_abs_diff, psnr, scene, with_noise,
};

/// Sets some values to 0 or 1.
fn with_impulses(cube: &Array3<f32>, share: f32, seed: u64) -> Array3<f32> {
    let mut numbers = Numbers::new(seed);
    cube.mapv(|x| match numbers.uniform() {
        draw if draw < share / 2.0 => 0.0,
        draw if draw < share => 1.0,
        _ => x,
    })
}

#[test]
fn impulses_are_put_into_the_sparse_part() {
    let clean = scene((24, 32, 32));
    let noisy = with_impulses(&with_noise(&clean, 0.03, 1), 0.05, 2);
    let ours = psnr(&L1HyMixDe::default().denoise(noisy.view()).unwrap(), &clean);
    let plain = psnr(&FastHyDe::default().denoise(noisy.view()).unwrap(), &clean);
    assert!(ours > plain + 5.0, "{ours} and {plain} dB");
}

#[test]
fn normal_noise_is_removed_better_than_by_the_best_known_implementation() {
    let Some(folder) = fixtures() else { return };
    let noisy = cube(&folder, "s32_g010_noisy");
    let got = L1HyMixDe::default().denoise(noisy.view()).unwrap();
    let ours = psnr(&got, &cube(&folder, "s32_clean"));
    assert!(ours > 28.38, "{ours} dB");
}

#[test]
fn the_adaptive_median_takes_impulses_and_nothing_else() {
    let clean = scene((3, 30, 26));
    let noisy = with_impulses(&clean, 0.3, 5);
    let got = AdaptiveMedian::default().denoise(noisy.view()).unwrap();
    let impulses = got.iter().filter(|&&x| x == 0.0 || x == 1.0).count();
    assert_eq!(impulses, 0);
    assert!(psnr(&got, &clean) > 30.0, "{}", psnr(&got, &clean));
    // The definition on one window: the value is the largest, the median is not extreme.
    let plane = Array3::from_shape_fn((1, 3, 3), |(_, r, c)| {
        [[1., 2., 3.], [4., 9., 6.], [7., 8., 5.]][r][c]
    });
    let got = AdaptiveMedian { largest: 3 }.denoise(plane.view()).unwrap();
    assert_eq!(got[[0, 1, 1]], 5.0);
    assert_eq!(got[[0, 1, 0]], 4.0);
    for largest in [0, 1, 4, 257] {
        let refused = AdaptiveMedian { largest }.denoise(plane.view());
        assert!(matches!(refused, Err(Error::Parameter { parameter: "largest", .. })), "{largest}");
    }
}

#[test]
fn spectra_are_flattened_as_by_the_reference() {
    let Some(folder) = fixtures() else { return };
    for name in ["s32_g005", "s32_g010", "s32_paper"] {
        let input = cube(&folder, &format!("{name}__HyRes_hyde"));
        let (bands, rows, cols) = input.dim();
        let matrix = input.into_shape_with_order((bands, rows * cols)).unwrap();
        let got = SpectralTv::default().apply(matrix.view()).unwrap();
        let expected = cube(&folder, &format!("{name}__HyMiNoR_hyde"));
        let expected = expected.into_shape_with_order((bands, rows * cols)).unwrap();
        let difference = max_abs_diff(got.view(), expected.view());
        assert!(difference < 5e-4, "{name}: {difference}");
    }
}

#[test]
fn spectra_are_flattened_as_with_dense_matrices() {
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let read = |name: &str| -> Array2<f32> { ndarray_npy::read_npy(data.join(name)).unwrap() };
    let tv = SpectralTv { lambda: 1.5, mu_fit: 0.4, mu_difference: 0.7, iterations: 60 };
    let got = tv.apply(read("spectral_tv_in.npy").view()).unwrap();
    let difference = max_abs_diff(got.view(), read("spectral_tv_out.npy").view());
    assert!(difference < 1e-4, "{difference}");
}

#[test]
fn hyminor_equals_the_reference() {
    let Some(folder) = fixtures() else { return };
    let method = by_name("hyminor:variant=hyde").unwrap();
    for name in ["s32_g005", "s32_g010", "s32_paper"] {
        let got = method.denoise(cube(&folder, &format!("{name}_noisy")).view()).unwrap();
        let expected = cube(&folder, &format!("{name}__HyMiNoR_hyde"));
        let difference = max_abs_diff(got.view(), expected.view());
        assert!(difference < 1e-3, "{name}: {difference}");
    }
    // Where the reference multiplies spectra by -1.
    let noisy = cube(&folder, "odd_g010_noisy");
    let ours = psnr(&method.denoise(noisy.view()).unwrap(), &cube(&folder, "odd_clean"));
    assert!(ours > 22.0, "{ours} dB");
}

#[test]
fn steps_of_spectra_survive_and_single_values_do_not() {
    let mut spectra =
        Array2::from_shape_fn((40, 3), |(b, p)| if b < 20 { 0.2 } else { 0.7 + p as f32 });
    let clean = spectra.clone();
    spectra[[7, 0]] = 0.9;
    spectra[[30, 1]] = 0.1;
    // Without much smoothing, and converged.
    let tv = SpectralTv { lambda: 0.6, iterations: 2000, ..SpectralTv::default() };
    let got = tv.apply(spectra.view()).unwrap();
    assert!(max_abs_diff(got.view(), clean.view()) < 2e-3);
    let refused = SpectralTv { mu_fit: 0.0, ..tv }.apply(spectra.view());
    assert!(matches!(refused, Err(Error::Parameter { parameter: "mu_fit", .. })));
    assert_eq!(tv.apply(Array2::zeros((0, 3)).view()).unwrap().dim(), (0, 3));
}

#[test]
fn what_makes_no_sense_is_an_error() {
    let mut cube = scene((4, 9, 9));
    let good = L1HyMixDe::default();
    for (wrong, name) in [
        (L1HyMixDe { dimension: 0, ..good }, "dimension"),
        (L1HyMixDe { outlier: -1.0, ..good }, "outlier"),
        (L1HyMixDe { iterations: 0, ..good }, "iterations"),
        (L1HyMixDe { window: 2, ..good }, "largest"),
    ] {
        let refused = wrong.denoise(cube.view());
        assert!(
            matches!(refused, Err(Error::Parameter { parameter, .. }) if parameter == name),
            "{name}"
        );
    }
    cube.slice_mut(s![2, 3, 4]).fill(f32::NAN);
    assert!(matches!(good.denoise(cube.view()), Err(Error::NonFinite { band: 2, .. })));
    assert!(matches!(good.denoise(Array3::zeros((2, 2, 0)).view()), Err(Error::Empty { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_size_and_kind_of_band_gives_finite_values(
        shape in (1..12usize, 1..8usize, 1..8usize),
        kinds in prop::collection::vec(0..5u8, 12),
        seed in 0..1000u64,
    ) {
        let noisy = kinds_of_bands(with_noise(&scene(shape), 0.1, seed), &kinds);
        let got = L1HyMixDe::default().denoise(noisy.view()).unwrap();
        prop_assert_eq!(got.dim(), noisy.dim());
        prop_assert!(got.iter().all(|x| x.is_finite()));
        let got = by_name("hyminor").unwrap().denoise(noisy.view()).unwrap();
        prop_assert!(got.iter().all(|x| x.is_finite()));
    }

    #[test]
    fn equal_values_of_a_spectrum_stay(bands in 1..20usize, pixels in 1..70usize, value in -2.0_f32..2.0) {
        let matrix = Array2::from_elem((bands, pixels), value);
        let got = SpectralTv { iterations: 500, ..SpectralTv::default() }.apply(matrix.view()).unwrap();
        prop_assert!(max_abs_diff(got.view(), matrix.view()) < 1e-3);
    }
}
