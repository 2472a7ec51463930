//! Hyperspectral super-resolution from a low-resolution cube and a multispectral image.
//!
//! ```console
//! $ cargo run --release --example superres -- --input scene.npy
//! $ cargo run --release --example superres -- --lr-hsi cube.npy --hr-msi image.npy --estimate-srf
//! ```

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use hsi_data::CubeMeta;
use hsi_examples::app::Invocation;
use hsi_examples::files::FileArgs;
use hsi_examples::output::{self, print_error, print_line};
use hsi_examples::progress::Bar;
use hsi_examples::superres::args::{ImageArgs, ModelArgs, OutputArgs, SensorArgs};
use hsi_examples::superres::case::Case;
use hsi_examples::superres::estimate::{Estimate, Method, check_scorable, estimate, score};
use hsi_examples::superres::pair::Pair;
use hsi_examples::superres::pictures::Pictures;
use hsi_examples::superres::save::Target;
use hsi_examples::superres::scene::{Scene, Setting};
use hsi_examples::superres::sweep::{SweepArgs, sweep};
use hsi_examples::superres::table::{Line, table, write_csv};
use hsi_metrics::Variant;
use hsi_train::memory::{CountingAllocator, peak_bytes_ever};
use hsi_train::{Protocol, Report};
use ndarray::{Array3, ArrayView3};
use serde::Serialize;
use serde_json::{Value, json};
use spectralift::{LiftConfig, PercentileRange, Progress};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Reconstructs a cube of high resolution from a low-resolution cube and a multispectral image of
/// the same ground (SpectraLift), or degrades a cube first and scores the reconstruction.
#[derive(Debug, Parser)]
#[command(name = "superres", args_override_self = true)]
struct Arguments {
    #[command(flatten)]
    images: ImageArgs,
    #[command(flatten)]
    sensors: SensorArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    sweep: SweepArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// YAML, TOML or JSON file that supplies any of these flags; the command line wins
    #[arg(long)]
    config: Option<PathBuf>,
    #[command(flatten)]
    file: FileArgs,
}

fn main() -> ExitCode {
    hsi_examples::run(superres)
}

fn superres(args: Arguments, invocation: Invocation) -> Result<()> {
    let images = &args.images;
    let configs = configs(&args.model, args.sensors.seed)?;
    let real = images.hr_msi.is_some() || images.lr_hsi.is_some();
    if let Some(synthetic) = images.synthetic {
        ensure!(
            synthetic || images.input.is_none(),
            "--synthetic false goes with --lr-hsi and --hr-msi"
        );
        ensure!(!synthetic || !real, "--synthetic true goes with --input");
    }
    args.sweep.check()?;
    let sweeps = args.sweep.sweep;
    match (&images.input, &images.lr_hsi, &images.hr_msi) {
        (Some(input), None, None) if sweeps => sweep_scene(&args, &invocation, input, &configs),
        (Some(input), None, None) => synthetic(&args, &invocation, input, &configs),
        (None, Some(_), Some(_)) if sweeps => {
            bail!("--sweep degrades a cube: name it with --input")
        }
        (None, Some(cube), Some(msi)) => pair(&args, &invocation, (cube, msi), &configs),
        (Some(_), ..) => {
            bail!("--input is for synthetic mode, --lr-hsi and --hr-msi for real mode: not both")
        }
        (None, None, None) => {
            bail!("nothing to do: name a cube with --input, or --lr-hsi and --hr-msi")
        }
        (None, Some(_), None) => bail!("--lr-hsi needs --hr-msi, the multispectral image"),
        (None, None, Some(_)) => bail!("--hr-msi needs --lr-hsi, the hyperspectral cube"),
    }
}

/// Settings of each method.
fn configs(model: &ModelArgs, seed: u64) -> Result<Vec<Option<LiftConfig>>> {
    let of = |method| match method {
        Method::Bicubic => Ok(None),
        Method::Model(kind) => model.config(kind, seed).map(Some),
    };
    model.methods().into_iter().map(of).collect()
}

fn synthetic_scene(args: &Arguments, input: &Path) -> Result<Scene> {
    let ImageArgs { truth, wald_ratio, .. } = &args.images;
    ensure!(truth.is_none() && wald_ratio.is_none(), "--truth and --wald-ratio are for real mode");
    ensure!(!args.sensors.estimate_srf, "--estimate-srf is for real mode: here the SRF is known");
    let scene = Scene::read(input, &args.file.options(), args.images.normalisation)?;
    let (_, rows, cols) = scene.truth.dim();
    check_scorable(rows, cols).with_context(|| format!("`{}`", input.display()))?;
    Ok(scene)
}

