//! The metrics against values from numpy, scikit-image, sewar, and the HyperBench programs.

use std::path::Path;

use approx::assert_relative_eq;
use hsi_metrics::{Metrics, Variant, hyperbench};
use ndarray::{Array3, ArrayView3};
use ndarray_npy::read_npy;
use serde_json::Value;

type Golden = (Array3<f32>, Array3<f32>, Value);
type TestResult = Result<(), Box<dyn std::error::Error>>;

fn golden() -> Result<Golden, Box<dyn std::error::Error>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let expected = std::fs::read_to_string(data.join("expected.json"))?;
    let expected = serde_json::from_str(&expected)?;
    Ok((read_npy(data.join("reference.npy"))?, read_npy(data.join("estimate.npy"))?, expected))
}

fn check(name: &str, got: f64, expected: &Value) {
    let expected = expected.as_f64().unwrap_or(f64::NAN);
    eprintln!("{name}: {got} / {expected}");
    assert_relative_eq!(got, expected, max_relative = 1e-9);
}

fn check_all(name: &str, got: &[f64], expected: &Value) {
    let expected = expected.as_array().map_or(&[] as &[Value], Vec::as_slice);
    assert_eq!(got.len(), expected.len(), "{name}");
    for (got, expected) in got.iter().zip(expected) {
        check(name, *got, expected);
    }
}

#[test]
fn standard_definitions_match_numpy_and_scikit_image() -> TestResult {
    let (reference, estimate, expected) = golden()?;
    let (r, e) = (reference.view(), estimate.view());
    check("mse", hsi_metrics::mse(r, e)?, &expected["mse"]);
    check_all("mse", &hsi_metrics::mse_per_band(r, e)?, &expected["mse_per_band"]);
    check("psnr", hsi_metrics::psnr(r, e, 1.0)?, &expected["psnr"]);
    check("psnr range 2", hsi_metrics::psnr(r, e, 2.0)?, &expected["psnr_range_2"]);
    check("psnr global", hsi_metrics::psnr_global(r, e, 1.0)?, &expected["psnr_global"]);
    check_all("psnr", &hsi_metrics::psnr_per_band(r, e, 1.0)?, &expected["psnr_per_band"]);
    check_all("ssim", &hsi_metrics::ssim_per_band(r, e, 1.0)?, &expected["ssim_per_band"]);
    let range_2 = hsi_metrics::ssim_per_band(r, e, 2.0)?;
    check_all("ssim range 2", &range_2, &expected["ssim_per_band_range_2"]);
    check_all("uiqi", &hsi_metrics::uiqi_per_band(r, e)?, &expected["uiqi_per_band"]);
    check("sam", hsi_metrics::sam(r, e)?, &expected["sam"]);
    check("ergas", hsi_metrics::ergas(r, e, 0.25)?, &expected["ergas_quarter"]);
    let map = hsi_metrics::sam_map(r, e)?;
    check("sam map", map[[20, 0]], &expected["sam_20_0"]);
    assert_eq!(map[[20, 3]], 0.0, "zeros against zeros");
    assert_eq!(map[[21, 4]], std::f64::consts::FRAC_PI_2, "zeros against a spectrum");
    assert_eq!(map[[22, 5]], std::f64::consts::FRAC_PI_2, "a spectrum against zeros");
    Ok(())
}

#[test]
fn hyperbench_definitions_match_sewar() -> TestResult {
    let (reference, estimate, expected) = golden()?;
    let (r, e) = (reference.view(), estimate.view());
    let expected = &expected["hyperbench"];
    check("rmse", hyperbench::rmse(r, e)?, &expected["rmse"]);
    check("psnr", hyperbench::psnr(r, e)?, &expected["psnr"]);
    check("ssim", hyperbench::ssim(r, e)?, &expected["ssim"]);
    check("uiqi", hyperbench::uiqi(r, e)?, &expected["uiqi"]);
    check("ergas", hyperbench::ergas(r, e)?, &expected["ergas"]);
    Ok(())
}

