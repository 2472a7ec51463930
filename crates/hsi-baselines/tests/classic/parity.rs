//! Whole methods against stored outputs of HyDe and of an independent re-implementation.

use hsi_baselines::{SplitBregman, SureGrid, Variant, Wsrrr, by_name, soft};
use ndarray::{Array1, Array2, Array3};

use crate::support::{References, relative};

/// Largest absolute difference that a stored output may have; cubes lie in [0, 1].
const EXACT: f32 = 1e-3;

fn compare(references: &References, input: &str, output: &str, method: &str, limit: f32) {
    let noisy: Array3<f32> = references.cube(&format!("{input}_noisy"));
    let expected: Array3<f32> = references.cube(&format!("{input}__{output}"));
    let got = by_name(method).unwrap().denoise(noisy.view()).unwrap();
    let worst = (&got - &expected).iter().fold(0.0, |max: f32, x| max.max(x.abs()));
    assert!(worst < limit, "{input} {output} {method}: {worst}");
}

#[test]
fn outputs_equal_the_references() {
    let Some(references) = References::find() else { return };
    // HyDe runs FORPDN in f32.
    let cases = [
        ("WSRRR_fixed", "wsrrr", EXACT),
        ("OTVCA_fixed", "otvca", EXACT),
        ("OTVCA_hyde", "otvca:variant=hyde", EXACT),
        ("FORPDN_fixed", "forpdn:search=linear", EXACT),
        ("FORPDN_SURE_hyde", "forpdn:variant=hyde", 2e-3),
        ("HyRes_fixed", "hyres", EXACT),
        ("HyRes_hyde", "hyres:variant=hyde", EXACT),
    ];
    for input in ["s32_g005", "s32_g010", "s32_paper", "odd_g010"] {
        for (output, method, limit) in cases {
            compare(&references, input, output, method, limit);
        }
    }
    for input in ["s32_g005", "s32_g010", "s32_paper"] {
        compare(&references, input, "FORPDN_fixlog", "forpdn", EXACT);
    }
}

#[test]
fn hyde_in_double_precision_is_met() {
    let Some(references) = References::find() else { return };
    let noisy: Array3<f32> = references.cube("s32_g010_noisy");
    for (output, method) in [("hyres", "hyres:variant=hyde"), ("forpdn", "forpdn:variant=hyde")] {
        let expected: Array3<f64> = references.cube(&format!("low/{output}_f64_out_s32_g010"));
        let got = by_name(method).unwrap().denoise(noisy.view()).unwrap();
        let error = relative(got.view(), expected.view());
        assert!(error < 1e-5, "{output}: {error}");
    }
    let start: Array2<f64> = references.read("low/wsrrr_V0_hyde");
    let expected: Array3<f64> = references.cube("low/wsrrr_f64_out_s32_g010");
    let omega: Array1<f64> = references.read("low/wsrrr_omega");
    let wsrrr = Wsrrr { variant: Variant::Hyde, ..Wsrrr::default() };
    let levels = Array1::from_vec(wsrrr.noise_levels(noisy.view()).unwrap());
    assert!(relative(levels.view(), omega.view()) < 1e-5);
    let got = wsrrr.denoise_from(noisy.view(), start.view()).unwrap();
    let error = relative(got.view(), expected.view());
    assert!(error < 1e-5, "wsrrr: {error}");
}

#[test]
fn thresholds_and_risks_equal_the_reference() {
    let Some(references) = References::find() else { return };
    let values: Array1<f64> = references.read("low/sure_in");
    let values = values.mapv(|x| x as f32).to_vec();
    let expected: Array2<f64> = references.read("low/sure_grid");
    let grid = SureGrid::short(15);
    let thresholds = Array1::from_shape_fn(15, |index| grid.threshold(index));
    assert!(relative(thresholds.view(), expected.row(0)) < 1e-7);
    let risks = Array1::from_vec(grid.risks(&values));
    assert!(relative(risks.view(), expected.row(1)) < 1e-6);
    let best = grid.choose(&values);
    assert!(
        (best.threshold - 1.057_895_66).abs() < 1e-6 && (best.risk + 2_181.944_76).abs() < 1e-3
    );
    let pairs: Array2<f64> = references.read("low/soft_in_out_t1");
    let got = pairs.row(0).mapv(|x| soft(x as f32, 1.0));
    assert!(relative(got.view(), pairs.row(1)) < 1e-6);
}

#[test]
fn total_variation_equals_scikit_image() {
    let Some(references) = References::find() else { return };
    let images: Array3<f32> = references.cube("low/tv_in");
    for (name, weight, tolerance, max_iterations) in [
        ("w100_eps0.1_it100", 100.0, 0.1, 100),
        ("w100_eps0.001_it100", 100.0, 1e-3, 100),
        ("w100_eps1e-09_it3", 100.0, 1e-9, 3),
        ("w5_eps0.001_it100", 5.0, 1e-3, 100),
    ] {
        let expected: Array3<f32> = references.cube(&format!("low/tv_{name}"));
        let tv = SplitBregman { weight, tolerance, max_iterations };
        let error = relative(tv.denoise(images.view()).unwrap().view(), expected.view());
        assert!(error < 1e-5, "{name}: {error}");
    }
}

/// Mean over bands of the peak signal-to-noise ratio, for values of range 1.
fn psnr(clean: &Array3<f32>, estimate: &Array3<f32>) -> f64 {
    let bands = clean.outer_iter().zip(estimate.outer_iter()).map(|(clean, estimate)| {
        let squares = clean.iter().zip(&estimate).map(|(&a, &b)| f64::from(a - b).powi(2));
        -10.0 * (squares.sum::<f64>() / clean.len() as f64).log10()
    });
    bands.sum::<f64>() / clean.dim().0 as f64
}

/// What a re-implementation with the mistakes removed reaches, in dB.
#[test]
fn the_published_quality_is_reached() {
    let Some(references) = References::find() else { return };
    for (input, rows) in [
        ("s32_g005", [("hyres", 35.05), ("forpdn", 30.35), ("wsrrr", 34.26), ("otvca", 33.45)]),
        ("s32_g010", [("hyres", 30.76), ("forpdn", 27.24), ("wsrrr", 29.68), ("otvca", 29.42)]),
        ("s32_paper", [("hyres", 19.49), ("forpdn", 19.73), ("wsrrr", 18.05), ("otvca", 17.51)]),
        ("odd_g010", [("hyres", 29.91), ("forpdn", 26.74), ("wsrrr", 28.93), ("otvca", 26.92)]),
    ] {
        let scene = input.split('_').next().unwrap();
        let clean: Array3<f32> = references.cube(&format!("{scene}_clean"));
        let noisy: Array3<f32> = references.cube(&format!("{input}_noisy"));
        for (method, least) in rows {
            let got = psnr(&clean, &by_name(method).unwrap().denoise(noisy.view()).unwrap());
            // The figures are rounded to 0.01 dB.
            assert!(got >= least - 0.005, "{input} {method}: {got} dB, expected {least}");
        }
    }
}
