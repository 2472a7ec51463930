//! Times the training of the published network on synthetic pixels; one JSON line each on standard
//! output.
//!
//! `benches/peer_torch.py` prints the same lines for PyTorch. A row is a whole training of 2500
//! full-batch epochs (250 with `HSI_BENCH_QUICK=1`), from fresh weights to the last update; its
//! time depends on the sizes, not on the values.
//!
//! ```console
//! $ cargo run --release -p spectralift --example spectralift_bench
//! ```

#![expect(clippy::print_stdout, reason = "a program that reports on standard output")]

use ndarray::Array3;
use spectralift::{LiftConfig, ModelKind, Result, SpectralNet, unit_normals};

/// Rows, columns and bands of the low-resolution cube; the sensor has four bands.
const SIZES: [(usize, usize, usize); 2] = [(32, 16, 218), (64, 64, 102)];
const MSI_BANDS: usize = 4;

fn main() -> Result<()> {
    let quick = std::env::var_os("HSI_BENCH_QUICK").is_some();
    let epochs = if quick { 250 } else { 2500 };
    let config = LiftConfig { epochs, ..LiftConfig::of(ModelKind::Published) };
    for (rows, cols, bands) in SIZES {
        let image = |bands, index| -> Array3<f32> {
            unit_normals((bands, rows, cols), 1, index).mapv(|v| 0.5 + 0.1 * v)
        };
        let (msi, hsi) = (image(MSI_BANDS, 0), image(bands, 1));
        let mut net = SpectralNet::new(MSI_BANDS, config.hidden_size, bands, config.seed)?;
        let report = net.train(msi.view(), hsi.view(), &config, &mut |_| ())?;
        let threads = rayon::current_num_threads();
        let (pixels, hidden) = (rows * cols, config.hidden_size);
        println!(
            r#"{{"op": "spectral_net_{epochs}_epochs", "shape": [{pixels}, {MSI_BANDS}, {hidden}, {bands}], "direction": "training", "threads": {threads}, "dtype": "f32", "median_ms": {:.3}}}"#,
            report.train_seconds * 1e3
        );
    }
    Ok(())
}