fn synthetic(
    args: &Arguments,
    invocation: &Invocation,
    input: &Path,
    configs: &[Option<LiftConfig>],
) -> Result<()> {
    let sensors = &args.sensors;
    sensors.check_parameters(&[sensors.psf_type])?;
    let scene = synthetic_scene(args, input)?;
    let setting = Setting {
        psf: sensors.psf_type,
        ratio: sensors.downsample_ratio,
        msi_bands: sensors.num_msi_bands.unwrap_or(4),
    };
    let case = scene.observe(sensors, setting)?;
    let task = Task {
        case: &case,
        truth: Some(&scene.truth),
        meta: &scene.meta,
        range: scene.range,
        inputs: &[input],
        mode: "synthetic",
    };
    task.run(args, invocation, configs)
}

fn pair(
    args: &Arguments,
    invocation: &Invocation,
    (cube, msi): (&Path, &Path),
    configs: &[Option<LiftConfig>],
) -> Result<()> {
    args.sensors.check_parameters(&[])?;
    ensure!(
        args.sensors.psf_file.is_none(),
        "--psf-file is for synthetic mode: real mode needs no PSF"
    );
    let options = args.file.options();
    let pair = Pair::read((cube, msi), &args.images, &options, &args.sensors)?;
    if let Some(truth) = &pair.truth {
        check_scorable(truth.dim().1, truth.dim().2)?;
    }
    if let Some(found) = &pair.estimate {
        let list: Vec<String> = found.explained.iter().map(|part| format!("{part:.3}")).collect();
        print_line(&format!(
            "estimated SRF: part of the variance of each multispectral band that it explains: {}",
            list.join(", ")
        ));
    }
    let mut inputs = vec![cube, msi];
    inputs.extend(args.images.truth.as_deref());
    let task = Task {
        case: &pair.case,
        truth: pair.truth.as_ref(),
        meta: &pair.meta,
        range: pair.range,
        inputs: &inputs,
        mode: if args.images.wald_ratio.is_some() { "real, Wald's protocol" } else { "real" },
    };
    task.run(args, invocation, configs)
}

/// Two images, and what is to be done with them.
struct Task<'a> {
    case: &'a Case,
    truth: Option<&'a Array3<f32>>,
    meta: &'a CubeMeta,
    range: PercentileRange,
    inputs: &'a [&'a Path],
    mode: &'static str,
}

