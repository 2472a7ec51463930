//! Converts a cube file: to another format, to some of its bands or pixels, to another scale.
//!
//! ```console
//! $ cargo run --release --example convert -- scene.hdr scene.tif --compression deflate+filter
//! ```

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Parser;
use hsi_data::{
    Axes, Compression, ConvertOptions, Format, OpenOptions, SampleType, SaveOptions, Scaling,
};
use hsi_examples::app::Invocation;
use hsi_examples::files::{Bands, FileArgs, triple, window};
use hsi_examples::output::print_line;
use hsi_train::memory::{CountingAllocator, peak_bytes_ever};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Converts a cube file, block by block, with its wavelengths and geo tags.
#[derive(Debug, Parser)]
#[command(name = "convert", args_override_self = true)]
struct Arguments {
    /// Cube to convert
    input: PathBuf,
    /// File to write
    output: PathBuf,
    #[command(flatten)]
    file: FileArgs,
    /// Format to write [default: that of the output's extension]
    #[arg(long)]
    format: Option<Format>,
    /// Type of the samples, such as i2 or float32 [default: as they are]
    #[arg(long)]
    dtype: Option<SampleType>,
    /// Order of the axes that are written: bhw (ENVI's bsq), hbw (bil) or hwb (bip)
    #[arg(long)]
    interleave: Option<Axes>,
    /// none, deflate, lzw or zstd, with a level (deflate:9) and +filter for differences (GeoTIFF)
    /// or shuffling (HDF5)
    #[arg(long)]
    compression: Option<Compression>,
    /// Bands, rows and columns that are packed together, such as 8x64x64
    #[arg(long, value_parser = triple, value_name = "BANDSxROWSxCOLS")]
    chunk: Option<[usize; 3]>,
    /// Write big-endian samples
    #[arg(long)]
    big_endian: bool,
    /// Name of the variable that is written (MATLAB, HDF5)
    #[arg(long)]
    output_variable: Option<String>,
    /// Bands that are kept, from 0, in this order, such as 0-9,12; or good, or hyspecnet
    #[arg(long)]
    bands: Option<Bands>,
    /// Rows and columns that are kept, from 0, ends left out, such as 0:512,100:612
    #[arg(long, value_parser = parse_window, value_name = "ROWS,COLS")]
    window: Option<Window>,
    /// Factor that samples are multiplied by
    #[arg(long, conflicts_with = "physical")]
    scale: Option<f64>,
    /// What is added to the samples after the factor
    #[arg(long, conflicts_with = "physical")]
    offset: Option<f64>,
    /// Scale samples by the scale and offset that the file states
    #[arg(long)]
    physical: bool,
    /// Value of pixels without data in the output [default: that of the input]
    #[arg(long)]
    output_nodata: Option<f64>,
    /// Most mebibytes that the samples of a packed file may unpack to
    /// [default: 1024, or 64 times the file]
    #[arg(long, value_name = "MIB")]
    max_unpacked: Option<u64>,
    /// YAML, TOML or JSON file that supplies any of these flags; the command line wins
    #[arg(long)]
    config: Option<PathBuf>,
}

#[derive(Debug, Clone)]
struct Window([std::ops::Range<usize>; 2]);

fn parse_window(text: &str) -> Result<Window> {
    window(text).map(Window)
}

fn main() -> ExitCode {
    hsi_examples::run(convert)
}

fn convert(args: Arguments, _: Invocation) -> Result<()> {
    check_places(&args.input, &args.output)?;
    let start = Instant::now();
    let open = OpenOptions {
        max_unpacked: args.max_unpacked.map(|mib| mib.saturating_mul(1 << 20)),
        ..args.file.options()
    };
    let bands = match &args.bands {
        None => None,
        Some(bands) => {
            let reader = hsi_data::open_reader(&args.input, &open)?;
            let bad = reader.meta().bad_bands.as_deref();
            let chosen = bands.of(reader.shape()[0], bad);
            Some(chosen.with_context(|| format!("`{}`", args.input.display()))?)
        }
    };
    let [rows, cols] = args.window.map_or([None, None], |Window(window)| window.map(Some));
    let scaling = match (args.physical, args.scale, args.offset) {
        (true, ..) => Some(Scaling::Physical),
        (false, None, None) => None,
        (false, factor, offset) => {
            let (factor, offset) = (factor.unwrap_or(1.0), offset.unwrap_or(0.0));
            Some(Scaling::Linear { factor, offset })
        }
    };
    let save = SaveOptions {
        format: args.format,
        dtype: args.dtype,
        big_endian: args.big_endian.then_some(true),
        axes: args.interleave.unwrap_or_default(),
        compression: args.compression,
        chunk: args.chunk,
        variable: args.output_variable,
        ..SaveOptions::default()
    };
    let options =
        ConvertOptions { open, save, bands, rows, cols, scaling, nodata: args.output_nodata };
    let done = hsi_data::convert(&args.input, &args.output, &options)?;
    let [bands, rows, cols] = done.shape;
    print_line(&format!(
        "{} -> {}: {bands} bands, {rows} x {cols} pixels, {}, {:.2} s, peak memory {:.0} MiB",
        args.input.display(),
        args.output.display(),
        done.dtype,
        start.elapsed().as_secs_f64(),
        peak_bytes_ever() as f64 / f64::from(1 << 20)
    ));
    Ok(())
}

/// Refuses what could lose the input, and folders that are not there.
fn check_places(input: &Path, output: &Path) -> Result<()> {
    let same = matches!((input.canonicalize(), output.canonicalize()), (Ok(a), Ok(b)) if a == b);
    if same {
        bail!("the output `{}` is the input, which would be lost", output.display());
    }
    if output.is_dir() {
        bail!("the output `{}` is a folder", output.display());
    }
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        let (shown, folder) = (output.display(), folder.display());
        bail!("the output `{shown}` cannot be written: there is no folder `{folder}`");
    }
    Ok(())
}
