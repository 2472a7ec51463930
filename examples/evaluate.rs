//! Scores trained models and classical baselines on noisy versions of clean cubes.
//!
//! ```console
//! $ cargo run --release --example evaluate -- --checkpoint runs/train --baseline median \
//!     --data synthetic:8
//! ```

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, bail};
use clap::{Parser, ValueEnum};
use hsi_data::{Dataset, SplitKind};
use hsi_examples::app::Invocation;
use hsi_examples::baselines::by_names;
use hsi_examples::data::{DataArgs, NoiseArgs, Parts, normalisations};
use hsi_examples::model::DeviceChoice;
use hsi_examples::output::{self, SamplePictures, print_error};
use hsi_examples::progress::Bar;
use hsi_train::{Degradation, Estimator, Protocol, Report, Restorer, Row, evaluate};
use serde_json::json;

/// Scores models and baselines on noisy versions of clean cubes.
#[derive(Debug, Parser)]
#[command(name = "evaluate", args_override_self = true)]
struct Arguments {
    /// Folder of a run of `train`, one of its checkpoints, or a model that `export` wrote
    #[arg(long)]
    checkpoint: Option<PathBuf>,
    /// Pretrained encoder below the adapters of the checkpoint, where it was moved since training
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Classical methods, joined by commas, or `all`: median, median:rows=3,bands=5; `+` joins
    /// stages that follow each other
    #[arg(long)]
    baseline: Vec<String>,
    #[command(flatten)]
    data: DataArgs,
    /// Score a part of this split instead of all samples: easy, hard, random
    #[arg(long)]
    split: Option<SplitKind>,
    /// Which part of the split [default: test]
    #[arg(long, value_enum)]
    part: Option<Part>,
    /// Protocols, joined by commas: oracle (range of the clean band), from-noisy (range of the
    /// noisy band, as in real use), fixed:MIN:MAX
    #[arg(long, default_value = "oracle,from-noisy")]
    normalisation: String,
    #[command(flatten)]
    noise: NoiseArgs,
    /// Where results go
    #[arg(long, default_value = "runs/evaluate")]
    save_dir: PathBuf,
    /// Samples to draw pictures of
    #[arg(long, default_value_t = 3)]
    pictures: usize,
    /// Where tensors live
    #[arg(long, value_enum, default_value = "auto")]
    device: DeviceChoice,
    /// YAML, TOML or JSON file that supplies any of these flags; the command line wins
    #[arg(long)]
    config: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Train,
    Val,
    Test,
}

fn main() -> ExitCode {
    hsi_examples::run(score)
}

fn score(args: Arguments, invocation: Invocation) -> Result<()> {
    if args.checkpoint.is_none() && args.baseline.is_empty() {
        bail!("nothing to evaluate: name a --checkpoint, a --baseline, or both");
    }
    let modes = normalisations(&args.normalisation)?;
    let noise = args.noise.pipeline()?;
    let baselines = by_names(&args.baseline)?;
    let device = args.device.device()?;
    let mut model = None;
    if let Some(path) = &args.checkpoint {
        let (restorer, checkpoint) = Restorer::load_over(path, args.weights.as_deref(), &device)?;
        let config = restorer.model().config();
        let name = format!("{} {}", config.method, config.head.kind);
        model = Some((restorer, name, checkpoint.manifest.protocol));
    }
    let whole = args.data.open()?;
    let (dataset, part) = choose(&args, &whole)?;
    let (rows, cols) = dataset.size();
    hsi_train::check_scorable(rows, cols)?;
    if let Some((restorer, _, protocol)) = &model {
        if restorer.bands() != dataset.bands() {
            return Err(hsi_train::Error::Bands {
                what: args.data.data.to_string(),
                expected: restorer.bands(),
                got: dataset.bands(),
            }
            .into());
        }
        let trained_on = protocol.get("data").and_then(|data| data.as_str());
        if trained_on == Some(args.data.data.to_string().as_str()) && args.split.is_none() {
            print_error(
                "note: all samples are scored, those the model was trained on among them; --split \
                 scores one part",
            );
        }
    }

    let mut estimators = vec![Estimator::Noisy];
    estimators.extend(baselines.iter().map(|baseline| Estimator::Baseline(baseline.as_ref())));
    estimators.extend(model.iter().map(|(r, name, _)| Estimator::Model(r, name.clone())));
    let settings = json!({ "modes": args.normalisation, "noise": noise.to_string() });
    let save_dir = output::begin(&args.save_dir, &invocation, &settings)?;
    let labels: Vec<String> = estimators.iter().map(|e| e.name().to_owned()).collect();
    let mut rows: Vec<Row> = Vec::new();
    for mode in &modes {
        let degradation =
            Degradation { noise: noise.clone(), normalisation: *mode, seed: args.data.seed };
        let folder = save_dir.join(mode.to_string().replace(':', "_"));
        let pictures =
            SamplePictures::new(folder, args.pictures, dataset.as_ref(), labels.clone())?;
        let mut bar = Bar::new();
        let scored = evaluate(dataset.as_ref(), &degradation, &estimators, &mut |sample| {
            bar.show(&mode.to_string(), sample.index + 1, dataset.len());
            pictures.draw(sample)
        })?;
        rows.extend(scored.into_iter().map(|mut row| {
            row.normalisation = Some(mode.to_string());
            row
        }));
    }
    let protocol = Protocol {
        noise: noise.to_string(),
        normalisation: args.normalisation.clone(),
        split: part,
        seed: args.data.seed,
        data: args.data.data.to_string(),
    };
    output::finish(&save_dir, &Report { protocol, rows })
}

/// The samples to score, and what they are called in the report.
fn choose(args: &Arguments, whole: &Arc<dyn Dataset>) -> Result<(Arc<dyn Dataset>, String)> {
    let Some(kind) = args.split else {
        if args.part.is_some() {
            bail!("--part names a part of a --split, which is missing");
        }
        return Ok((Arc::clone(whole), "all".to_owned()));
    };
    let parts = Parts::new(whole, kind, args.data.seed)?;
    let (dataset, part) = match args.part.unwrap_or(Part::Test) {
        Part::Train => (parts.train, "train"),
        Part::Val => (parts.validation, "val"),
        Part::Test => (parts.test, "test"),
    };
    Ok((dataset, format!("{}, {part}", kind.name())))
}
