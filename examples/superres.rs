//! Hyperspectral super-resolution from a low-resolution cube and a multispectral image.
//!
//! ```console
//! $ cargo run --release --example superres -- --input scene.npy
//! $ cargo run --release --example superres -- --lr-hsi cube.npy --hr-msi image.npy --estimate-srf
//! ```

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use hsi_examples::app::Invocation;
use hsi_examples::files::FileArgs;
use hsi_examples::output::print_line;
use hsi_examples::superres::args::{ImageArgs, OutputArgs};
use hsi_examples::superres::estimate::check_scorable;
use hsi_examples::superres::models::ModelArgs;
use hsi_examples::superres::modes::Mode;
use hsi_examples::superres::pair::Pair;
use hsi_examples::superres::run::{Plan, Task};
use hsi_examples::superres::scene::{Scene, Setting};
use hsi_examples::superres::sensors::SensorArgs;
use hsi_examples::superres::sweep::{SweepArgs, sweep};
use hsi_train::memory::CountingAllocator;
use serde_json::json;

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
    let plan = &Plan::new(images, &args.sensors, &args.model, &args.output, &invocation)?;
    args.sweep.check(images)?;
    if args.sweep.sweep {
        return sweep_scenes(&args, plan);
    }
    match Mode::of(images, &args.sensors)? {
        Mode::Synthetic(input) => synthetic(&args, plan, input),
        Mode::Real(cube, msi) => pair(&args, plan, (cube, msi)),
    }
}

fn synthetic_scene(args: &Arguments, input: &Path) -> Result<Scene> {
    let scene = Scene::read(input, &args.file.options(), args.images.normalisation)?;
    let (_, rows, cols) = scene.truth.dim();
    check_scorable(rows, cols).with_context(|| format!("`{}`", input.display()))?;
    Ok(scene)
}

fn synthetic(args: &Arguments, plan: &Plan<'_>, input: &Path) -> Result<()> {
    let sensors = &args.sensors;
    sensors.check_parameters(&[sensors.shape()])?;
    let scene = synthetic_scene(args, input)?;
    let setting = Setting {
        psf: sensors.shape(),
        ratio: sensors.ratio(),
        msi_bands: sensors.num_msi_bands.unwrap_or(4),
        seed: sensors.seed,
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
    task.run(plan)
}

fn pair(args: &Arguments, plan: &Plan<'_>, (cube, msi): (&Path, &Path)) -> Result<()> {
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
    task.run(plan)
}

fn sweep_scenes(args: &Arguments, plan: &Plan<'_>) -> Result<()> {
    ensure!(args.output.output.is_none(), "--sweep writes tables, no cube: leave out --output");
    let inputs = match &args.sweep.scenes {
        Some(list) => list.0.iter().map(PathBuf::as_path).collect(),
        None => match Mode::of(&args.images, &args.sensors)? {
            Mode::Synthetic(input) => vec![input],
            Mode::Real(..) => bail!("--sweep is for --input, the cube that is degraded"),
        },
    };
    let settings = args.sweep.settings(&args.sensors)?;
    let shapes: Vec<_> = settings.iter().map(|setting| setting.psf).collect();
    args.sensors.check_parameters(&shapes)?;
    // All are read before anything is computed: a file that cannot be used is found at once.
    let scenes = inputs.iter().map(|input| synthetic_scene(args, input));
    let scenes = scenes.collect::<Result<Vec<Scene>>>()?;
    let ranges: Vec<_> = scenes.iter().map(|scene| (&scene.name, scene.range)).collect();
    let about = json!({ "mode": "sweep", "ranges": ranges, "settings": settings.len() });
    let save_dir = plan.begin(&about)?;
    let lines = sweep(&scenes, &settings, plan, &save_dir)?;
    let failed = lines.iter().filter(|line| line.outcome.is_err()).count();
    print_line(&format!(
        "{}: {} settings, {failed} failed; {}",
        save_dir.join("sweep.csv").display(),
        scenes.len() * settings.len(),
        save_dir.join("sweep.md").display()
    ));
    Ok(())
}
