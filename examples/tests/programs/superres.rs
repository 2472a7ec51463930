//! `superres`: what it writes, what it takes, what it refuses.

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

#[test]
fn a_sweep_writes_a_table_with_its_failures() -> Result<()> {
    let place = with_scene()?;
    let lists = "--psfs gaussian,delta --ratios 2,24 --band-counts 3,4 --model affine";
    let said = place.ok(&format!("superres --input scene.npy --sweep {lists} {QUICK}"))?;
    assert!(said.stdout.contains("8 settings, 4 failed"), "{}", said.stdout);
    assert!(said.stderr.contains("24x"), "one pixel is too few: {}", said.stderr);
    let csv = String::from_utf8(place.bytes("s/sweep.csv")?)?;
    assert_eq!(csv.lines().count(), 1 + 4 * 2 + 4, "bicubic and affine, and failures: {csv}");
    assert_eq!(csv.matches(",success,").count(), 8);
    let page = String::from_utf8(place.bytes("s/sweep.md")?)?;
    assert!(page.contains("| delta | 2 | 3 | affine | 0."), "{page}");
    let report: Value = place.json("s/metrics.json")?;
    assert_eq!(report["rows"].as_array().map(Vec::len), Some(8));
    // From a file, as a list.
    place.write("c.yaml", "psfs: [gaussian]\nratios: [2, 3]\nsweep: true\ncompare: none\n")?;
    place.ok(&format!("superres --input scene.npy --config c.yaml {QUICK}"))?;
    assert_eq!(String::from_utf8(place.bytes("s/sweep.csv")?)?.lines().count(), 3);
    Ok(())
}

#[test]
fn a_sweep_takes_scenes_and_seeds() -> Result<()> {
    let place = with_scene()?;
    place.write_npy("b/cube.npy", &scene(16, 22, 26))?;
    place.ok(&format!(
        "superres --sweep --scenes scene.npy,b/cube.npy --seeds 3,1,2 --model affine --compare \
         bicubic {QUICK}"
    ))?;
    let csv = String::from_utf8(place.bytes("s/sweep.csv")?)?;
    let rmse = |scene: &str| -> Vec<f64> {
        let rows = csv.lines().filter(|row| row.starts_with(&format!("{scene},strict,affine,")));
        // Shapes in quotes have commas of their own: counted from the end.
        rows.filter_map(|row| row.rsplit(',').nth(8)?.parse().ok()).collect()
    };
    let report: Value = place.json("s/metrics.json")?;
    let rows = report["rows"].as_array().context("rows")?;
    let names: Vec<_> = rows.iter().map(|row| (&row["scene"], &row["method"])).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(rows.iter().all(|row| row["seeds"] == 3 && row["ratio"] == 2), "{rows:?}");
    for (scene, row) in [("scene", &rows[1]), ("b", &rows[3])] {
        let mut values = rmse(scene);
        assert_eq!((values.len(), &row["scene"]), (3, &Value::from(scene)));
        values.sort_by(f64::total_cmp);
        assert!(values[0] < values[2], "seeds draw other noise: {values:?}");
        assert_eq!(row["rmse"], values[1]);
    }
    // A seed of a sweep is that of a run of its own.
    place.ok(&format!("superres --input scene.npy --seed 2 --model affine {QUICK}"))?;
    let single: Report = place.json("s/metrics.json")?;
    assert!(rmse("scene").contains(&single.rows[1].rmse));
    Ok(())
}

