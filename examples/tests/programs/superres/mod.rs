//! `superres`: what it writes and what it takes.

mod refused;
mod settings;
mod sweep;

use anyhow::{Context, Result, ensure};
use hsi_data::{Axes, OpenOptions};
use hsi_train::Report;
use ndarray::{Array2, Array3, s};
use serde_json::Value;

use crate::place::Place;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
/// Settings that take a moment.
const QUICK: &str = "--downsample-ratio 2 --kernel-size 2 --sigma 1.2 --save-dir s";

/// Mixtures of three spectra in smooth amounts: what a sensor of few bands tells apart.
fn scene(bands: usize, rows: usize, cols: usize) -> Array3<f32> {
    Array3::from_shape_fn((bands, rows, cols), |(b, r, c)| {
        let x = b as f32 / bands as f32;
        let spectra = [1.0 - x, x * x, (3.0 * x).sin()];
        let amounts = [
            1.0 + (0.5 * r as f32).sin(),
            1.0 + (0.4 * c as f32).cos(),
            1.0 + (0.3 * (r + c) as f32).sin(),
        ];
        400.0 * spectra.iter().zip(amounts).map(|(s, a)| s * a).sum::<f32>() + 300.0
    })
}

/// Averages squares of pixels.
fn averaged(cube: &Array3<f32>, ratio: usize) -> Array3<f32> {
    let (bands, rows, cols) = cube.dim();
    Array3::from_shape_fn((bands, rows / ratio, cols / ratio), |(b, r, c)| {
        let block = s![b, r * ratio..(r + 1) * ratio, c * ratio..(c + 1) * ratio];
        cube.slice(block).sum() / (ratio * ratio) as f32
    })
}

/// Means of neighbouring bands.
fn multispectral(cube: &Array3<f32>, count: usize) -> Array3<f32> {
    let (bands, rows, cols) = cube.dim();
    let width = bands / count;
    Array3::from_shape_fn((count, rows, cols), |(m, r, c)| {
        cube.slice(s![m * width..(m + 1) * width, r, c]).sum() / width as f32
    })
}

fn srf(count: usize, bands: usize) -> Array2<f64> {
    Array2::from_shape_fn((count, bands), |(m, b)| f64::from(u8::from(b / (bands / count) == m)))
}

fn with_scene() -> Result<Place> {
    let place = Place::new()?;
    place.write_npy("scene.npy", &scene(24, 24, 28))?;
    Ok(place)
}

/// A real pair: cube 12 x 14, image 24 x 28 of four bands, their response and the truth.
fn with_pair() -> Result<Place> {
    let place = with_scene()?;
    let truth = scene(24, 24, 28);
    place.write_npy("lr.npy", &averaged(&truth, 2))?;
    place.write_npy("msi.npy", &multispectral(&truth, 4))?;
    place.write("srf.npy", [])?;
    ndarray_npy::write_npy(place.at("srf.npy"), &srf(4, 24))?;
    Ok(place)
}

fn open(place: &Place, path: &str, axes: Axes) -> Result<hsi_data::Cube> {
    Ok(hsi_data::open(place.at(path), &OpenOptions { axes, ..OpenOptions::default() })?)
}
#[test]
fn a_scene_is_degraded_reconstructed_and_scored() -> Result<()> {
    let place = with_scene()?;
    let line = format!("superres --input scene.npy --model residual --epochs 30 --verbose {QUICK}");
    let said = place.ok(&line)?;
    for word in ["| bicubic", "| affine", "| residual", "PSF gaussian", "epoch 30 of 30"] {
        ensure!(said.stdout.contains(word), "no `{word}`: {}", said.stdout);
    }
    let report: Report = place.json("s/metrics.json")?;
    let names: Vec<_> = report.rows.iter().map(|row| row.method.as_str()).collect();
    assert_eq!(names, ["bicubic", "affine", "residual"]);
    let rows = &report.rows;
    assert!(rows[1].psnr_global_db > rows[0].psnr_global_db + 3.0, "{rows:?}");
    assert!(rows[2].parameters > rows[1].parameters);
    let metrics: Value = place.json("s/metrics.json")?;
    assert_eq!(metrics["definitions"], "hyperbench");

    let csv = String::from_utf8(place.bytes("s/metrics.csv")?)?;
    let mut lines = csv.lines();
    assert_eq!(
        lines.next(),
        Some(
            "scene_name,shape_policy,method_name,psf_name,sigma,kernel_size,downsampling_ratio,\
             msi_band_count,spatial_snr,spectral_snr,fwhm_factor,seed,gt_shape,lr_hsi_shape,\
             hr_msi_shape,prediction_clipped,prediction_clip_min,prediction_clip_max,framework,\
             training_time_sec,inference_time_sec,num_parameters,flops,gpu_memory_mb,RMSE,PSNR,\
             SSIM,UIQI,ERGAS,SAM,status,error,runtime_seconds"
        )
    );
    let begins = "scene,strict,bicubic,gaussian,1.2,5,2,4,40,40,4.2,42,\"(24, 28, 24)\",\
                  \"(12, 14, 24)\",\"(24, 28, 4)\",False,0,1,rust,";
    let first = lines.next().context("no row")?;
    assert!(first.starts_with(begins), "{first}");
    let rows: Vec<&str> = std::iter::once(first).chain(lines).collect();
    assert_eq!(rows.len(), 3);
    for row in rows {
        let flops = row.rsplit(',').nth(10).context("no such column")?;
        assert!(flops.parse::<u64>()? > 100_000, "{row}");
    }

    let run: Value = place.json("s/run.json")?;
    assert_eq!(run["settings"]["models"][1]["epochs"], 30);
    assert_eq!(run["settings"]["case"]["ratio"], 2);
    for picture in ["images", "spectra", "srf", "psf", "loss"] {
        let bytes = place.bytes(format!("s/{picture}.png"))?;
        assert!(bytes.starts_with(PNG) && bytes.len() > 1000, "{picture}");
    }
    let result = open(&place, "s/SR_scene_gaussian_2x_4_bands.npy", Axes::Hwb)?;
    assert_eq!(result.view().dim(), (24, 24, 28));
    assert!(result.view().iter().all(|v| (0.0..=1.0).contains(v)));

    // Another run in the folder leaves nothing of this one.
    let real = "--lr-hsi scene.npy --hr-msi scene.npy --srf-file eye.npy --model affine";
    ndarray_npy::write_npy(place.at("eye.npy"), &Array2::<f64>::eye(24))?;
    place.ok(&format!("superres {real} --no-pictures --save-dir s"))?;
    for stale in ["s/metrics.csv", "s/images.png", "s/loss.png"] {
        assert!(!place.at(stale).exists(), "{stale}");
    }
    Ok(())
}

