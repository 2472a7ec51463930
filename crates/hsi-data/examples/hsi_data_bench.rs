//! Times the conversion of a scene from ENVI to GeoTIFF to HDF5; prints one JSON object a row.
//!
//! ```console
//! $ cargo run --release -p hsi-data --example hsi_data_bench
//! ```
//!
//! Ends with an error if the program ever held more than 500 MB.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use hsi_data::{
    Compression, ConvertOptions, CubeMeta, Format, OpenOptions, SampleType, Samples, SaveOptions,
    convert, create, open_reader,
};
use ndarray::Array3;

/// Bytes that the program may hold.
const LIMIT: u64 = 500_000_000;

/// Row of a scene of changing brightness with noise in five bits, the same as the peer's.
fn rows([bands, _, cols]: [usize; 3], row: usize, height: usize) -> Array3<i16> {
    Array3::from_shape_fn((bands, height, cols), |(b, r, c)| {
        let r = r + row;
        let smooth = 2000 + 4 * b as i64 + ((r + 2 * c) as i64 % 1000 - 500).abs();
        let hash = (r as u32).wrapping_mul(73_856_093)
            ^ (c as u32).wrapping_mul(19_349_663)
            ^ (b as u32).wrapping_mul(83_492_791);
        (smooth + i64::from((hash >> 13) & 31)) as i16
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let is_quick = std::env::var_os("HSI_BENCH_QUICK").is_some();
    let shape = if is_quick { [32, 300, 300] } else { [224, 1000, 1000] };
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    let envi = SaveOptions { dtype: Some(SampleType::I16), ..SaveOptions::default() };
    let mut writer = create(at("scene.hdr"), shape, &CubeMeta::default(), &envi)?;
    for row in (0..shape[1]).step_by(20) {
        let height = 20.min(shape[1] - row);
        writer.write_samples(Samples::I16(rows(shape, row, height)))?;
    }
    writer.finish()?;
    let deflate = Some(Compression::Deflate { level: 6, filter: true });
    let steps = [
        ("envi-tiff", "scene.hdr", "scene.tif", Format::Tiff, [1, 256, 256]),
        ("tiff-hdf5", "scene.tif", "scene.h5", Format::Hdf5, [8, 256, 256]),
    ];
    for (name, from, to, format, chunk) in steps {
        let save = SaveOptions {
            format: Some(format),
            compression: deflate,
            chunk: Some(chunk),
            ..SaveOptions::default()
        };
        let options = ConvertOptions { save, ..ConvertOptions::default() };
        let start = Instant::now();
        convert(at(from), at(to), &options)?;
        let seconds = start.elapsed().as_secs_f64();
        let last = open_reader(at(to), &OpenOptions::default())?.read_samples(
            &[shape[0] - 1],
            shape[1] - 1..shape[1],
            0..shape[2],
        )?;
        let wanted = rows(shape, shape[1] - 1, 1);
        let wanted = wanted.slice(ndarray::s![shape[0] - 1..shape[0], .., ..]).to_owned();
        if last.to_f32() != Samples::I16(wanted).to_f32() {
            return Err(format!("`{to}` does not hold the scene").into());
        }
        let line = serde_json::json!({
            "op": "convert", "shape": shape, "direction": name, "dtype": "i16",
            "threads": rayon::current_num_threads(), "median_ms": seconds * 1e3,
            "library": format!("hsi-data {}", env!("CARGO_PKG_VERSION")),
        });
        say(&line)?;
    }
    if let Some(peak) = peak_bytes() {
        eprintln!("peak memory {:.0} MB", peak as f64 / 1e6);
        if peak > LIMIT {
            return Err(format!("{peak} bytes were held, at most {LIMIT} are allowed").into());
        }
    }
    Ok(())
}

/// The most memory that this process held, where the system tells it.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string(Path::new("/proc/self/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

fn say(line: &serde_json::Value) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}
