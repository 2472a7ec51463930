//! FastHyDe and FastHyIn.

use hsi_baselines::{Denoiser, Error, FastHyDe, FastHyIn};
use ndarray::{Array3, s};
use proptest::prelude::*;

use crate::common::{cube, fixtures, kinds_of_bands, max_abs_diff, psnr, scene, with_noise};

#[test]
fn fasthyde_equals_an_independent_implementation() {
    let Some(folder) = fixtures() else { return };
    let clean = cube(&folder, "s32_clean");
    // The published figures of the variant with the binary of the inventors of BM3D.
    for (name, published) in [("s32_g005", 35.11), ("s32_g010", 30.64), ("s32_paper", 16.73)] {
        let noisy = cube(&folder, &format!("{name}_noisy"));
        let got = FastHyDe::default().denoise(noisy.view()).unwrap();
        let expected = cube(&folder, &format!("{name}__FastHyDe_own"));
        let (ours, theirs) = (psnr(&got, &clean), psnr(&expected, &clean));
        assert!((ours - theirs).abs() < 0.01, "{name}: {ours} and {theirs} dB");
        assert!(ours > published - 0.05, "{name}: {ours} dB");
        // Ties between blocks fall either way, but rarely.
        let far = got.iter().zip(&expected).filter(|(a, b)| (*a - *b).abs() > 2e-3).count();
        assert!(far * 100 < got.len(), "{name}: {far} of {} values", got.len());
    }
    let noisy = cube(&folder, "odd_g010_noisy");
    let got = FastHyDe::default().denoise(noisy.view()).unwrap();
    let ours = psnr(&got, &cube(&folder, "odd_clean"));
    assert!(ours > 29.46, "odd_g010: {ours} dB");
}

#[test]
fn the_units_of_the_bands_do_not_matter() {
    let noisy = with_noise(&scene((12, 24, 20)), 0.05, 1);
    let expected = FastHyDe::default().denoise(noisy.view()).unwrap();
    let mut other = noisy.clone();
    for (b, mut band) in other.outer_iter_mut().enumerate() {
        band.mapv_inplace(|x| x * (1 << (b % 5)) as f32 + b as f32);
    }
    let mut got = FastHyDe::default().denoise(other.view()).unwrap();
    for (b, mut band) in got.outer_iter_mut().enumerate() {
        band.mapv_inplace(|x| (x - b as f32) / (1 << (b % 5)) as f32);
    }
    assert!(max_abs_diff(got.view(), expected.view()) < 1e-3);
}

#[test]
fn noise_that_differs_between_bands_is_told_by_whitening() {
    let clean = scene((24, 32, 32));
    let mut noisy = clean.clone();
    for (b, mut band) in noisy.outer_iter_mut().enumerate() {
        let sigma = if b % 2 == 0 { 0.01 } else { 0.2 };
        let mixed = with_noise(&clean.slice(s![b..=b, .., ..]).to_owned(), sigma, b as u64);
        band.assign(&mixed.index_axis(ndarray::Axis(0), 0));
    }
    let of = |iid| {
        let options = FastHyDe { iid, ..FastHyDe::default() };
        psnr(&options.denoise(noisy.view()).unwrap(), &clean)
    };
    assert!(of(false) > of(true) + 1.0, "{} and {}", of(false), of(true));
}

#[test]
fn counts_are_denoised_after_the_transform_of_anscombe() {
    // Sums of uniform numbers with the variance of counts.
    let clean = scene((16, 32, 32)) * 20.0;
    let unit = with_noise(&Array3::zeros(clean.dim()), 1.0, 3);
    let noisy = &clean + &(&unit * &clean.mapv(|x: f32| x.max(0.0).sqrt()));
    let poisson = FastHyDe { poisson: true, iid: true, normalise: false, ..FastHyDe::default() };
    let got = poisson.denoise(noisy.view()).unwrap();
    let gain = psnr(&got, &clean) - psnr(&noisy, &clean);
    assert!(gain > 8.0, "{gain} dB");
}

