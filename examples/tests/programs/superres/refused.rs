//! What is refused, in one sentence.

use anyhow::{Result, ensure};
use ndarray::Array3;

use super::{scene, srf, with_pair};

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
