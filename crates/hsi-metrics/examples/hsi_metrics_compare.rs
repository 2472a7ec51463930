//! Prints the metrics of a smooth cube against versions of it that went wrong in different ways.
#![allow(clippy::print_stdout)] // a program: its output is the point

use hsi_metrics::Metrics;
use ndarray::{Array3, s};

fn main() -> Result<(), hsi_metrics::Error> {
    let clean = Array3::from_shape_fn((16, 48, 48), |(b, r, c)| {
        0.5 + 0.3 * ((r as f32 * 0.2).sin() * (c as f32 * 0.15).cos() + b as f32 * 0.02)
    });
    let mut striped = clean.clone();
    striped.slice_mut(s![.., .., ..;5]).mapv_inplace(|x| x + 0.1);
    let cases = [
        ("offset of 0.05", &clean + 0.05),
        ("darker by 20 %", &clean * 0.8),
        ("every fifth column striped", striped),
    ];
    println!("{:<28} {:>8} {:>8} {:>8} {:>8}", "estimate", "psnr dB", "ssim", "sam deg", "uiqi");
    for (name, estimate) in cases {
        let m = Metrics::compute(clean.view(), estimate.view(), 1.0)?;
        println!(
            "{name:<28} {:>8.2} {:>8.4} {:>8.3} {:>8.4}",
            m.psnr_db, m.ssim, m.sam_deg, m.uiqi
        );
    }
    Ok(())
}
