//! The network and its training against arrays of the published program.

use std::path::Path;

use ndarray::{Array1, Array2, Array3, ArrayView2, Axis};
use ndarray_npy::read_npy;
use spectralift::{Batch, LiftConfig, ModelKind, SpectralNet};

use crate::fixtures::{agree, cube, folder, matrix};

type Outcome = Result<(), Box<dyn std::error::Error>>;

type Layers = Vec<(Array2<f32>, Vec<f32>)>;

fn layers(folder: &Path, weight: &str, bias: &str) -> Result<Layers, Box<dyn std::error::Error>> {
    (1..=7)
        .map(|k| {
            let kernel = matrix::<f32>(folder, &weight.replace('#', &k.to_string()))?;
            let bias: Array1<f32> =
                read_npy(folder.join(format!("{}.npy", bias.replace('#', &k.to_string()))))?;
            Ok((kernel, bias.to_vec()))
        })
        .collect()
}

fn net(layers: &Layers) -> spectralift::Result<SpectralNet> {
    let of = |k: usize| -> (ArrayView2<'_, f32>, &[f32]) { (layers[k].0.view(), &layers[k].1) };
    SpectralNet::from_layers(std::array::from_fn(of))
}

/// Pixels of a cube, `[pixels, bands]`, and back.
fn pixels(cube: &Array3<f32>) -> Array2<f32> {
    let (bands, rows, cols) = cube.dim();
    Array2::from_shape_fn((rows * cols, bands), |(i, b)| cube[[b, i / cols, i % cols]])
}

#[test]
fn outputs_agree() -> Outcome {
    let Some(folder) = folder() else { return Ok(()) };
    let xs = pixels(&cube(&folder, "mlp_input_16x16x4")?);
    for (bias, wanted) in [
        ("mlp_w#_bias", "mlp_output_16x16x50"),
        ("mlp_b#_nonzero_bias", "mlp_output_nonzero_bias_16x16x50"),
    ] {
        let net = net(&layers(&folder, "mlp_w#_kernel", bias)?)?;
        agree(wanted, &net.apply(xs.view())?, &pixels(&cube(&folder, wanted)?), 5e-6);
    }
    Ok(())
}

#[test]
fn losses_follow_the_published_program() -> Outcome {
    let Some(folder) = folder() else { return Ok(()) };
    let start = net(&layers(&folder, "mlp_w#_kernel", "mlp_w#_bias")?)?;
    let msi = cube(&folder, "train_lr_msi_16x16x4")?;
    let hsi = cube(&folder, "train_lr_hsi_16x16x50")?;
    let inputs = pixels(&cube(&folder, "mlp_input_16x16x4")?);
    for (name, batch, epochs) in
        [("train_fullbatch", Batch::Whole, 100), ("train_tile6", Batch::Tile(6), 20)]
    {
        let mut net = start.clone();
        let config = LiftConfig { epochs, batch, ..LiftConfig::of(ModelKind::Published) };
        let report = net.train(msi.view(), hsi.view(), &config, &mut |_| ())?;
        let wanted: Array1<f64> = read_npy(folder.join(format!("{name}_losses.npy")))?;
        assert_eq!(report.losses.len(), wanted.len());
        // Signs of errors decide about gradients: rounding is amplified from epoch to epoch.
        assert!((report.losses[0] - wanted[0]).abs() < 1e-5, "{name}: {}", report.losses[0]);
        let last = |losses: &[f64]| losses[losses.len() - 3..].iter().sum::<f64>() / 3.0;
        let ratio = last(&report.losses) / last(&wanted.to_vec());
        assert!((0.7..1.3).contains(&ratio), "{name}: {ratio}");
        let ours = net.apply(inputs.view())?;
        let theirs = pixels(&cube(&folder, &format!("{name}_final_pred"))?);
        let mean = (&ours - &theirs).mapv(f32::abs).mean_axis(Axis(0)).map(|m| m.sum() / 50.0);
        assert!(mean.is_some_and(|mean| mean < 0.02), "{name}: {mean:?}");
    }
    Ok(())
}
