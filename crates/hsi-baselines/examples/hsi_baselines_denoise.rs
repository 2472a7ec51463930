//! Denoises a small noisy cube with every baseline and prints the error before and after.
#![allow(clippy::print_stdout)] // a program: its output is the point

use hsi_baselines::{by_name, names};
use ndarray::Array3;

fn main() -> Result<(), hsi_baselines::Error> {
    let clean = Array3::from_shape_fn((24, 40, 40), |(b, r, c)| {
        0.5 + 0.2 * (r as f32 * 0.1 + b as f32 * 0.05).sin() * (c as f32 * 0.15).cos()
    });
    // Noise from a fixed sequence, uniform in [-0.2, 0.2].
    let mut state = 1u32;
    let noisy = clean.mapv(|x| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        x + 0.4 * ((state >> 8) as f32 / (1 << 24) as f32 - 0.5)
    });
    let rmse = |a: &Array3<f32>| (a - &clean).powi(2).mean().unwrap_or(f32::NAN).sqrt();
    println!("{:<10} rmse {:.4}", "noisy", rmse(&noisy));
    for name in names() {
        let denoised = by_name(name)?.denoise(noisy.view())?;
        println!("{name:<10} rmse {:.4}", rmse(&denoised));
    }
    Ok(())
}
