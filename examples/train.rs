//! Trains a denoising model: encoder, head and method over any data.
//!
//! ```console
//! $ cargo run --release --example train -- --method full --head unet --data synthetic:200
//! ```

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, bail};
use candle_core::DType;
use clap::Parser;
use hsi_data::{NormMode, SplitKind};
use hsi_examples::app::Invocation;
use hsi_examples::data::{DataArgs, NoiseArgs, Parts};
use hsi_examples::method::{MethodArgs, base_weights};
use hsi_examples::model::{DeviceChoice, EncoderArgs, HeadArgs};
use hsi_examples::output::{self, SamplePictures, print_line};
use hsi_examples::progress::Bar;
use hsi_examples::training::{self, EpochLog, EpochPictures, LoopArgs};
use hsi_train::checkpoint::{self, Kind};
use hsi_train::memory::CountingAllocator;
use hsi_train::{
    AdamW, Checkpoints, Degradation, Denoising, DenoisingModel, Method, NoisySamples,
    PretrainedEncoder, Protocol, Report, Restorer, SampleSource, Trainer, WeightsMode, evaluate,
    groups_by_prefix,
};
use serde_json::json;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Trains a denoising model.
#[derive(Debug, Parser)]
#[command(name = "train", args_override_self = true)]
struct Arguments {
    #[command(flatten)]
    method: MethodArgs,
    #[command(flatten)]
    data: DataArgs,
    /// Split: easy (by patch, 70/20/10), hard (by tile, 70/20/10), random (by patch, 80/10/10)
    #[arg(long, default_value = "easy")]
    split: SplitKind,
    /// How bands are brought to [0, 1]: oracle (range of the clean band, as published), from-noisy,
    /// fixed:MIN:MAX
    #[arg(long, default_value = "oracle")]
    normalisation: NormMode,
    #[command(flatten)]
    noise: NoiseArgs,
    #[command(flatten)]
    encoder: EncoderArgs,
    #[command(flatten)]
    head: HeadArgs,
    /// Pretrained encoder: a run of `pretrain`, or a .pth or .safetensors file [default: random]
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Which of the weights are used: all, or blocks (as the published code does: patch and position
    /// embeddings stay random)
    #[arg(long, default_value = "all")]
    weights_mode: WeightsMode,
    #[command(flatten)]
    train: LoopArgs,
    /// Folder of a run, or its `last` checkpoint, to continue
    #[arg(long)]
    resume_from: Option<PathBuf>,
    /// Where results go [default: runs/train, or the run that is continued]
    #[arg(long)]
    save_dir: Option<PathBuf>,
    /// Epochs between two sets of sample pictures; 0: none
    #[arg(long, default_value_t = 1)]
    visualize_every: usize,
    /// Validation samples in each set
    #[arg(long, default_value_t = 2)]
    visualize_samples: usize,
    /// Where tensors live
    #[arg(long, value_enum, default_value = "auto")]
    device: DeviceChoice,
    /// Free cached device memory before training
    #[arg(long)]
    empty_cache: bool,
    /// YAML, TOML or JSON file that supplies any of these flags; the command line wins
    #[arg(long)]
    config: Option<PathBuf>,
}

fn main() -> ExitCode {
    hsi_examples::run(train)
}

fn train(args: Arguments, invocation: Invocation) -> Result<()> {
    let device = args.device.device()?;
    training::empty_cache(args.empty_cache, &device)?;
    let noise = args.noise.pipeline()?;
    let dataset = args.data.open()?;
    let (rows, cols) = dataset.size();
    if rows != cols {
        bail!("samples should be square, those of `{}` are {rows} x {cols}", args.data.data);
    }
    // The test part is scored after training: better to know before.
    hsi_train::check_scorable(rows, cols)?;
    let parts = Parts::new(&dataset, args.split, args.data.seed)?;

    let mut encoder = args.encoder.config(rows, dataset.bands());
    let mut weights = None;
    let method = args.method.method;
    if args.weights.is_none() && args.resume_from.is_none() && method != Method::Full {
        let note = "note: the encoder is random and stays so: --weights names a pretrained one";
        output::print_error(note);
    }
    if let Some(path) = &args.weights {
        let pretrained = PretrainedEncoder::load(path, &encoder, args.weights_mode, &device)?;
        encoder = pretrained.config;
        print_line(&pretrained.line);
        weights = Some(pretrained.tensors);
    }
    let head = args.head.config(&encoder);
    let config = args.method.config(encoder, head);
    config.validate()?;
    let adamw = args.method.adamw(args.train.weight_decay, device.is_cpu());
    let loop_config = args.train.config(args.data.seed);
    loop_config.validate()?;

    let params = config.params(args.data.seed, DType::F32, &device);
    params.provide(weights.into_iter().flatten())?;
    let protocol = Protocol {
        noise: noise.to_string(),
        normalisation: args.normalisation.to_string(),
        split: format!("{}, test", args.split.name()),
        seed: args.data.seed,
        data: args.data.data.to_string(),
    };
    let resume_key = json!({
        "model": config, "protocol": protocol, "batch_size": loop_config.batch_size,
        "gradient_accumulation_steps": loop_config.gradient_accumulation_steps,
        "seed": loop_config.seed, "learning_rate": args.method.learning_rate,
        "head_lr": args.method.head_lr, "lora_lr": method.has_adapters().then_some(args.method.lora_lr),
        "optimizer": adamw,
        "max_grad_norm": loop_config.max_grad_norm,
        "schedule": loop_config.schedule, "image_size": rows, "bands": dataset.bands(),
        "training samples": parts.train.len(),
    });
    let (mut resumed, mut continued) = (None, None);
    if let Some(path) = &args.resume_from {
        let last = checkpoint::open(path, Kind::Denoiser, true)?.over(args.weights.as_deref());
        resumed = Some(last.resume(&resume_key, &device)?);
        last.provide(&config, &params)?;
        continued = Some(last);
    }
    let mut model = DenoisingModel::new(&config, &params);
    if let Some(resumed) = &resumed {
        model = model.map_err(checkpoint::blame(&resumed.path));
    }
    let model = model?;
    if let Some(continued) = &continued {
        continued.check(&params)?;
    }
    params.release_provided();
    let rates = args.method.rates();
    let rates: Vec<(&str, f64)> = rates.iter().map(|(name, rate)| (name.as_str(), *rate)).collect();
    let optimizer = AdamW::new(groups_by_prefix(params.trained(), &rates)?, adamw)?;

    let settings = json!({ "model": config, "loop": loop_config, "protocol": protocol,
        "optimizer": adamw, "rates": rates, "wavelengths_nm": dataset.wavelengths_nm() });
    let save_dir = training::save_folder(args.save_dir.as_deref(), resumed.as_ref(), "runs/train");
    let save_dir = output::begin(&save_dir, &invocation, &settings)?;
    training::announce(&save_dir, resumed.as_ref(), loop_config.num_epochs);
    let count = params.count();
    print_line(&training::describe(count));
    let degradation =
        Degradation { noise, normalisation: args.normalisation, seed: args.data.seed };
    let source = |dataset: &Arc<_>, fresh| -> Arc<dyn SampleSource> {
        Arc::new(NoisySamples::new(Arc::clone(dataset), degradation.clone(), fresh))
    };
    let (train, validation) = (source(&parts.train, true), source(&parts.validation, false));
    let mut checkpoints =
        Checkpoints::new(&save_dir, Kind::Denoiser, &config, json!(protocol), resume_key)?;
    let base = match continued.and_then(|continued| continued.manifest.base) {
        Some(base) => Some(base),
        None => base_weights(&config, &params, args.weights.as_deref(), args.weights_mode)?,
    };
    if let Some(base) = base {
        print_line(&format!("base weights: SHA-256 {}", base.sha256));
        checkpoints = checkpoints.over(base);
    }
    let objective = Denoising::new(&model);
    let mut bar = Bar::new();
    let mut trainer = Trainer::new(loop_config.clone(), &objective, &params, optimizer)?
        .with_checkpoints(checkpoints.clone())
        .with_curves(&save_dir)?
        .with_progress(move |progress| bar.training(progress));
    if let Some(resumed) = resumed {
        let last = resumed.path.clone();
        trainer = trainer.resume(resumed)?;
        checkpoints.adopt(&last)?;
    }
    let mut log = EpochLog {
        pictures: Some(EpochPictures {
            model: &model,
            samples: Arc::clone(&validation),
            dataset: Arc::clone(&parts.validation),
            folder: save_dir.join("samples"),
            count: args.visualize_samples,
        }),
        every: args.visualize_every,
    };
    let report = trainer.fit(&train, &validation, &mut log)?;
    drop(trainer);
    training::print_end(&report, &loop_config);
    hsi_train::files::write_json(&save_dir.join("training.json"), &report)?;

    let (restorer, _) = Restorer::load(&save_dir, &device)?;
    let name = format!("{} {}", method, config.head.kind);
    let estimators = training::final_estimators(&restorer, &name);
    let labels = estimators.iter().map(|e| e.name().to_owned()).collect();
    let count_pictures = args.visualize_samples;
    let pictures =
        SamplePictures::new(save_dir.join("test"), count_pictures, parts.test.as_ref(), labels)?;
    let mut rows = evaluate(parts.test.as_ref(), &degradation, &estimators, &mut |sample| {
        pictures.draw(sample)
    })?;
    if let Some(row) = rows.pop() {
        rows.push(training::with_training(row, &report, count));
    }
    output::finish(&save_dir, &Report { protocol, rows })
}
