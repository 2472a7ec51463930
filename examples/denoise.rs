//! Denoises a cube, or a folder of cubes, of any size.
//!
//! ```console
//! $ cargo run --release --example denoise -- scene.npy clean.npy --checkpoint runs/train
//! ```

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Parser;
use hsi_baselines::Denoiser;
use hsi_data::{Axes, BandRange, Cube, Format, NormMode, OpenOptions, SaveOptions};
use hsi_examples::app::Invocation;
use hsi_examples::model::DeviceChoice;
use hsi_examples::output::{self, print_line};
use hsi_examples::progress::Bar;
use hsi_metrics::Metrics;
use hsi_noise::NoisePipeline;
use hsi_pictures::{Comparison, Panel};
use hsi_train::memory::{CountingAllocator, peak_bytes_ever};
use hsi_train::{Protocol, Report, Restorer, Row, RowBuilder};
use ndarray::{Array3, Axis};
use serde_json::json;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Denoises a cube, or a folder of cubes.
#[derive(Debug, Parser)]
#[command(name = "denoise", args_override_self = true)]
struct Arguments {
    /// Cube to denoise, or a folder of cubes
    input: PathBuf,
    /// File to write, or the folder for `*_denoised.*` where the input is a folder
    output: PathBuf,
    /// Folder of a run of `train`, or one of its checkpoints
    #[arg(long, conflicts_with = "baseline", required_unless_present = "baseline")]
    checkpoint: Option<PathBuf>,
    /// Classical method
    #[arg(long)]
    baseline: Option<String>,
    /// How bands are brought to [0, 1] and back: from-noisy (their own range) or fixed:MIN:MAX
    #[arg(long, default_value = "from-noisy")]
    normalisation: NormMode,
    /// Add noise first, on the [0, 1] scale, and score against the input: for experiments
    #[arg(long)]
    add_noise: Option<NoisePipeline>,
    /// Seed of the added noise
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Order of the axes of the file: bhw (band first) or hwb (band last)
    #[arg(long)]
    axes: Option<Axes>,
    /// Value of pixels without data
    #[arg(long, allow_negative_numbers = true)]
    nodata: Option<f64>,
    /// Pixels by which tiles overlap [default: a quarter of their side]
    #[arg(long)]
    overlap: Option<usize>,
    /// Tiles that go through the model at once
    #[arg(long, default_value_t = 1)]
    batch_size: usize,
    /// Where run.json, metrics.json and pictures go
    #[arg(long, default_value = "runs/denoise")]
    save_dir: PathBuf,
    /// Where tensors live
    #[arg(long, value_enum, default_value = "auto")]
    device: DeviceChoice,
    /// YAML, TOML or JSON file that supplies any of these flags; the command line wins
    #[arg(long)]
    config: Option<PathBuf>,
}

enum Estimate {
    Model(Box<Restorer>),
    Baseline(Box<dyn Denoiser>),
}

fn main() -> ExitCode {
    hsi_examples::run(denoise)
}

fn denoise(args: Arguments, invocation: Invocation) -> Result<()> {
    if args.normalisation == NormMode::Oracle {
        bail!("`oracle` needs the clean cube: use `from-noisy` or `fixed:MIN:MAX`");
    }
    let estimate = match (&args.checkpoint, &args.baseline) {
        (Some(path), _) => {
            let (mut restorer, _) = Restorer::load(path, &args.device.device()?)?;
            restorer.batch = args.batch_size;
            restorer.overlap = args.overlap.unwrap_or(restorer.overlap);
            Estimate::Model(Box::new(restorer))
        }
        (None, Some(name)) => Estimate::Baseline(hsi_baselines::by_name(name)?),
        (None, None) => bail!("name a --checkpoint or a --baseline"),
    };
    let pairs = pairs(&args.input, &args.output)?;
    let settings = json!({ "normalisation": args.normalisation.to_string(),
        "add_noise": args.add_noise.as_ref().map(ToString::to_string), "seed": args.seed });
    let save_dir = output::begin(&args.save_dir, &invocation, &settings)?;
    let mut rows = Vec::new();
    for (input, output) in &pairs {
        rows.extend(denoise_file(&args, &estimate, input, output, &save_dir)?);
    }
    let peak = peak_bytes_ever();
    print_line(&format!("peak memory {:.0} MiB", peak as f64 / f64::from(1 << 20)));
    let protocol = Protocol {
        noise: args.add_noise.as_ref().map_or("none added".to_owned(), ToString::to_string),
        normalisation: args.normalisation.to_string(),
        split: "all".to_owned(),
        seed: args.seed,
        data: args.input.display().to_string(),
    };
    let report = Report { protocol, rows };
    if args.add_noise.is_some() {
        return output::finish(&save_dir, &report);
    }
    hsi_train::files::write_json(&save_dir.join("metrics.json"), &report)?;
    Ok(())
}

