//! Flags, files of settings and the published names of parameters.

use anyhow::{Result, ensure};
use hsi_data::Axes;
use serde_json::Value;

use super::{QUICK, averaged, multispectral, open, scene, with_pair, with_scene};
use crate::place::Place;

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
