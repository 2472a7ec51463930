//! Laws of the metrics, special values, and what is said about images that cannot be compared.
#![allow(clippy::unwrap_used)]

use std::f64::consts::FRAC_PI_2;

use approx::{assert_abs_diff_eq, assert_relative_eq};
use hsi_metrics::{Error, Image, Metrics, Variant, hyperbench};
use ndarray::{Array3, Axis, concatenate, s};
use proptest::prelude::*;

/// Numbers in [0, 1) from a small generator.
fn noise(shape: (usize, usize, usize), seed: u64) -> Array3<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    Array3::from_shape_simple_fn(shape, || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32
    })
}

fn shape() -> impl Strategy<Value = (usize, usize, usize)> {
    (1..5usize, 11..20usize, 11..20usize)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn an_image_equals_itself(shape in shape(), seed in any::<u64>()) {
        let x = noise(shape, seed);
        let m = Metrics::compute(x.view(), x.view(), 1.0).unwrap();
        prop_assert_eq!((m.psnr_db, m.psnr_global_db), (f64::INFINITY, f64::INFINITY));
        prop_assert_eq!((m.mse, m.rmse, m.ergas), (0.0, 0.0, 0.0));
        prop_assert!((m.ssim - 1.0).abs() < 1e-12 && (m.uiqi - 1.0).abs() < 1e-9);
        prop_assert!(m.sam_deg < 1e-5);
    }

    #[test]
    fn errors_and_similarities_are_symmetric(shape in shape(), seed in any::<u64>()) {
        let (x, y) = (noise(shape, seed), noise(shape, seed ^ 1));
        let there = Metrics::compute(x.view(), y.view(), 1.0).unwrap();
        let back = Metrics::compute(y.view(), x.view(), 1.0).unwrap();
        // ERGAS refers to the level of the reference and is not symmetric.
        prop_assert_eq!(Metrics { ergas: 0.0, ..there }, Metrics { ergas: 0.0, ..back });
        prop_assert!(there.ssim < 1.0 && there.uiqi <= 1.0 && there.sam_deg >= 0.0);
    }

    #[test]
    fn the_angle_does_not_see_brightness(shape in shape(), seed in any::<u64>(), gain in 0.01f32..100.0) {
        let x = noise(shape, seed);
        prop_assert!(hsi_metrics::sam(x.view(), (&x * gain).view()).unwrap() < 1e-6);
    }

    #[test]
    fn the_order_of_bands_does_not_matter(shape in shape(), seed in any::<u64>()) {
        let (x, y) = (noise(shape, seed), noise(shape, seed ^ 2));
        let (xr, yr) = (x.slice(s![..;-1, .., ..]), y.slice(s![..;-1, .., ..]));
        for variant in [Variant::Standard, Variant::HyperBench] {
            let a = Metrics::compute_variant(x.view(), y.view(), 1.0, variant).unwrap();
            let b = Metrics::compute_variant(xr, yr, 1.0, variant).unwrap();
            let pairs = [
                (a.psnr_db, b.psnr_db), (a.psnr_global_db, b.psnr_global_db), (a.ssim, b.ssim),
                (a.sam_deg, b.sam_deg), (a.mse, b.mse), (a.ergas, b.ergas), (a.uiqi, b.uiqi),
            ];
            for (a, b) in pairs {
                // The spectral angle of HyperBench is an f32 computation.
                prop_assert!((a - b).abs() <= 1e-5 * a.abs(), "{} {}", a, b);
            }
        }
    }

    #[test]
    fn range_and_data_scale_together(shape in shape(), seed in any::<u64>()) {
        let (x, y) = (noise(shape, seed), noise(shape, seed ^ 3));
        // A power of two, so that scaling is exact.
        let (x8, y8) = (&x * 8.0, &y * 8.0);
        let a = Metrics::compute(x.view(), y.view(), 1.0).unwrap();
        let b = Metrics::compute(x8.view(), y8.view(), 8.0).unwrap();
        prop_assert!((a.psnr_db - b.psnr_db).abs() < 1e-9);
        prop_assert!((a.ssim - b.ssim).abs() < 1e-9);
        prop_assert!((a.uiqi - b.uiqi).abs() < 1e-9);
        prop_assert!((a.ergas - b.ergas).abs() < 1e-9);
        prop_assert!((64.0 * a.mse - b.mse).abs() < 1e-9);
    }
}

