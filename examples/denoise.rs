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
use hsi_data::{BandRange, Format, NormMode};
use hsi_examples::app::Invocation;
use hsi_examples::files::FileArgs;
use hsi_examples::model::DeviceChoice;
use hsi_examples::output::{self, print_line};
use hsi_examples::progress::Bar;
use hsi_examples::scene::Scene;
use hsi_metrics::Metrics;
use hsi_noise::NoisePipeline;
use hsi_pictures::{Comparison, FalseColor, Panel};
use hsi_train::memory::{CountingAllocator, peak_bytes_ever};
use hsi_train::{Protocol, Report, Restorer, RowBuilder};
use ndarray::{Array3, ArrayView3, Axis};
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
    /// Folder of a run of `train`, one of its checkpoints, or a model that `export` wrote
    #[arg(long)]
    checkpoint: Option<PathBuf>,
    /// Pretrained encoder below the adapters of the checkpoint, where it was moved since training
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Classical method: median, or with options, median:rows=3,bands=5; `+` joins stages that
    /// follow each other
    #[arg(long)]
    baseline: Option<String>,
    /// How bands are brought to [0, 1] and back: from-noisy (their own range) or fixed:MIN:MAX
    #[arg(long, default_value = "from-noisy")]
    normalisation: NormMode,
    /// Add noise first, on the [0, 1] scale, and score against the input: for experiments.
    /// `paper`, or the forms of `train --noise`: gaussian:0.1+stripe:0.5
    #[arg(long)]
    add_noise: Option<NoisePipeline>,
    /// Seed of the added noise
    #[arg(long, default_value_t = 42)]
    seed: u64,
    #[command(flatten)]
    file: FileArgs,
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

impl Estimate {
    fn name(&self) -> String {
        match self {
            Self::Model(restorer) => {
                let config = restorer.model().config();
                format!("{} {}", config.method, config.head.kind)
            }
            Self::Baseline(baseline) => baseline.name().to_owned(),
        }
    }

    /// Bands that the method takes, if not any number.
    fn bands(&self) -> Option<usize> {
        match self {
            Self::Model(restorer) => Some(restorer.bands()),
            Self::Baseline(_) => None,
        }
    }

    fn denoise(&self, noisy: ArrayView3<'_, f32>, label: &str) -> Result<Array3<f32>> {
        match self {
            Self::Model(restorer) => {
                let mut bar = Bar::new();
                let unit = BandRange::fixed(noisy.dim().0, 0.0, 1.0)?;
                let mut progress = |done, total| bar.show(label, done, total);
                Ok(restorer.denoise_in_range(noisy, &unit, &mut progress)?)
            }
            Self::Baseline(baseline) => Ok(baseline.denoise(noisy)?),
        }
    }
}

fn main() -> ExitCode {
    hsi_examples::run(denoise)
}

fn denoise(args: Arguments, invocation: Invocation) -> Result<()> {
    if args.normalisation == NormMode::Oracle {
        bail!("`oracle` needs the clean cube: use `from-noisy` or `fixed:MIN:MAX`");
    }
    let pairs = pairs(&args.input, &args.output)?;
    let estimate = match (&args.checkpoint, &args.baseline) {
        (Some(path), None) => Estimate::Model(Box::new(restorer(&args, path)?)),
        (None, Some(name)) => Estimate::Baseline(hsi_baselines::by_name(name)?),
        (None, None) => bail!("nothing to denoise with: name a --checkpoint or a --baseline"),
        (Some(_), Some(_)) => bail!("name a --checkpoint or a --baseline, not both"),
    };
    let settings = json!({ "normalisation": args.normalisation.to_string(),
        "add_noise": args.add_noise.as_ref().map(ToString::to_string), "seed": args.seed });
    let save_dir = output::begin(&args.save_dir, &invocation, &settings)?;
    if is_folder(&args.input) {
        hsi_train::files::create_dir(&args.output)?;
    }
    let mut scores = [RowBuilder::default(), RowBuilder::default()];
    for (input, output) in &pairs {
        denoise_file(&args, &estimate, input, output, &save_dir, &mut scores)
            .with_context(|| format!("`{}`", input.display()))?;
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
    if args.add_noise.is_none() {
        let report = Report { protocol, rows: Vec::new() };
        return Ok(hsi_train::files::write_json(&save_dir.join("metrics.json"), &report)?);
    }
    let [noisy, denoised] = scores;
    let rows = vec![noisy.finish("noisy"), denoised.finish(estimate.name())];
    output::finish(&save_dir, &Report { protocol, rows })
}

fn restorer(args: &Arguments, path: &Path) -> Result<Restorer> {
    let (mut restorer, _) =
        Restorer::load_over(path, args.weights.as_deref(), &args.device.device()?)?;
    if args.batch_size == 0 {
        bail!("`batch-size` should be at least 1, got `0`");
    }
    restorer.batch = args.batch_size;
    if let Some(overlap) = args.overlap {
        let side = restorer.model().config().encoder.image_size;
        if overlap >= side {
            bail!("`overlap` should be less than {side}, the side of a tile, got `{overlap}`");
        }
        restorer.overlap = overlap;
    }
    Ok(restorer)
}

/// Whether a path is a folder of cubes: that of an EnMAP product is one cube.
fn is_folder(path: &Path) -> bool {
    path.is_dir() && Format::sniff(path).is_err()
}

/// Inputs and where each goes.
fn pairs(input: &Path, output: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    if !input.exists() {
        bail!("the input `{}` does not exist", input.display());
    }
    let same = || matches!((input.canonicalize(), output.canonicalize()), (Ok(a), Ok(b)) if a == b);
    if !is_folder(input) {
        if output.is_dir() {
            bail!("the output `{}` is a folder, the input is one cube", output.display());
        }
        if same() {
            bail!("the output `{}` is the input, which would be lost", output.display());
        }
        Format::from_extension(output)?;
        let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            let (shown, folder) = (output.display(), folder.display());
            bail!("the output `{shown}` cannot be written: there is no folder `{folder}`");
        }
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
        let part = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_owned();
        let mut name = part(path.file_stem());
        // In the folder of the inputs, results of an earlier run are not inputs.
        let result = same() && name.to_string_lossy().ends_with("_denoised");
        // An ENVI cube is two files, of which the header is not the cube.
        let is_header = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("hdr"));
        let is_cube = path.is_file() && Format::from_extension(&path).is_ok() && !is_header;
        if is_cube && !result {
            name.push("_denoised.");
            name.push(part(path.extension()));
            pairs.push((path, output.join(name)));
        }
    }
    pairs.sort();
    if pairs.is_empty() {
        bail!("the folder `{}` holds no cube", input.display());
    }
    Ok(pairs)
}

