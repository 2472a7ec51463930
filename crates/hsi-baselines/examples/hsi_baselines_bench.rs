//! Times the baselines; one JSON line each on standard output.
//!
//! `benches/peer_hyde.py` prints the same lines for HyDe on the same cube. With `--scaling` the
//! output is one JSON document instead: time and peak memory for 128 x 128 to 512 x 512 pixels, and
//! the slope of the logarithm of time over that of the number of pixels. `--only NAME` restricts
//! either to one method.
//!
//! ```console
//! $ cargo run --release -p hsi-baselines --example hsi_baselines_bench -- --only hyres
//! ```
#![expect(clippy::print_stdout, reason = "a program that reports on standard output")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use hsi_baselines::{Result, by_name};
use ndarray::Array3;

/// Bands of a cube.
const BANDS: usize = 202;
/// The methods that the peer has too.
const METHODS: [&str; 6] = ["hyres", "forpdn", "wsrrr", "otvca", "fasthyde", "hyminor"];

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The allocator of the system, with its bytes counted.
struct Counting;

// SAFETY: every call goes on to the system's allocator with the arguments it came with.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the layout is that of the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the layout is that of the caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the pointer came from `alloc` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Roughly normal noise of variance 1 that any language computes alike: the sum of 12 bytes of
/// hashes.
fn noise(index: u32) -> f32 {
    let mut sum = 0;
    let mut x = index.wrapping_mul(3);
    for _ in 0..3 {
        x = x.wrapping_add(1);
        let mut h = x.wrapping_mul(0x9E37_79B1);
        h = (h ^ (h >> 15)).wrapping_mul(0x85EB_CA77);
        h ^= h >> 13;
        sum += h.to_le_bytes().into_iter().map(u32::from).sum::<u32>();
    }
    // The mean of a byte is 127.5, its variance (256² - 1) / 12.
    (sum as f32 - 1530.0) / 256.0
}

/// A scene of six materials with noise of standard deviation 0.1.
fn cube(side: usize) -> Array3<f32> {
    let unit = 6.0 / side as f32;
    Array3::from_shape_fn((BANDS, side, side), |(b, r, c)| {
        let (x, y, z) = (r as f32 * unit, c as f32 * unit, b as f32 * 0.03);
        let clean = 0.5
            + 0.15 * z.sin() * (x + y).cos()
            + 0.1 * (2.0 * z).cos() * (x * y * 0.5).sin()
            + 0.1 * (0.5 * z).cos() * (2.0 * x - y).sin();
        clean + 0.1 * noise(((b * side + r) * side + c) as u32)
    })
}

/// Median of the seconds of some runs after one that does not count, and the largest peak of bytes,
/// the input among them.
fn measure(name: &str, cube: &Array3<f32>, runs: usize) -> Result<(f64, usize)> {
    let method = by_name(name)?;
    let mut times = Vec::new();
    let mut most = 0;
    for run in 0..=runs {
        PEAK.store(NOW.load(Ordering::Relaxed), Ordering::Relaxed);
        let start = Instant::now();
        let result = method.denoise(cube.view())?;
        if run > 0 {
            times.push(start.elapsed().as_secs_f64());
        }
        most = most.max(PEAK.load(Ordering::Relaxed));
        drop(result);
    }
    times.sort_by(f64::total_cmp);
    Ok((times[times.len() / 2], most))
}

/// The slope of a straight line through points, by least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let (mut x, mut y) = (0.0, 0.0);
    for point in points {
        x += point.0 / count;
        y += point.1 / count;
    }
    let across: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    across / points.iter().map(|p| (p.0 - x).powi(2)).sum::<f64>()
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let only = args.iter().position(|arg| arg == "--only").and_then(|place| args.get(place + 1));
    let known = hsi_baselines::names();
    let methods: Vec<&str> = METHODS
        .into_iter()
        .filter(|name| known.contains(name) && only.is_none_or(|only| only == name))
        .collect();
    let quick = std::env::var_os("HSI_BENCH_QUICK").is_some();
    let runs = if quick { 1 } else { 3 };
    if args.iter().any(|arg| arg == "--scaling") {
        return scaling(&methods, runs);
    }
    let threads = rayon::current_num_threads();
    let cube = cube(128);
    for name in methods {
        let (seconds, _) = measure(name, &cube, runs)?;
        println!(
            r#"{{"op":"{name}","shape":[{BANDS},128,128],"direction":"denoise","threads":{threads},"dtype":"f32","median_ms":{:.3},"library":"hsi-baselines {}"}}"#,
            seconds * 1e3,
            env!("CARGO_PKG_VERSION"),
        );
    }
    Ok(())
}

fn scaling(methods: &[&str], runs: usize) -> Result<()> {
    let mut lines = Vec::new();
    let mut points: Vec<Vec<(f64, f64)>> = vec![Vec::new(); methods.len()];
    for side in [128, 256, 512] {
        let cube = cube(side);
        for (name, points) in methods.iter().zip(&mut points) {
            let (seconds, peak) = measure(name, &cube, runs)?;
            points.push((((side * side) as f64).ln(), seconds.ln()));
            let slope = match points.len() {
                3 => format!(r#", "slope": {:.3}"#, slope(points)),
                _ => String::new(),
            };
            lines.push(format!(
                r#"    {{ "method": "{name}", "pixels": "{side} x {side}", "seconds": {seconds:.3}, "peak_bytes": {peak}, "peak_over_cube": {:.2}{slope} }}"#,
                peak as f64 / (4 * BANDS * side * side) as f64
            ));
        }
    }
    lines.sort_by_key(|line| methods.iter().position(|name| line.contains(&format!("\"{name}\""))));
    println!("{{\n  \"rows\": [\n{}\n  ]\n}}", lines.join(",\n"));
    Ok(())
}
