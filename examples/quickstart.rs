//! From nothing to a denoised cube, without arguments: synthetic scenes, noise, a median filter, a
//! short training, a table and pictures.
//!
//! ```console
//! $ cargo run --release --example quickstart
//! ```

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use candle_core::{DType, Device};
use clap::Parser;
use denoise_heads::{HeadConfig, HeadKind};
use hsi_baselines::MedianFilter;
use hsi_data::{Dataset, NormMode, SceneConfig, Subset, SyntheticDataset};
use hsi_examples::app::Invocation;
use hsi_examples::output::{self, SamplePictures, print_line};
use hsi_examples::progress::Bar;
use hsi_examples::training;
use hsi_noise::NoisePipeline;
use hsi_train::memory::CountingAllocator;
use hsi_train::{
    AdamW, AdamWConfig, Degradation, Denoising, DenoisingModel, Estimator, Method, ModelConfig,
    NoHooks, NoisySamples, Protocol, Report, Restorer, SampleSource, Schedule, TrainConfig,
    Trainer, evaluate, groups_by_prefix,
};
use mae_vit::VitConfig;
use serde_json::json;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const BANDS: usize = 48;
const SIDE: usize = 64;
const SEED: u64 = 42;
const TRAIN_SCENES: usize = 256;
const VALIDATION_SCENES: usize = 8;
const TEST_SCENES: usize = 8;
const EPOCHS: usize = 8;
const SAVE_DIR: &str = "runs/quickstart";

/// Denoises synthetic scenes from scratch: no arguments, three minutes at most.
#[derive(Debug, Parser)]
#[command(name = "quickstart")]
struct Arguments {}

fn main() -> ExitCode {
    hsi_examples::run(quickstart)
}

/// An encoder and a head that are small enough to be trained in a minute.
fn small_model() -> ModelConfig {
    let encoder = VitConfig {
        image_size: SIDE,
        in_channels: BANDS,
        dim: 128,
        depth: 2,
        heads: 2,
        mlp_dim: 256,
        ..VitConfig::small_patch4_hsi202()
    };
    let head = HeadConfig {
        kind: HeadKind::Conv,
        embed_dim: encoder.dim,
        bands: BANDS,
        patch_size: encoder.patch_size,
        width: Some(48),
    };
    ModelConfig { encoder, head, method: Method::Full }
}

fn quickstart(_: Arguments, invocation: Invocation) -> Result<()> {
    let start = Instant::now();
    let save_dir = Path::new(SAVE_DIR);
    let (device, noise) = (Device::Cpu, NoisePipeline::paper());
    let config = small_model();
    let degradation =
        Degradation { noise: noise.clone(), normalisation: NormMode::Oracle, seed: SEED };

    // Scenes that no one has seen before, in three parts.
    let scenes = TRAIN_SCENES + VALIDATION_SCENES + TEST_SCENES;
    let scene = SceneConfig::vnir(BANDS).sized(SIDE, SIDE);
    let all: Arc<dyn Dataset> = Arc::new(SyntheticDataset::new(scene, scenes, SEED)?);
    let part = |from: usize, count: usize| -> Result<Arc<dyn Dataset>> {
        Ok(Arc::new(Subset::new(Arc::clone(&all), (from..from + count).collect())?))
    };
    let train = part(0, TRAIN_SCENES)?;
    let validation = part(TRAIN_SCENES, VALIDATION_SCENES)?;
    let test = part(TRAIN_SCENES + VALIDATION_SCENES, TEST_SCENES)?;

    // A model whose parameters are all trained.
    let params = config.params(SEED, DType::F32, &device);
    let model = DenoisingModel::new(&config, &params)?;
    print_line(&format!("model: {}", training::describe(params.count())));
    let loop_config = TrainConfig {
        batch_size: 1,
        gradient_accumulation_steps: 1,
        num_epochs: EPOCHS,
        patience: 0,
        max_grad_norm: Some(1.0),
        schedule: Schedule::Cosine,
        seed: SEED,
        ..TrainConfig::default()
    };
    let settings = json!({ "model": config, "loop": loop_config });
    output::begin(save_dir, &invocation, &settings)?;
    let source = |dataset: &Arc<dyn Dataset>, fresh_noise| -> Arc<dyn SampleSource> {
        Arc::new(NoisySamples::new(Arc::clone(dataset), degradation.clone(), fresh_noise))
    };
    let groups = groups_by_prefix(params.trained(), &[("", 1.5e-3)])?;
    let objective = Denoising::new(&model);
    let mut bar = Bar::new();
    let report = Trainer::new(
        loop_config,
        &objective,
        &params,
        AdamW::new(groups, AdamWConfig::default())?,
    )?
    .with_curves(save_dir)?
    .with_progress(|progress| bar.training(progress))
    .fit(&source(&train, true), &source(&validation, false), &mut NoHooks)?;
    print_line(&format!("trained for {:.0} s", report.train_seconds));

    // The test scenes: noisy, filtered, denoised.
    let restorer = Restorer::new(model, params.count(), DType::F32, &device);
    let median = MedianFilter::default();
    let estimators = [
        Estimator::Noisy,
        Estimator::Baseline(&median),
        Estimator::Model(&restorer, "trained".to_owned()),
    ];
    let labels = ["noisy", "median 5x5x9", "trained"].map(str::to_owned).to_vec();
    let pictures =
        SamplePictures::new(save_dir.join("pictures"), 3, test.as_ref(), labels.clone())?;
    let mut rows =
        evaluate(test.as_ref(), &degradation, &estimators, &mut |sample| pictures.draw(sample))?;
    for (row, label) in rows.iter_mut().zip(&labels) {
        row.method.clone_from(label);
    }
    if let Some(row) = rows.pop() {
        rows.push(training::with_training(row, &report, restorer.count()));
    }
    let protocol = Protocol {
        noise: noise.to_string(),
        normalisation: degradation.normalisation.to_string(),
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