#[test]
fn threads_and_memory_layout_do_not_matter() {
    let (x, y) = (noise((7, 33, 21), 5), noise((7, 33, 21), 6));
    let last =
        |a: &Array3<f32>| a.view().permuted_axes([1, 2, 0]).as_standard_layout().into_owned();
    let (xl, yl) = (last(&x), last(&y));
    for variant in [Variant::Standard, Variant::HyperBench] {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Metrics::compute_variant(x.view(), y.view(), 1.0, variant).unwrap())
        };
        let one = run(1);
        assert_eq!(one, run(4));
        let (xl, yl) = (xl.view().permuted_axes([2, 0, 1]), yl.view().permuted_axes([2, 0, 1]));
        assert_eq!(one, Metrics::compute_variant(xl, yl, 1.0, variant).unwrap());
    }
}

#[test]
fn bands_without_error_are_left_out_of_the_mean() {
    let x = Array3::from_elem((3, 8, 8), 0.5_f32);
    let mut y = x.clone();
    y.index_axis_mut(Axis(0), 1).fill(0.6);
    let per_band = hsi_metrics::psnr_per_band(x.view(), y.view(), 1.0).unwrap();
    assert_eq!((per_band[0], per_band[2]), (f64::INFINITY, f64::INFINITY));
    assert_relative_eq!(per_band[1], 20.0, epsilon = 1e-5);
    assert_eq!(hsi_metrics::psnr(x.view(), y.view(), 1.0).unwrap(), per_band[1]);
    let global = hsi_metrics::psnr_global(x.view(), y.view(), 1.0).unwrap();
    assert_relative_eq!(global, 20.0 + 10.0 * 3f64.log10(), epsilon = 1e-5);
}

#[test]
fn constant_and_zero_images_have_their_textbook_values() {
    let flat = |x: f32| Array3::from_elem((2, 12, 12), x);
    let (half, quarter, zero) = (flat(0.5), flat(0.25), flat(0.0));
    // Without variance the index is that of the levels.
    let q = |a: &Array3<f32>, b: &Array3<f32>| hsi_metrics::uiqi(a.view(), b.view()).unwrap();
    assert_relative_eq!(q(&half, &quarter), 0.8, epsilon = 1e-12);
    assert_eq!(q(&flat(0.3), &flat(0.3)), 1.0);
    assert_eq!(q(&zero, &zero), 1.0);
    assert_eq!(q(&zero, &half), 0.0);
    assert_relative_eq!(
        hyperbench::uiqi(half.view(), quarter.view()).unwrap(),
        0.64,
        epsilon = 1e-12
    );
    let angle = |a: &Array3<f32>, b: &Array3<f32>| hsi_metrics::sam(a.view(), b.view()).unwrap();
    assert_eq!(angle(&zero, &zero), 0.0);
    assert_eq!(angle(&zero, &half), FRAC_PI_2);
    assert_eq!(angle(&half, &zero), FRAC_PI_2);
    assert_relative_eq!(angle(&half, &flat(-0.5)), 2.0 * FRAC_PI_2, epsilon = 1e-7);
    assert_relative_eq!(
        hyperbench::sam_deg(zero.view(), zero.view()).unwrap(),
        90.0,
        epsilon = 1e-5
    );
    // Two bands: a right angle between the axes.
    let axis = |b: usize| {
        let mut cube = zero.clone();
        cube.index_axis_mut(Axis(0), b).fill(0.7);
        cube
    };
    assert_abs_diff_eq!(angle(&axis(0), &axis(1)), FRAC_PI_2, epsilon = 1e-12);
    let ergas =
        |a: &Array3<f32>, b: &Array3<f32>| hsi_metrics::ergas(a.view(), b.view(), 1.0).unwrap();
    assert_relative_eq!(ergas(&half, &quarter), 50.0, epsilon = 1e-9);
    assert_eq!(ergas(&zero, &zero), 0.0);
    assert_eq!(ergas(&zero, &half), f64::INFINITY);
}