impl Task<'_> {
    fn run(
        &self,
        args: &Arguments,
        invocation: &Invocation,
        configs: &[Option<LiftConfig>],
    ) -> Result<()> {
        let Self { case, truth, .. } = *self;
        let target = Target::new(&args.output, &case.label, case.srf.msi_bands(), self.inputs)?;
        let save_dir = begin(args, invocation, configs, &self.settings())?;
        self.tell(args);
        let truth = truth.map(|truth| truth.view());
        let mut pictures = (!args.output.no_pictures)
            .then(|| Pictures::new(case, truth, self.meta.wavelengths_nm.as_deref()))
            .transpose()?;
        let (mut lines, mut last) = (Vec::new(), None);
        for (method, config) in args.model.methods().into_iter().zip(configs) {
            // Without a truth there is nothing to compare, but pictures.
            if truth.is_none() && pictures.is_none() && method != Method::Model(args.model.model) {
                continue;
            }
            let start = Instant::now();
            let made = fit(case, method, config.as_ref(), args.output.verbose)?;
            if let Some(truth) = truth {
                lines.push(self.line(truth, &made, start)?);
            }
            if let Some(pictures) = &mut pictures {
                pictures.add(method, made.image.view(), truth);
            }
            last = Some(made);
        }
        let Estimate { image, report, train_seconds, inference_seconds, .. } =
            last.context("there is no method")?;
        if let Some(pictures) = &pictures {
            pictures.write(&save_dir, case, report.as_ref())?;
        }
        let (bands, rows, cols) = image.dim();
        target.write(image, case.hr_missing.as_ref(), self.meta, &self.range)?;
        if truth.is_some() {
            write_csv(&save_dir.join("metrics.csv"), &lines)?;
        }
        finish(args, &save_dir, &case.label.scene, self.mode, &lines)?;
        if truth.is_some() {
            print_line(&table(&lines).to_string());
        }
        print_line(&format!(
            "{}: {bands} bands, {rows} x {cols} pixels, {train_seconds:.2} s to fit, \
             {inference_seconds:.2} s to apply, peak memory {:.0} MiB",
            target.path().display(),
            peak_bytes_ever() as f64 / f64::from(1 << 20)
        ));
        Ok(())
    }

    fn line(&self, truth: ArrayView3<'_, f32>, made: &Estimate, start: Instant) -> Result<Line> {
        let metrics = score(truth, made.image.view(), self.case.hr_missing.as_ref())?;
        Ok(Line::new(self.case, made, metrics, start.elapsed().as_secs_f64()))
    }

    fn settings(&self) -> Value {
        let Self { case, range, mode, .. } = self;
        let label = &case.label;
        json!({
            "mode": mode, "range": range, "psf": label.psf, "sigma": label.sigma,
            "kernel_rows": label.kernel_rows, "ratio": label.ratio,
            "snr_spatial_db": label.snr_spatial_db, "snr_spectral_db": label.snr_spectral_db,
            "msi_bands": case.srf.msi_bands(), "hsi_bands": case.srf.hsi_bands(),
            "lr_hsi_shape": case.lr_hsi.shape(), "hr_msi_shape": case.hr_msi.shape(),
        })
    }

    /// What a run is about, before it takes its time.
    fn tell(&self, args: &Arguments) {
        let case = self.case;
        if let Some(mask) = &case.hr_missing {
            let count = mask.iter().filter(|&&missing| missing).count();
            let scored = if self.truth.is_some() {
                "; SSIM and UIQI, which look at windows, count them as exact"
            } else {
                ""
            };
            print_error(&format!("note: {count} pixels have no data{scored}"));
        }
        if !args.output.verbose {
            return;
        }
        let (bands, low_rows, low_cols) = case.lr_hsi.dim();
        let (msi_bands, rows, cols) = case.hr_msi.dim();
        print_line(&format!(
            "{} mode: cube of {bands} bands, {low_rows} x {low_cols} pixels; multispectral image of \
             {msi_bands} bands, {rows} x {cols} pixels",
            self.mode
        ));
        print_line(&format!("values from {} to {} are 0 to 1", self.range.low, self.range.high));
        if let Some(psf) = &case.psf {
            let (rows, cols) = psf.kernel().dim();
            let sum = psf.kernel().sum();
            print_line(&format!("PSF {}: {rows} x {cols} pixels, sum {sum:.6}", case.label.psf));
        }
        for (band, row) in case.srf.weights().outer_iter().enumerate() {
            let largest = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            if let Some((peak, weight)) = largest {
                let nm = self.meta.wavelengths_nm.as_ref().and_then(|list| list.get(peak));
                let nm = nm.map_or(String::new(), |nm| format!(" ({nm:.0} nm)"));
                print_line(&format!(
                    "multispectral band {band}: largest weight {weight:.4} at band {peak}{nm}"
                ));
            }
        }
    }
}

/// Fits a method, with its progress.
fn fit(
    case: &Case,
    method: Method,
    config: Option<&LiftConfig>,
    verbose: bool,
) -> Result<Estimate> {
    let mut bar = Bar::new();
    let every = config.map_or(1, |config| (config.epochs / 10).max(1));
    let mut show = |progress: &Progress| {
        let Progress { member, members, epoch, epochs, lr, loss, held_out } = *progress;
        bar.show(&format!("{method}, loss {loss:.5}"), epoch, epochs);
        if verbose && (epoch % every == 0 || epoch == epochs) {
            let held_out = held_out.map_or(String::new(), |loss| format!(", held out {loss:.5}"));
            let member =
                if members > 1 { format!(" {member} of {members}") } else { String::new() };
            print_line(&format!(
                "{method}{member}: epoch {epoch} of {epochs}, learning rate {lr:.2e}, loss \
                 {loss:.5}{held_out}"
            ));
        }
    };
    let made = estimate(case, method, config, &mut show)?;
    if verbose {
        let report = made.report.as_ref();
        let ridge = report.and_then(|report| report.ridge);
        let kept = report.and_then(|report| report.best_epoch);
        print_line(&format!(
            "{method}: {} parameters{}{}, {:.2} s to fit, {:.2} s to apply",
            made.parameters,
            ridge.map_or(String::new(), |ridge| format!(", ridge {ridge:.1e}")),
            kept.map_or(String::new(), |epoch| format!(", weights of epoch {epoch}")),
            made.train_seconds,
            made.inference_seconds
        ));
    }
    Ok(made)
}