/// Denoises one file. If noise is added, scores the noisy and the denoised image.
fn denoise_file(
    args: &Arguments,
    estimate: &Estimate,
    input: &Path,
    output: &Path,
    save_dir: &Path,
    scores: &mut [RowBuilder; 2],
) -> Result<()> {
    let options = args.file.options();
    let mut scene = Scene::read(input, &options, args.normalisation, estimate.bands())?;
    let (bands, rows, cols) = scene.image.dim();
    let mut clean = None;
    // The range that is known in real use is that of the noisy image.
    let mut noisy_range = None;
    if let Some(noise) = &args.add_noise {
        hsi_train::check_scorable(rows, cols)?;
        clean = Some(scene.image.clone());
        noise.apply_in_place(&mut scene.image, args.seed, 0)?;
        if args.normalisation == NormMode::FromNoisy {
            let range = BandRange::of(scene.image.view());
            range.normalize_in_place(scene.image.view_mut())?;
            noisy_range = Some(range);
        }
    }
    let start = Instant::now();
    let label = input.file_name().unwrap_or_default().to_string_lossy();
    let mut result = estimate.denoise(scene.image.view(), &label)?;
    let seconds = start.elapsed().as_secs_f64();
    if let Some(range) = noisy_range {
        range.denormalize_in_place(scene.image.view_mut())?;
        range.denormalize_in_place(result.view_mut())?;
    }
    if let Some(clean) = clean {
        let images = [(&scene.image, 0.0), (&result, seconds)];
        for (score, (image, seconds)) in scores.iter_mut().zip(images) {
            score.add(&Metrics::compute(clean.view(), image.view(), 1.0)?, seconds);
        }
    }
    draw(&scene, &result, &save_dir.join(picture_name(output)))?;
    scene.write(result, output)?;
    print_line(&format!(
        "{} -> {}: {bands} bands, {rows} x {cols} pixels, {seconds:.1} s",
        input.display(),
        output.display()
    ));
    Ok(())
}

fn picture_name(output: &Path) -> String {
    format!("{}.png", output.file_stem().unwrap_or_default().to_string_lossy())
}

/// Draws input and result in false colour, from three bands only: scenes can be large.
fn draw(scene: &Scene, result: &Array3<f32>, path: &Path) -> Result<()> {
    let wavelengths = scene.wavelengths_nm();
    let (colors, caption) = output::picture_bands(result.dim().0, wavelengths.as_deref())?;
    let before = scene.image.select(Axis(0), &colors.bands);
    let after = result.select(Axis(0), &colors.bands);
    let colors = FalseColor { bands: [0, 1, 2] };
    let stretch = colors.stretch(before.view())?;
    let spread = (0..3).map(|i| stretch.high[i] - stretch.low[i]).fold(0.0, f32::max);
    let comparison = Comparison {
        title: caption,
        colors,
        reference: Panel { label: "input".to_owned(), cube: before.view() },
        others: vec![Panel { label: "denoised".to_owned(), cube: after.view() }],
        error_limit: spread / 4.0,
    };
    comparison.draw()?.write_png(path)?;
    Ok(())
}