#[test]
fn flags_of_the_other_mode_are_not_ignored() -> Result<()> {
    let place = with_pair()?;
    let real = "superres --lr-hsi lr.npy --hr-msi msi.npy --srf-file srf.npy --model affine \
                --no-pictures --save-dir s";
    for flag in [
        "--psf-type moffat",
        "--sigma 2",
        "--kernel-size 3",
        "--downsample-ratio 2",
        "--snr-spatial 30",
        "--snr-spectral none",
        "--gabor-psi 1",
        "--psf-file srf.npy",
    ] {
        let name = flag.split(' ').next().unwrap_or_default();
        place.refused(&format!("{real} {flag}"), &[name, "synthetic mode", "real mode"])?;
    }
    place
        .refused(&format!("{real} --srf-smoothness 1"), &["--srf-smoothness", "--estimate-srf"])?;
    place.refused(&format!("{real} --num-msi-bands 3"), &["srf.npy", "3 rows", "got 4"])?;
    let scene = "superres --input scene.npy --save-dir s";
    for flag in ["--srf-smoothness 1", "--msi-axes hwb", "--msi-variable x", "--wald-ratio 2"] {
        let name = flag.split(' ').next().unwrap_or_default();
        place.refused(&format!("{scene} {flag}"), &[name, "synthetic mode", "real mode"])?;
    }
    place.refused(&format!("{scene} --psf-variable k"), &["--psf-variable", "--psf-file"])?;
    place.refused(&format!("{scene} --srf-variable k"), &["--srf-variable", "--srf-file"])?;
    place.refused(&format!("{scene} --synthetic false"), &["--synthetic false", "--lr-hsi"])?;
    place.refused("superres --synthetic true --lr-hsi lr.npy --save-dir s", &["--input"])?;

    // The published configurations hold the parameters of both modes, and say which one is meant.
    place.write(
        "both.yaml",
        "synthetic: false\ninput: scene.npy\nlr_hsi_file: lr.npy\nhr_msi_file: msi.npy\n\
         srf_file: srf.npy\npsf_type: gaussian\nsigma: 3.4\nkernel_size: 7\nfwhm_factor: 4.2\n\
         downsample_ratio: 4\nsnr_spatial: 35\nsnr_spectral: 40\nmodel: affine\n",
    )?;
    let said = place.ok("superres --config both.yaml --no-pictures --save-dir s")?;
    for word in ["--psf-type", "--snr-spectral", "not used", "takes the place of --fwhm-factor"] {
        ensure!(said.stderr.contains(word), "no `{word}`: {}", said.stderr);
    }
    assert!(place.at("s/SR_lr_4_bands.npy").is_file());
    let said = place.ok(&format!("superres --config both.yaml --synthetic true {QUICK}"))?;
    ensure!(said.stderr.contains("real mode"), "{}", said.stderr);
    assert!(place.at("s/SR_scene_gaussian_2x_4_bands.npy").is_file());
    Ok(())
}

#[test]
fn templates_are_understood() -> Result<()> {
    let place = Place::new()?;
    place.write_npy("scene.npy", &scene(103, 66, 66))?;
    place.write_npy("msi.npy", &multispectral(&scene(24, 24, 28), 4))?;
    place.write_npy("lr.npy", &averaged(&scene(24, 24, 28), 2))?;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/superres");
    let mut count = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        place.write(&name, std::fs::read(&path)?)?;
        count += 1;
        let flags = match name.as_str() {
            "real-pair.yaml" => "--lr_hsi_file lr.npy --hr_msi_file msi.npy",
            // The lists are the template's; one of each will do here.
            "hyperbench-sweep.yaml" | "published-sweep.yaml" => {
                "--input scene.npy --epochs 1 --psfs delta --ratios 4 --band-counts 3"
            }
            _ => "--input scene.npy --model affine --compare none",
        };
        place.ok(&format!("superres --config {name} {flags} --no-pictures --save-dir s"))?;
    }
    assert_eq!(count, 11);
    Ok(())
}

#[test]
fn files_have_the_published_names_of_every_parameter() -> Result<()> {
    let place = with_scene()?;
    let flags = [
        ("synthetic", "true"),
        ("psf_type", "\"moffat\""),
        ("sigma", "1.5"),
        ("kernel_size", "3"),
        ("downsample_ratio", "2"),
        ("snr_spatial", "33"),
        ("snr_spectral", "38"),
        ("num_msi_bands", "3"),
        ("fwhm_factor", "3.5"),
        ("seed", "7"),
        ("lr_schedule", "\"cosine_restart\""),
        ("init_lr", "0.002"),
        ("max_lr", "0.02"),
        ("final_lr", "0.00001"),
        ("min_lr", "0.00002"),
        ("num_restarts", "3"),
        ("epochs", "6"),
        ("sin_hidden_size", "8"),
        ("training_batch_size", "50"),
        ("inference_batch_size", "40"),
        ("output_file_type", "\"matlab\""),
        ("verbose", "true"),
        ("model", "\"published\""),
        ("compare", "\"none\""),
        ("no_pictures", "true"),
    ];
    let lines = |between: &str, end: &str| -> String {
        flags.map(|(name, value)| format!("{name}{between}{value}")).join(end)
    };
    place.write("c.yaml", lines(": ", "\n"))?;
    place.write("c.toml", lines(" = ", "\n"))?;
    let quoted = flags.map(|(name, value)| format!("\"{name}\": {value}")).join(", ");
    place.write("c.json", format!("{{ {quoted} }}"))?;
    let mut results = Vec::new();
    for file in ["c.yaml", "c.toml", "c.json"] {
        place.ok(&format!("superres --input scene.npy --config {file} --save-dir {file}.d"))?;
        let run: Value = place.json(&format!("{file}.d/run.json"))?;
        let (case, model) = (&run["settings"]["case"], &run["settings"]["models"][0]);
        assert_eq!(case["psf"], "moffat");
        assert_eq!(case["snr_spatial_db"], 33.0);
        assert_eq!(case["snr_spectral_db"], 38.0);
        assert_eq!(model["epochs"], 6);
        assert_eq!(model["hidden_size"], 8);
        assert_eq!(model["seed"], 7);
        assert_eq!(model["schedule"]["num_restarts"], 3);
        assert_eq!(model["schedule"]["max_lr"], 0.02);
        assert_eq!(model["inference_batch"], 40);
        assert_eq!(model["batch"]["pixels"], 50);
        let name = "SR_scene_moffat_2x_3_bands.mat";
        results.push(open(&place, &format!("{file}.d/{name}"), Axes::Auto)?);
    }
    assert!(results.windows(2).all(|pair| pair[0].view() == pair[1].view()));
    // The command line wins, and its names are the same.
    place.ok(
        "superres --input scene.npy --config c.yaml --hidden_size 9 --training_batch_size 5 \
         --batch_tiles --output_file_type numpy --save_dir s",
    )?;
    let run: Value = place.json("s/run.json")?;
    assert_eq!(run["settings"]["models"][0]["hidden_size"], 9);
    assert_eq!(run["settings"]["models"][0]["batch"]["tile"], 5);
    Ok(())
}

