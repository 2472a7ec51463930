//! Times every operation, forward and backward; one JSON line each on standard output.
//!
//! `benches/peer_torch.py` prints the same lines for PyTorch. Arguments: `--threads N` (default:
//! all), `--only NAME` for one operation, `--default-allocation` to leave the allocator as it is
//! (otherwise it keeps freed memory). A backward pass is timed as the program that trains sees
//! it, with the gradients of all arguments and the tensor library's own additions.
//!
//! ```console
//! $ cargo run --release -p grad-ops --example grad_ops_bench -- --threads 2
//! ```

#![expect(clippy::print_stdout, reason = "a program that reports on standard output")]

use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor, Var};
use grad_ops::{AdamWStep, Result};

type Operation = fn(&[Tensor]) -> Result<Tensor>;

/// Operation, shapes of its arguments, the call.
const OPERATIONS: &[(&str, &[&[usize]], Operation)] = &[
    ("linear", &[&[1025, 384], &[1536, 384], &[1536]], linear),
    ("linear", &[&[1025, 1536], &[384, 1536], &[384]], linear),
    ("linear", &[&[65536, 64], &[64, 64], &[64]], linear),
    ("layer_norm", &[&[1025, 384], &[384], &[384]], |a| {
        grad_ops::layer_norm(&a[0], &a[1], &a[2], 1e-6)
    }),
    ("gelu", &[&[1025, 1536]], |a| grad_ops::gelu(&a[0])),
    ("relu", &[&[1, 256, 128, 128]], |a| grad_ops::relu(&a[0])),
    ("softmax", &[&[6, 1025, 1025]], |a| grad_ops::softmax_last_dim(&a[0])),
    ("attention6", &[&[1, 1025, 1152]], |a| grad_ops::attention(&a[0], 6)),
    ("conv3x3", &[&[1, 256, 64, 64], &[256, 256, 3, 3], &[256]], conv),
    ("conv3x3", &[&[1, 256, 128, 128], &[256, 256, 3, 3], &[256]], conv),
    ("conv3x3", &[&[4, 64, 64, 64], &[64, 64, 3, 3], &[64]], conv),
    ("conv3x3", &[&[1, 512, 16, 16], &[512, 512, 3, 3], &[512]], conv),
    ("conv_transpose2x2", &[&[1, 256, 64, 64], &[256, 128, 2, 2], &[128]], |a| {
        grad_ops::conv_transpose2x2(&a[0], &a[1], a.get(2))
    }),
    ("max_pool2x2", &[&[1, 256, 128, 128]], |a| grad_ops::max_pool2x2(&a[0])),
    ("upsample4", &[&[1, 384, 32, 32]], |a| grad_ops::upsample_bilinear(&a[0], 4)),
    ("mse_loss", &[&[1, 202, 128, 128], &[1, 202, 128, 128]], |a| grad_ops::mse_loss(&a[0], &a[1])),
];

fn linear(args: &[Tensor]) -> Result<Tensor> {
    grad_ops::linear(&args[0], &args[1], args.get(2))
}

fn conv(args: &[Tensor]) -> Result<Tensor> {
    grad_ops::conv3x3(&args[0], &args[1], args.get(2), true)
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let option = |name: &str| {
        let place = args.iter().position(|arg| arg == name)?;
        args.get(place + 1).cloned()
    };
    if !args.iter().any(|arg| arg == "--default-allocation") {
        grad_ops::keep_freed_memory();
    }
    let threads = option("--threads").and_then(|n| n.parse().ok()).unwrap_or(0);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    pool.map_err(candle_core::Error::wrap)?;
    measure(option("--only").as_deref())
}

fn measure(only: Option<&str>) -> Result<()> {
    let wanted = |name: &str| only.is_none_or(|only| only == name);
    for (name, shapes, operation) in OPERATIONS.iter().filter(|entry| wanted(entry.0)) {
        let vars: Vec<Var> =
            shapes.iter().map(|shape| normal(shape, 0.1)).collect::<Result<_>>()?;
        let frozen: Vec<Tensor> = vars.iter().map(Var::as_detached_tensor).collect();
        let tracked: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
        let forward = time(|| operation(&frozen).map(drop))?;
        let ys = operation(&tracked)?;
        let backward = time(|| Ok(ys.backward().map(drop)?))?;
        report(name, shapes[0], "forward", forward);
        report(name, shapes[0], "backward", backward);
    }
    if wanted("adamw") {
        let shape = [20_000_000];
        let (param, grad) = (normal(&shape, 0.1)?, normal(&shape, 0.1)?);
        let [m, v] = [(), ()].map(|()| Var::zeros(&shape, DType::F32, &Device::Cpu));
        let (m, v) = (m?, v?);
        let step = AdamWStep::default();
        let times = time(|| grad_ops::adamw_step(&param, &grad, &m, &v, &step))?;
        report("adamw", &shape, "step", times);
    }
    Ok(())
}

fn normal(shape: &[usize], deviation: f32) -> Result<Var> {
    Ok(Var::randn(0.0, deviation, shape, &Device::Cpu)?)
}

/// Median and minimum of the times of at least five runs and a second, after one that does not
/// count.
fn time(mut run: impl FnMut() -> Result<()>) -> Result<[Duration; 2]> {
    run()?;
    let mut times = Vec::new();
    while times.len() < 5
        || (times.iter().sum::<Duration>().as_secs_f64() < 1.0 && times.len() < 200)
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
