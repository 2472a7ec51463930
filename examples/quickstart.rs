//! From nothing to a denoised cube, without arguments: synthetic scenes, noise, classical filters,
//! a short pretraining and two short adaptations, a table and pictures.
//!
//! ```console
//! $ cargo run --release --example quickstart
//! ```

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use hsi_baselines::{MedianFilter, by_name};
use hsi_examples::app::Invocation;
use hsi_examples::output::{self, SamplePictures, print_line};
use hsi_examples::progress::Bar;
use hsi_examples::quick::{BANDS, QuickTask, SIDE, TEST_SCENES};
use hsi_examples::training;
use hsi_train::memory::CountingAllocator;
use hsi_train::{Estimator, Method, Protocol, Report, evaluate};
use serde_json::json;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const SEED: u64 = 42;
const PRETRAINING_EPOCHS: usize = 4;
const ADAPTATION_EPOCHS: usize = 6;
const SAVE_DIR: &str = "runs/quickstart";
/// The classical method that scores best on this noise.
const CLASSICAL: &str = "auto";

/// Denoises synthetic scenes from scratch: no arguments, three minutes at most.
#[derive(Debug, Parser)]
#[command(name = "quickstart")]
struct Arguments {}

fn main() -> ExitCode {
    hsi_examples::run(quickstart)
}

fn quickstart(_: Arguments, invocation: Invocation) -> Result<()> {
    let start = Instant::now();
    let save_dir = Path::new(SAVE_DIR);
    let task = QuickTask::new(SEED)?;
    let methods = [Method::Full, Method::Lora];
    let settings = json!({ "models": methods.map(QuickTask::model),
        "loop": task.loop_config(ADAPTATION_EPOCHS), "pretraining_epochs": PRETRAINING_EPOCHS });
    output::begin(save_dir, &invocation, &settings)?;

    // An encoder that has seen clean scenes, with some of their patches hidden.
    let mut bar = Bar::new();
    let pretrained = task.pretrain(PRETRAINING_EPOCHS, |progress| bar.training(progress))?;
    print_line(&format!("encoder pretrained for {:.0} s", pretrained.seconds));

    // Adapted to denoising: all of it trained, and by low-rank adapters over frozen weights.
    let mut adapted = Vec::new();
    for method in methods {
        let mut bar = Bar::new();
        let curves = save_dir.join(method.name());
        let model = task.adapt(
            &QuickTask::model(method),
            Some(&pretrained),
            ADAPTATION_EPOCHS,
            Some(&curves),
            |progress| bar.training(progress),
        )?;
        print_line(&format!("{method}: {}", training::describe(model.restorer.count())));
        adapted.push(model);
    }

    // The test scenes: noisy, filtered, denoised.
    let (median, classical) = (MedianFilter::default(), by_name(CLASSICAL)?);
    let mut estimators = vec![
        Estimator::Noisy,
        Estimator::Baseline(&median),
        Estimator::Baseline(classical.as_ref()),
    ];
    let models = methods.iter().zip(&adapted);
    estimators.extend(
        models.map(|(method, model)| Estimator::Model(&model.restorer, method.to_string())),
    );
    let labels = ["noisy", "median 5x5x9", CLASSICAL, "full", "lora"].map(str::to_owned).to_vec();
    let pictures =
        SamplePictures::new(save_dir.join("pictures"), 3, task.test.as_ref(), labels.clone())?;
    let mut rows = evaluate(task.test.as_ref(), &task.degradation, &estimators, &mut |sample| {
        pictures.draw(sample)
    })?;
    for (row, label) in rows.iter_mut().zip(&labels) {
        row.method.clone_from(label);
    }
    let first = rows.len() - adapted.len();
    for (row, model) in rows[first..].iter_mut().zip(&adapted) {
        *row = training::with_training(row.clone(), &model.report, model.restorer.count());
    }
    let protocol = Protocol {
        noise: task.degradation.noise.to_string(),
        normalisation: task.degradation.normalisation.to_string(),
        split: "held-out scenes".to_owned(),
        seed: SEED,
        data: format!("{TEST_SCENES} synthetic scenes of {SIDE} x {SIDE} x {BANDS}"),
    };
    output::finish(save_dir, &Report { protocol, rows })?;
    print_line(&format!(
        "{:.0} s in all; pictures, curves and figures are in {SAVE_DIR}",
        start.elapsed().as_secs_f64()
    ));
    Ok(())
}