#[test]
fn what_cannot_be_used_is_refused() -> Result<()> {
    let place = with_pair()?;
    let mut nan = scene(24, 24, 28);
    nan[[3, 4, 5]] = f32::NAN;
    place.write_npy("nan.npy", &nan)?;
    place.write_npy("small.npy", &scene(24, 10, 40))?;
    place.write_npy("flat.npy", &Array3::<f32>::ones((24, 16, 16)))?;
    place.write("sum0.npy", [])?;
    ndarray_npy::write_npy(place.at("sum0.npy"), &ndarray::array![[1.0f64, -1.0]])?;
    place.write("negative.npy", [])?;
    ndarray_npy::write_npy(place.at("negative.npy"), &srf(4, 24).mapv(|v| v - 0.1))?;
    ndarray_npy::write_npy(place.at("srf5.npy"), &srf(4, 20))?;
    ndarray_npy::write_npy(place.at("srf3.npy"), &srf(3, 24))?;
    ndarray_npy::write_npy(place.at("turned.npy"), &srf(4, 24).reversed_axes())?;
    let scene: &[(&str, &[&str])] = &[
        ("--input missing.npy", &["missing.npy"]),
        ("--input nan.npy", &["nan.npy", "band 3, row 4, column 5"]),
        ("--input small.npy", &["small.npy", "at least 11 x 11", "10 x 40"]),
        ("--input flat.npy", &["flat.npy", "do not differ"]),
        ("--input scene.npy --downsample-ratio 25", &["ratio", "24", "`25`"]),
        ("--input scene.npy --downsample-ratio 0", &["ratio", "`0`"]),
        ("--input scene.npy --downsample-ratio 24", &["two pixels"]),
        ("--input scene.npy --psf-type blob", &["psf-type", "`blob`", "gaussian"]),
        ("--input scene.npy --psf-file sum0.npy", &["sum0.npy", "sums to"]),
        ("--input scene.npy --psf-file missing.npy", &["missing.npy"]),
        (
            "--input scene.npy --psf-type gabor --gabor-lambda 2 --gabor-psi 1.5707963267948966",
            &["gabor", "sums to"],
        ),
        ("--input scene.npy --sigma 0", &["`sigma`"]),
        ("--input scene.npy --moffat-beta 2", &["--moffat-beta", "moffat"]),
        ("--input scene.npy --num-msi-bands 5", &["num-msi-bands", "`5`", "16"]),
        ("--input scene.npy --srf-file srf5.npy", &["srf5.npy", "24", "4 x 20"]),
        ("--input scene.npy --srf-file turned.npy", &["turned.npy", "transposed"]),
        ("--input scene.npy --srf-file negative.npy", &["negative.npy", "negative"]),
        ("--input scene.npy --true-wavelengths", &["--true-wavelengths", "wavelengths"]),
        ("--input scene.npy --estimate-srf", &["--estimate-srf", "real mode"]),
        ("--input scene.npy --snr-spatial loud", &["--snr-spatial", "loud"]),
        ("--input scene.npy --lr-schedule warm", &["lr-schedule", "`warm`", "one_cycle"]),
        (
            "--input scene.npy --lr-schedule cosine_restart --num-restarts 11 --epochs 10",
            &["num_restarts", "10", "`11`"],
        ),
        ("--input scene.npy --num-restarts 11 --epochs 10", &["num_restarts", "10", "`11`"]),
        ("--input scene.npy --epochs 0", &["`epochs`"]),
        ("--input scene.npy --psf-file scene.npy", &["scene.npy"]),
        ("--input scene.npy --srf-file scene.npy", &["scene.npy"]),
        ("--input scene.npy --training-batch-size 0", &["`training_batch_size`"]),
        ("--input scene.npy --inference-batch-size 0", &["`inference_batch_size`"]),
        ("--input scene.npy --batch-tiles", &["--training-batch-size"]),
        ("--input scene.npy --held-out 0.9", &["`held_out`"]),
        ("--input scene.npy --ridge -1", &["`ridge`"]),
        ("--input scene.npy --model best", &["model", "`best`", "fused"]),
        ("--input scene.npy --compare cubic", &["--compare", "`cubic`", "`bicubic`"]),
        ("--input scene.npy --normalisation percentiles:9:1", &["--normalisation", "percentiles"]),
        ("--input scene.npy --output-file-type tiff", &["--output-file-type", "numpy"]),
        ("--input scene.npy --output out.mat", &["out.mat", ".npy"]),
        ("--input scene.npy --output scene.npy", &["scene.npy", "would be lost"]),
        ("--input scene.npy --output no/such.npy", &["no/such.npy", "no folder"]),
        ("--input scene.npy --synthetic false", &["--synthetic"]),
        ("--input scene.npy --truth scene.npy", &["real mode"]),
        ("--input scene.npy --lr-hsi lr.npy", &["not both"]),
        ("--input scene.npy --psfs delta", &["--sweep"]),
        ("--input scene.npy --sweep --output out.npy", &["--sweep"]),
        ("--input scene.npy --sweep --psfs blob", &["`blob`"]),
        ("--input scene.npy --sweep --band-counts 5", &["`5`"]),
        ("", &["--input", "--lr-hsi"]),
        ("--lr-hsi lr.npy", &["--hr-msi"]),
        ("--hr-msi msi.npy", &["--lr-hsi"]),
        ("--sweep --lr-hsi lr.npy --hr-msi msi.npy", &["--input"]),
        ("--sweep", &["--input"]),
        ("--sweep --scenes scene.npy,missing.npy", &["missing.npy"]),
        ("--sweep --scenes scene.npy --input scene.npy", &["--scenes", "--input"]),
        ("--sweep --input scene.npy --seeds 1,x", &["--seeds", "1,x"]),
        ("--input scene.npy --seeds 1,2", &["--seeds", "--sweep"]),
        ("--input scene.npy --downsample-ratio 2.5", &["--downsample-ratio", "2.5"]),
    ];
    let real: &[(&str, &[&str])] = &[
        ("--hr-msi msi.npy", &["--srf-file", "--estimate-srf"]),
        ("--hr-msi msi.npy --srf-file srf3.npy", &["`msi.npy`", "4", "got 3"]),
        ("--hr-msi msi.npy --num-msi-bands 8", &["`msi.npy`", "4", "got 8"]),
        ("--hr-msi msi.npy --num-msi-bands 4 --estimate-srf", &["--estimate-srf"]),
        ("--hr-msi nan.npy --estimate-srf", &["nan.npy"]),
        ("--hr-msi small.npy --estimate-srf", &["12 x 14", "10 x 40"]),
        ("--hr-msi msi.npy --estimate-srf --srf-smoothness -1", &["srf-smoothness"]),
        ("--hr-msi msi.npy --srf-file srf.npy --truth lr.npy", &["`lr.npy`", "24 x 28"]),
        ("--hr-msi msi.npy --srf-file srf.npy --truth msi.npy", &["`msi.npy`", "24 bands"]),
        ("--hr-msi msi.npy --srf-file srf.npy --wald-ratio 13", &["`wald-ratio`", "`13`"]),
        ("--hr-msi msi.npy --srf-file srf.npy --wald-ratio 2 --truth scene.npy", &["--truth"]),
        ("--hr-msi msi.npy --srf-file srf.npy --psf-file sum0.npy", &["--psf-file"]),
    ];
    let real = real.iter().map(|(flags, words)| (format!("--lr-hsi lr.npy {flags}"), *words));
    let all = scene.iter().map(|(flags, words)| ((*flags).to_owned(), *words)).chain(real);
    for (flags, words) in all {
        place.refused(&format!("superres --save-dir s {flags}"), words)?;
        for left in std::fs::read_dir(place.at("s")).into_iter().flatten() {
            let left = left?.file_name();
            ensure!(left == "run.json", "{flags} left {}", left.to_string_lossy());
        }
    }
    Ok(())
}