#[test]
fn pieces_and_file_types_do_not_change_the_result() -> Result<()> {
    let place = with_scene()?;
    let run = |flags: &str| {
        let base = format!("superres --input scene.npy {QUICK} --no-pictures --compare none");
        place.ok(&format!("{base} {flags}"))
    };
    for (model, flags) in [("fused", ""), ("published", "--epochs 5"), ("affine", "")] {
        let flags = format!("--model {model} {flags}");
        run(&format!("{flags} --output whole.npy"))?;
        for pixels in [1, 7, 100] {
            run(&format!("{flags} --output pieces.npy --inference-batch-size {pixels}"))?;
            ensure!(place.bytes("whole.npy")? == place.bytes("pieces.npy")?, "{model} {pixels}");
        }
    }
    run("--model affine --output a.mat --output-file-type matlab")?;
    run("--model affine --output a.h5 --output-file-type h5 --output-axes hwb")?;
    run("--model affine --output b.npy --output-axes bhw")?;
    let reference = open(&place, "whole.npy", Axes::Hwb)?;
    for (file, axes) in [("a.mat", Axes::Auto), ("a.h5", Axes::Auto), ("b.npy", Axes::Bhw)] {
        ensure!(open(&place, file, axes)?.view() == reference.view(), "{file}");
    }
    for (file, rank) in [("a.mat", [24, 28, 24]), ("a.h5", [24, 28, 24])] {
        let arrays = hsi_data::contents(place.at(file))?;
        let array = arrays.iter().find(|array| array.name.ends_with("SR_image"));
        let array = array.with_context(|| format!("{file}: {arrays:?}"))?;
        assert_eq!(array.shape, rank, "{file}: rows, columns, bands");
    }
    // On the scale of the input.
    run("--model affine --output scaled.npy --output-axes bhw --output-scale input")?;
    let scaled = place.cube("scaled.npy")?;
    let truth = scene(24, 24, 28);
    let error = (&scaled.view() - &truth.view()).mapv(f32::abs).mean().unwrap_or(f32::NAN);
    assert!(error < 60.0, "{error}");
    Ok(())
}