fn sweep_scene(
    args: &Arguments,
    invocation: &Invocation,
    input: &Path,
    configs: &[Option<LiftConfig>],
) -> Result<()> {
    ensure!(args.output.output.is_none(), "--sweep writes tables, no cube: leave out --output");
    let settings = args.sweep.settings(&args.sensors)?;
    let shapes: Vec<_> = settings.iter().map(|setting| setting.psf).collect();
    args.sensors.check_parameters(&shapes)?;
    let scene = synthetic_scene(args, input)?;
    let about = json!({ "mode": "sweep", "range": scene.range, "settings": settings.len() });
    let save_dir = begin(args, invocation, configs, &about)?;
    let models = (&args.model, configs);
    let lines = sweep(&scene, &settings, &args.sensors, models, &save_dir)?;
    finish(args, &save_dir, &scene.name, "sweep", &lines)?;
    let failed = lines.iter().filter(|line| line.outcome.is_err()).count();
    print_line(&format!(
        "{}: {} settings, {failed} failed; {}",
        save_dir.join("sweep.csv").display(),
        settings.len(),
        save_dir.join("sweep.md").display()
    ));
    Ok(())
}

/// Makes the folder of the run, without what another run left there.
fn begin(
    args: &Arguments,
    invocation: &Invocation,
    configs: &[Option<LiftConfig>],
    about: &Value,
) -> Result<PathBuf> {
    let configs: Vec<&LiftConfig> = configs.iter().flatten().collect();
    let settings = json!({ "case": about, "models": configs, "seed": args.sensors.seed });
    let save_dir = output::begin(&args.output.save_dir, invocation, &settings)?;
    let tables = ["metrics.csv", "sweep.csv", "sweep.md"];
    let pictures = ["images.png", "spectra.png", "srf.png", "psf.png", "loss.png"];
    for stale in tables.iter().chain(&pictures).map(|name| save_dir.join(name)) {
        if stale.exists() {
            std::fs::remove_file(&stale)
                .with_context(|| format!("cannot replace `{}`", stale.display()))?;
        }
    }
    Ok(save_dir)
}

/// `metrics.json` in the form of all programs, and by which definitions.
#[derive(Serialize)]
struct Scores {
    #[serde(flatten)]
    report: Report,
    definitions: Variant,
}

fn finish(
    args: &Arguments,
    save_dir: &Path,
    scene: &str,
    mode: &str,
    lines: &[Line],
) -> Result<()> {
    let sensors = &args.sensors;
    let db = |snr: Option<f64>| snr.map_or("none".to_owned(), |snr| format!("{snr} dB"));
    let noise = match lines.first() {
        Some(line) if mode == "synthetic" => {
            let label = &line.label;
            format!(
                "cube {}, multispectral {}",
                db(label.snr_spatial_db),
                db(label.snr_spectral_db)
            )
        }
        _ if mode == "sweep" => format!("multispectral {}", db(sensors.snr_spectral.0)),
        _ => "that of the sensors".to_owned(),
    };
    let report = Report {
        protocol: Protocol {
            noise,
            normalisation: args.images.normalisation.to_string(),
            split: mode.to_owned(),
            seed: sensors.seed,
            data: scene.to_owned(),
        },
        rows: lines.iter().filter_map(|line| row(line, mode)).collect(),
    };
    let scores = Scores { report, definitions: Variant::HyperBench };
    Ok(hsi_train::files::write_json(&save_dir.join("metrics.json"), &scores)?)
}

/// The row of a line; in a sweep the method's name says the setting.
fn row(line: &Line, mode: &str) -> Option<hsi_train::Row> {
    let mut row = line.row()?;
    if mode == "sweep" {
        let ratio = line.label.ratio.unwrap_or_default();
        row.method = format!("{} {} {ratio}x {} bands", row.method, line.label.psf, line.msi_bands);
    }
    Some(row)
}
