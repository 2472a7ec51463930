//! Times quantising, dequantising, the 4-bit product and 8-bit AdamW; one JSON line each on
//! standard output.
//!
//! `benches/peer_bitsandbytes.py` prints the same lines for bitsandbytes. Arguments: `--threads N`
//! (default: all), `--only NAME` for one operation.
//!
//! ```console
//! $ cargo run --release -p quant-nf4 --example quant_nf4_bench -- --threads 2
//! ```

#![expect(clippy::print_stdout, reason = "a program that reports on standard output")]

use std::time::{Duration, Instant};

use candle_core::{Device, Tensor, Var};
use grad_ops::{AdamWStep, LinearLayer};
use quant_nf4::{AdamW8bitState, Linear4bit, QuantConfig, QuantizedTensor, Result};

/// Rows and columns of the weights: those of a small vision transformer, and a large one.
const WEIGHTS: [(usize, usize); 4] = [(1152, 384), (384, 384), (1536, 384), (4096, 4096)];

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let option = |name: &str| {
        let place = args.iter().position(|arg| arg == name)?;
        args.get(place + 1).cloned()
    };
    grad_ops::keep_freed_memory();
    let threads = option("--threads").and_then(|n| n.parse().ok()).unwrap_or(0);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    pool.map_err(candle_core::Error::wrap)?;
    let only = option("--only");
    measure(|name| only.as_deref().is_none_or(|only| only == name))
}

fn measure(wanted: impl Fn(&str) -> bool) -> Result<()> {
    let config = QuantConfig::default();
    for (out, inner) in WEIGHTS {
        let weight = normal(&[out, inner], 0.02)?;
        let shape = [out, inner];
        if wanted("quantize") {
            let times = time(|| QuantizedTensor::quantize(&weight, &config).map(drop))?;
            report("quantize", &shape, "forward", times);
        }
        if wanted("dequantize") {
            let packed = QuantizedTensor::quantize(&weight, &config)?;
            let times = time(|| packed.dequantize().map(drop))?;
            report("dequantize", &shape, "forward", times);
        }
        let layer = Linear4bit::quantize(&weight, None, &config)?;
        for rows in [1025, 1] {
            if !wanted("matmul_4bit") {
                continue;
            }
            let xs = Var::from_tensor(&normal(&[rows, inner], 1.0)?)?;
            let frozen = xs.as_detached_tensor();
            let shape = [rows, inner, out];
            let forward = time(|| layer.forward_t(&frozen, false).map(drop).map_err(Into::into))?;
            report("matmul_4bit", &shape, "forward", forward);
            let both = time(|| Ok(layer.forward_t(&xs, true)?.sum_all()?.backward().map(drop)?))?;
            report("matmul_4bit", &shape, "forward+backward", both);
        }
    }
    if wanted("adamw8bit") {
        let shape = [12_000_000];
        let param = Var::from_tensor(&normal(&shape, 0.1)?)?;
        let grad = normal(&shape, 0.1)?;
        let mut state = AdamW8bitState::new(&shape)?;
        let step = AdamWStep::default();
        report("adamw8bit", &shape, "step", time(|| state.step(&param, &grad, &step))?);
    }
    Ok(())
}

fn normal(shape: &[usize], deviation: f32) -> Result<Tensor> {
    Ok(Tensor::randn(0.0, deviation, shape, &Device::Cpu)?)
}

/// Median and minimum of the times of at least five runs and half a second, after one that does not
/// count; fewer if `HSI_BENCH_QUICK` is set.
fn time(mut run: impl FnMut() -> Result<()>) -> Result<[Duration; 2]> {
    let seconds = if std::env::var_os("HSI_BENCH_QUICK").is_some() { 0.1 } else { 0.5 };
    run()?;
    let mut times = Vec::new();
    while times.len() < 5
        || (times.iter().sum::<Duration>().as_secs_f64() < seconds && times.len() < 500)
    {
        let start = Instant::now();
        run()?;
        times.push(start.elapsed());
    }
    times.sort();
    Ok([times[times.len() / 2], times[0]])
}

fn report(op: &str, shape: &[usize], direction: &str, times: [Duration; 2]) {
    let threads = rayon::current_num_threads();
    let [median, min] = times.map(|time| time.as_secs_f64() * 1e3);
    println!(
        r#"{{"op": "{op}", "shape": {shape:?}, "direction": "{direction}", "threads": {threads}, "dtype": "f32", "median_ms": {median:.4}, "min_ms": {min:.4}}}"#
    );
}