#[test]
fn two_images_are_joined_by_any_response() -> Result<()> {
    let place = with_pair()?;
    let base = "superres --lr-hsi lr.npy --hr-msi msi.npy --save-dir s --no-pictures";
    let score = |flags: &str| -> Result<f64> {
        place.ok(&format!("{base} {flags} --truth scene.npy"))?;
        let report: Report = place.json("s/metrics.json")?;
        Ok(report.rows.last().context("no row")?.psnr_global_db)
    };
    let given = score("--srf-file srf.npy --model affine")?;
    assert!(given > 35.0, "{given}");
    assert!(place.at("s/SR_lr_4_bands.npy").is_file());
    // Gain and offset of the image are found with the response.
    let units = scene(24, 24, 28);
    place.write_npy("msi.npy", &multispectral(&units, 4).mapv(|v| 0.01 * v - 3.0))?;
    let wrong = place.ok(&format!("{base} --srf-file srf.npy --model affine"))?;
    assert!(wrong.stderr.contains("same units"), "{}", wrong.stderr);
    let estimated = score("--estimate-srf --srf-smoothness 1e-4 --model affine")?;
    assert!(estimated > 35.0, "{estimated}");
    // A known sensor, by the published name of the flag.
    let built = place.ok(&format!("{base} --num_bands_msi_non_synthetic 4 --synthetic false"))?;
    assert!(built.stdout.contains("SR_lr_4_bands.npy"), "{}", built.stdout);

    // Wald's protocol: the same result as the average by hand.
    place.write_npy("msi.npy", &multispectral(&units, 4))?;
    place.ok("superres --lr-hsi scene.npy --hr-msi msi.npy --wald-ratio 2 --srf-file srf.npy \
         --model affine --output w.npy --save-dir w")?;
    place.ok(&format!("{base} --srf-file srf.npy --model affine --output h.npy"))?;
    let (wald, by_hand) = (place.cube("w.npy")?, place.cube("h.npy")?);
    let difference = (&wald.view() - &by_hand.view()).fold(0.0f32, |most, d| most.max(d.abs()));
    assert!(difference < 1e-3, "{difference}");
    let report: Report = place.json("w/metrics.json")?;
    assert_eq!(report.rows.len(), 2, "bicubic and affine");
    Ok(())
}

#[test]
fn real_sensors_are_joined() -> Result<()> {
    let Some(data) = std::env::var_os("HSI_TEST_DATA") else {
        eprintln!("skipped: HSI_TEST_DATA is not set");
        return Ok(());
    };
    let place = Place::new()?;
    let folder = std::path::Path::new(&data).join("data/cubes/paris_hyperion_ali");
    for file in ["cube.npy", "ms_ali_9b.npy"] {
        place.write(file, std::fs::read(folder.join(file))?)?;
    }
    let said = place
        .ok("superres --lr-hsi cube.npy --hr-msi ms_ali_9b.npy --estimate-srf --wald-ratio 3 \
         --save-dir s")?;
    assert!(said.stdout.contains("estimated SRF"), "{}", said.stdout);
    let report: Report = place.json("s/metrics.json")?;
    let psnr: Vec<f64> = report.rows.iter().map(|row| row.psnr_global_db).collect();
    // 25.1, 27.3 and 27.3 dB when this was written.
    assert!(psnr[1] > psnr[0] + 2.0 && psnr[2] > psnr[1] - 0.05, "{psnr:?}");
    Ok(())
}

#[test]
fn what_has_no_data_is_dropped_from_images_and_response() -> Result<()> {
    let place = with_pair()?;
    let truth = scene(24, 24, 28);
    // Band 5 was not measured; a pixel of each image was not, either.
    let (mut lr, mut msi) = (averaged(&truth, 2), multispectral(&truth, 4));
    lr.slice_mut(s![5, .., ..]).fill(-32768.0);
    lr.slice_mut(s![.., 3, 4]).fill(-32768.0);
    msi.slice_mut(s![.., 20, 2]).fill(-32768.0);
    place.write_npy("lr.npy", &lr)?;
    place.write_npy("msi.npy", &msi)?;
    let said = place.ok(
        "superres --lr-hsi lr.npy --hr-msi msi.npy --srf-file srf.npy --nodata -32768 \
         --model fused --normalisation fixed:0:3000 --output out.npy --output-axes bhw \
         --output-scale input --save-dir s",
    )?;
    assert!(said.stderr.contains("23 of the 24 bands"), "{}", said.stderr);
    let out = place.cube("out.npy")?;
    assert_eq!(out.view().dim(), (23, 24, 28));
    for ((band, row, col), &value) in out.view().indexed_iter() {
        if (row, col) == (20, 2) {
            ensure!(value == -32768.0, "{value}");
            continue;
        }
        let expected = truth[[band + usize::from(band >= 5), row, col]];
        ensure!((value - expected).abs() < 120.0, "{band} {row} {col}: {value} {expected}");
    }
    // A multispectral band that was not measured leaves its row of the response out.
    msi.slice_mut(s![2, .., ..]).fill(-32768.0);
    place.write_npy("three.npy", &msi)?;
    let said = place
        .ok("superres --lr-hsi lr.npy --hr-msi three.npy --srf-file srf.npy --nodata -32768 \
         --model affine --no-pictures --save-dir t")?;
    assert!(said.stderr.contains("3 of the 4 bands of `three.npy`"), "{}", said.stderr);
    assert!(place.at("t/SR_lr_3_bands.npy").is_file());
    // A scene of its own with such a band and pixel.
    let mut cube = truth.clone();
    cube.slice_mut(s![5, .., ..]).fill(-32768.0);
    cube.slice_mut(s![.., 3, 4]).fill(-32768.0);
    place.write_npy("holes.npy", &cube)?;
    let said = place.ok(&format!("superres --input holes.npy --nodata -32768 {QUICK}"))?;
    assert!(said.stderr.contains("1 pixels have no data"), "{}", said.stderr);
    let report: Report = place.json("s/metrics.json")?;
    assert!(report.rows[1].psnr_global_db > 30.0, "{:?}", report.rows[1]);
    Ok(())
}