#[test]
fn images_that_cannot_be_compared_are_errors() {
    let (x, y) = (noise((2, 9, 10), 1), noise((2, 9, 10), 2));
    let shape = Metrics::compute(x.view(), y.slice(s![.., .., 1..]), 1.0);
    assert_eq!(shape, Err(Error::Shape { expected: [2, 9, 10], got: [2, 9, 9] }));
    assert_eq!(
        hsi_metrics::sam(x.view(), y.slice(s![..1, .., ..])).map_err(|e| e.to_string()),
        Err("the estimate should have the shape [2, 9, 10] of the reference, got [1, 9, 10]"
            .to_owned())
    );
    for shape in [(0, 9, 9), (2, 0, 9), (2, 9, 0)] {
        let empty = Array3::<f32>::zeros(shape);
        let got = hsi_metrics::mse(empty.view(), empty.view());
        assert!(matches!(got, Err(Error::Empty { .. })), "{got:?}");
        assert!(hsi_metrics::sam_map(empty.view(), empty.view()).is_err());
    }
    let mut bad = y.clone();
    bad[[1, 3, 4]] = f32::INFINITY;
    bad[[1, 3, 5]] = f32::NAN;
    let got = hsi_metrics::ssim(x.view(), bad.view(), 1.0);
    let expected =
        Error::NonFinite { image: Image::Estimate, band: 1, row: 3, col: 4, value: f32::INFINITY };
    assert_eq!(got, Err(expected));
    let got = Metrics::compute(bad.view(), x.view(), 1.0).unwrap_err().to_string();
    assert_eq!(
        got,
        "every value should be finite, got inf in the reference at band 1, row 3, column 4"
    );

    let small = concatenate![Axis(1), x.slice(s![.., ..6, ..])];
    let got = hsi_metrics::ssim(small.view(), small.view(), 1.0);
    assert_eq!(got, Err(Error::Window { metric: "ssim", window: 7, rows: 6, cols: 10 }));
    assert!(hsi_metrics::uiqi(small.view(), small.view()).is_err());
    assert!(Metrics::compute(small.view(), small.view(), 1.0).is_err());
    assert!(hyperbench::ssim(x.view(), y.view()).is_err(), "11 rows");
    assert!(hyperbench::uiqi(x.view(), y.view()).is_ok());
    assert!(hyperbench::uiqi(x.slice(s![.., ..8, ..]), y.slice(s![.., ..8, ..])).is_err());
    assert!(Metrics::compute_variant(x.view(), y.view(), 1.0, Variant::HyperBench).is_err());
    // Exactly one window fits.
    let one = x.slice(s![.., ..7, ..7]);
    assert!(hsi_metrics::ssim(one, one, 1.0).is_ok());

    for range in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let got = hsi_metrics::psnr(x.view(), y.view(), range);
        assert!(matches!(got, Err(Error::DataRange { .. })), "{got:?}");
        assert!(hsi_metrics::ssim(x.view(), y.view(), range).is_err());
    }
    let got = Metrics::compute_variant(x.view(), y.view(), 255.0, Variant::HyperBench);
    assert_eq!(got, Err(Error::DataRange { expected: "1 for HyperBench", got: 255.0 }));
    for ratio in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let got = hsi_metrics::ergas(x.view(), y.view(), ratio);
        assert!(matches!(got, Err(Error::Ratio { .. })), "{got:?}");
    }
}

#[test]
fn metrics_are_plain_json() {
    let (x, y) = (noise((2, 9, 10), 1), noise((2, 9, 10), 2));
    let metrics = Metrics::compute(x.view(), y.view(), 1.0).unwrap();
    let json = serde_json::to_value(metrics).unwrap();
    let mut keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let expected = ["ergas", "mse", "psnr_db", "psnr_global_db", "rmse", "sam_deg", "ssim", "uiqi"];
    assert_eq!(keys, expected);
    assert_relative_eq!(json["psnr_db"].as_f64().unwrap(), metrics.psnr_db);
    let variant: Variant = serde_json::from_str("\"hyperbench\"").unwrap();
    assert_eq!(variant, Variant::HyperBench);
}