#[test]
fn the_summary_agrees_with_the_single_metrics() -> TestResult {
    let (reference, estimate, _) = golden()?;
    let (r, e) = (reference.view(), estimate.view());
    let single = Metrics {
        psnr_db: hsi_metrics::psnr(r, e, 1.5)?,
        psnr_global_db: hsi_metrics::psnr_global(r, e, 1.5)?,
        ssim: hsi_metrics::ssim(r, e, 1.5)?,
        sam_deg: hsi_metrics::sam(r, e)?.to_degrees(),
        mse: hsi_metrics::mse(r, e)?,
        rmse: hsi_metrics::rmse(r, e)?,
        ergas: hsi_metrics::ergas(r, e, 1.0)?,
        uiqi: hsi_metrics::uiqi(r, e)?,
    };
    assert_eq!(Metrics::compute(r, e, 1.5)?, single);
    assert_eq!(Metrics::compute_variant(r, e, 1.5, Variant::Standard)?, single);
    let psnr_db = hyperbench::psnr(r, e)?;
    let single = Metrics {
        psnr_db,
        psnr_global_db: psnr_db,
        ssim: hyperbench::ssim(r, e)?,
        sam_deg: hyperbench::sam_deg(r, e)?,
        mse: hsi_metrics::mse(r, e)?,
        rmse: hyperbench::rmse(r, e)?,
        ergas: hyperbench::ergas(r, e)?,
        uiqi: hyperbench::uiqi(r, e)?,
    };
    assert_eq!(Metrics::compute_variant(r, e, 1.0, Variant::HyperBench)?, single);
    Ok(())
}

fn check_published(
    name: &str,
    reference: ArrayView3<'_, f32>,
    estimate: ArrayView3<'_, f32>,
    expected: &Value,
) -> TestResult {
    // Stored channel last.
    let (r, e) = (reference.permuted_axes([2, 0, 1]), estimate.permuted_axes([2, 0, 1]));
    let m = Metrics::compute_variant(r, e, 1.0, Variant::HyperBench)?;
    let cases = [
        ("RMSE", m.rmse),
        ("PSNR", m.psnr_db),
        ("SSIM", m.ssim),
        ("UIQI", m.uiqi),
        ("ERGAS", m.ergas),
    ];
    for (metric, got) in cases {
        let expected = match &expected[metric] {
            Value::String(text) => text.parse()?,
            value => value.as_f64().ok_or("a number")?,
        };
        eprintln!("{name} {metric}: {got} / {expected}");
        assert_relative_eq!(got, expected, max_relative = 1e-6);
    }
    let sam_deg = expected["SAM"].as_f64().ok_or("a number")?;
    eprintln!("{name} SAM: {} / {sam_deg}", m.sam_deg);
    assert_relative_eq!(m.sam_deg, sam_deg, epsilon = 0.01);
    Ok(())
}

#[test]
fn hyperbench_values_are_reproduced() -> TestResult {
    let Ok(shared) = std::env::var("HSI_TEST_DATA") else {
        eprintln!("skipped: HSI_TEST_DATA is not set");
        return Ok(());
    };
    let folder = Path::new(&shared).join("fixtures/spectralift");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not there", folder.display());
        return Ok(());
    }
    let load = |name: &str| read_npy::<_, Array3<f32>>(folder.join(name));
    let values: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("metrics_values.json"))?)?;
    let (gt, pred) = (load("metric_gt_40x36x12.npy")?, load("metric_pred_40x36x12.npy")?);
    let clipped = pred.mapv(|x| x.clamp(0.0, 1.0));
    let zeros_gt = load("metric_zeros_gt_40x36x12.npy")?;
    let zeros_pred = load("metric_zeros_pred_40x36x12.npy")?;
    let half = Array3::from_elem((20, 20, 3), 0.5);
    let quarter = Array3::from_elem((20, 20, 3), 0.25);
    let cases = [
        ("pair", &gt, &pred),
        ("pair_pred_clipped01", &gt, &clipped),
        ("identical", &gt, &gt),
        ("zeros_patch", &zeros_gt, &zeros_pred),
        ("const_0.5_vs_0.25_20x20x3", &half, &quarter),
    ];
    for (name, reference, estimate) in cases {
        check_published(name, reference.view(), estimate.view(), &values[name])?;
    }
    Ok(())
}