#[test]
fn missing_values_are_filled_in() {
    let clean = scene((20, 32, 30));
    let noisy = with_noise(&clean, 0.02, 4);
    let mut valid = Array3::from_elem(clean.dim(), true);
    valid.slice_mut(s![3..9, .., 12]).fill(false); // a dead line of some bands
    valid.slice_mut(s![.., 20..23, 4..7]).fill(false); // a hole through all
    valid.slice_mut(s![1.., 2, 2]).fill(false); // too few bands are left
    let mut hidden = noisy.clone();
    hidden.zip_mut_with(&valid, |x, &valid| *x = if valid { *x } else { 1e30 });
    let got = FastHyIn::default().inpaint(hidden.view(), valid.view()).unwrap();
    let worst = |range: ndarray::ArrayView3<'_, f32>, of: ndarray::ArrayView3<'_, f32>| {
        max_abs_diff(range, of)
    };
    let line = s![3..9, .., 12];
    assert!(max_abs_diff(got.slice(line), clean.slice(line)) < 0.06);
    let hole = s![.., 20..23, 4..7];
    assert!(worst(got.slice(hole), clean.slice(hole)) < 0.25);
    assert!(psnr(&got, &clean) > psnr(&noisy, &clean) + 3.0);

    let mut marked = noisy.clone();
    marked.zip_mut_with(&valid, |x, &valid| *x = if valid { *x } else { f32::NAN });
    assert_eq!(FastHyIn::default().denoise(marked.view()).unwrap(), got);
    // Where nothing is missing it is FastHyDe.
    let whole = FastHyIn::default().denoise(noisy.view()).unwrap();
    assert_eq!(whole, FastHyDe::default().denoise(noisy.view()).unwrap());
}

#[test]
fn what_cannot_be_denoised_is_an_error() {
    let mut noisy = with_noise(&scene((5, 9, 8)), 0.05, 1);
    let zero = FastHyDe { dimension: 0, ..FastHyDe::default() };
    let refused = zero.denoise(noisy.view());
    assert!(matches!(refused, Err(Error::Parameter { parameter: "dimension", .. })));
    let valid = Array3::from_elem((5, 9, 7), true);
    let refused = FastHyIn::default().inpaint(noisy.view(), valid.view());
    assert!(matches!(refused, Err(Error::Shape { .. })));
    noisy[[3, 1, 2]] = f32::NAN;
    let refused = FastHyDe::default().denoise(noisy.view());
    assert!(matches!(refused, Err(Error::NonFinite { band: 3, row: 1, col: 2, .. })));
    let valid = Array3::from_elem(noisy.dim(), true);
    let refused = FastHyIn::default().inpaint(noisy.view(), valid.view());
    assert!(matches!(refused, Err(Error::NonFinite { band: 3, row: 1, col: 2, .. })));
    noisy.slice_mut(s![3, .., ..]).fill(f32::NAN);
    let refused = FastHyIn::default().denoise(noisy.view());
    assert_eq!(refused, Err(Error::NoCompletePixel));
    noisy[[0, 0, 1]] = f32::NEG_INFINITY;
    let refused = FastHyIn::default().denoise(noisy.view());
    assert!(matches!(refused, Err(Error::NonFinite { band: 0, row: 0, col: 1, .. })));
    let empty = Array3::zeros((0, 3, 3));
    for method in [&FastHyDe::default() as &dyn Denoiser, &FastHyIn::default()] {
        assert!(matches!(method.denoise(empty.view()), Err(Error::Empty { .. })));
    }
}

#[test]
fn one_band_is_denoised_in_space() {
    let clean = scene((1, 40, 40));
    let noisy = with_noise(&clean, 0.1, 9);
    let got = FastHyDe::default().denoise(noisy.view()).unwrap();
    let gain = psnr(&got, &clean) - psnr(&noisy, &clean);
    assert!(gain > 6.0, "{gain} dB");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_size_and_kind_of_band_gives_finite_values(
        shape in (1..12usize, 1..8usize, 1..8usize),
        kinds in prop::collection::vec(0..5u8, 12),
        gap in 0..64usize,
        seed in 0..1000u64,
    ) {
        let noisy = kinds_of_bands(with_noise(&scene(shape), 0.1, seed), &kinds);
        let got = FastHyDe::default().denoise(noisy.view()).unwrap();
        prop_assert!(got.iter().all(|x| x.is_finite()));
        let mut gappy = noisy;
        let (b, r, c) = shape;
        if r * c > 1 {
            gappy[[gap % b, gap % r, gap % c]] = f32::NAN;
            let got = FastHyIn::default().denoise(gappy.view()).unwrap();
            prop_assert!(got.iter().all(|x| x.is_finite()));
        }
    }

    #[test]
    fn constant_cubes_stay_what_they_are(
        shape in (1..6usize, 1..12usize, 1..12usize),
        value in -2.0_f32..2.0,
    ) {
        let cube = Array3::from_elem(shape, value);
        let got = FastHyDe::default().denoise(cube.view()).unwrap();
        prop_assert!(max_abs_diff(got.view(), cube.view()) < 1e-5);
    }
}