/// Inputs and where each goes.
fn pairs(input: &Path, output: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    if !input.exists() {
        bail!("the input `{}` does not exist", input.display());
    }
    if !input.is_dir() {
        if output.is_dir() {
            bail!("the output `{}` is a folder, the input is a file", output.display());
        }
        Format::from_extension(output)?;
        return Ok(vec![(input.to_path_buf(), output.to_path_buf())]);
    }
    if output.is_file() {
        bail!("the output `{}` is a file, the input is a folder", output.display());
    }
    let mut pairs = Vec::new();
    let entries = std::fs::read_dir(input)
        .with_context(|| format!("cannot read the folder `{}`", input.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read `{}`", input.display()))?.path();
        if path.is_file() && Format::from_extension(&path).is_ok() {
            let part = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_owned();
            let mut name = part(path.file_stem());
            name.push("_denoised.");
            name.push(part(path.extension()));
            pairs.push((path, output.join(name)));
        }
    }
    pairs.sort();
    if pairs.is_empty() {
        bail!("the folder `{}` holds no cube", input.display());
    }
    hsi_train::files::create_dir(output)?;
    Ok(pairs)
}

/// Denoises one file; the row of its scores, if noise was added.
fn denoise_file(
    args: &Arguments,
    estimate: &Estimate,
    input: &Path,
    output: &Path,
    save_dir: &Path,
) -> Result<Vec<Row>> {
    let options = OpenOptions {
        axes: args.axes.unwrap_or_default(),
        nodata: args.nodata,
        ..OpenOptions::default()
    };
    let mut cube = hsi_data::open(input, &options)?;
    cube.check_finite()?;
    let bands = bands_for(estimate, &cube, input)?;
    let mut image = take_bands(&cube, &bands);
    let nodata = cube.nodata_mask();
    let range = match &args.normalisation {
        NormMode::Fixed { min, max } => BandRange::fixed(bands.len(), *min, *max)?,
        _ => match &nodata {
            Some(mask) => BandRange::of_masked(image.view(), mask.view())?,
            None => BandRange::of(image.view()),
        },
    };
    let mut noised = None;
    if let Some(noise) = &args.add_noise {
        let mut noisy = range.normalize(image.view())?;
        noise.apply_in_place(&mut noisy, args.seed, 0)?;
        range.denormalize_in_place(noisy.view_mut())?;
        noised = Some(std::mem::replace(&mut image, noisy));
    }

    let start = Instant::now();
    let mut bar = Bar::new();
    let label = input.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let result = match estimate {
        Estimate::Model(restorer) => {
            let mut progress = |done, total| bar.show(&label, done, total);
            restorer.denoise_in_range(image.view(), &range, &mut progress)?
        }
        Estimate::Baseline(baseline) => {
            let scaled = range.normalize(image.view())?;
            let mut result = baseline.denoise(scaled.view())?;
            range.denormalize_in_place(result.view_mut())?;
            result
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    print_line(&format!(
        "{} -> {}: {} bands, {} x {} pixels, {seconds:.1} s",
        input.display(),
        output.display(),
        bands.len(),
        cube.rows(),
        cube.cols()
    ));
    draw(&cube, &bands, &image, &result, &save_dir.join(picture_name(output)))?;
    let row = match &noised {
        None => Vec::new(),
        Some(clean) => {
            let mut builder = RowBuilder::default();
            let (clean, result) = (range.normalize(clean.view())?, range.normalize(result.view())?);
            builder.add(&Metrics::compute(clean.view(), result.view(), 1.0)?, seconds);
            let name = match estimate {
                Estimate::Model(restorer) => restorer.model().config().method.to_string(),
                Estimate::Baseline(baseline) => baseline.name().to_owned(),
            };
            vec![builder.finish(name)]
        }
    };
    drop((image, noised));
    put_bands(&mut cube, &bands, &result, nodata.as_ref());
    drop(result);
    hsi_data::save(&cube, output, &SaveOptions::default())?;
    Ok(row)
}

/// The bands of the cube that the method is given; the others are written as they were.
fn bands_for(estimate: &Estimate, cube: &Cube, input: &Path) -> Result<Vec<usize>> {
    let valid = cube.valid_bands();
    let Estimate::Model(restorer) = estimate else {
        return Ok(valid);
    };
    let hyspecnet = hsi_data::bands::hyspecnet_202();
    let bands = if cube.bands() == restorer.bands() {
        (0..cube.bands()).collect()
    } else if valid.len() == restorer.bands() {
        valid
    } else if cube.bands() == hsi_data::bands::ENMAP_BANDS && restorer.bands() == hyspecnet.len() {
        hyspecnet.to_vec()
    } else {
        return Err(hsi_train::Error::Bands {
            what: input.display().to_string(),
            expected: restorer.bands(),
            got: cube.bands(),
        }
        .into());
    };
    if bands.len() < cube.bands() {
        eprintln!(
            "note: {} of {} bands are denoised, the others are written as they came",
            bands.len(),
            cube.bands()
        );
    }
    Ok(bands)
}

fn take_bands(cube: &Cube, bands: &[usize]) -> Array3<f32> {
    if bands.len() == cube.bands() {
        return cube.view().to_owned();
    }
    cube.view().select(Axis(0), bands)
}

fn put_bands(
    cube: &mut Cube,
    bands: &[usize],
    result: &Array3<f32>,
    nodata: Option<&ndarray::Array2<bool>>,
) {
    let mut target = cube.view_mut();
    for (from, &band) in bands.iter().enumerate() {
        let mut plane = target.index_axis_mut(Axis(0), band);
        let estimate = result.index_axis(Axis(0), from);
        match nodata {
            None => plane.assign(&estimate),
            Some(mask) => ndarray::Zip::from(&mut plane).and(&estimate).and(mask).for_each(
                |pixel, &value, &missing| {
                    if !missing {
                        *pixel = value;
                    }
                },
            ),
        }
    }
}

fn picture_name(output: &Path) -> String {
    format!("{}.png", output.file_stem().unwrap_or_default().to_string_lossy())
}

/// Draws input and result in false colour, from three bands only: scenes can be large.
fn draw(
    cube: &Cube,
    bands: &[usize],
    before: &Array3<f32>,
    after: &Array3<f32>,
    path: &Path,
) -> Result<()> {
    let wavelengths: Option<Vec<f32>> =
        cube.meta().wavelengths_nm.as_ref().map(|all| bands.iter().map(|&b| all[b]).collect());
    let (colors, caption) = output::picture_bands(bands.len(), wavelengths.as_deref())?;
    let (before, after) =
        (before.select(Axis(0), &colors.bands), after.select(Axis(0), &colors.bands));
    let stretch = hsi_pictures::FalseColor { bands: [0, 1, 2] }.stretch(before.view())?;
    let spread = (0..3).map(|i| stretch.high[i] - stretch.low[i]).fold(0.0, f32::max);
    let comparison = Comparison {
        title: caption,
        colors: hsi_pictures::FalseColor { bands: [0, 1, 2] },
        reference: Panel { label: "input".to_owned(), cube: before.view() },
        others: vec![Panel { label: "denoised".to_owned(), cube: after.view() }],
        error_limit: spread / 4.0,
    };
    comparison.draw()?.write_png(path)?;
    Ok(())
}
