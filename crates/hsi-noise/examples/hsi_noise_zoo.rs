//! Prints what each noise description does to a flat grey cube.
#![allow(clippy::print_stdout)] // a program: its output is the point

use hsi_noise::NoisePipeline;
use ndarray::Array3;

fn main() -> Result<(), hsi_noise::Error> {
    let clean = Array3::from_elem((16, 64, 64), 0.5_f32);
    let descriptions = [
        "none",
        "paper",
        "gaussian:0.1",
        "gaussian:0.05+stripe",
        "deadline:0.1",
        "impulse:0.1",
        "poisson:100",
        "niid:0.05:0.2",
        "snr:20",
    ];
    println!("{:<30} {:>10} {:>10}", "noise", "mean", "rmse");
    for description in descriptions {
        let noise: NoisePipeline = description.parse()?;
        let noisy = noise.apply(clean.view(), 42, 0)?;
        let mean = noisy.mean().unwrap_or(f32::NAN);
        let rmse = (&noisy - &clean).powi(2).mean().unwrap_or(f32::NAN).sqrt();
        println!("{:<30} {mean:>10.4} {rmse:>10.4}", noise.to_string());
    }
    Ok(())
}
