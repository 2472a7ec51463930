//! Pretrains an encoder as a masked autoencoder.
//!
//! ```console
//! $ cargo run --release --example pretrain -- --data synthetic:500 --preset tiny
//! ```

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, bail};
use candle_core::DType;
use clap::Parser;
use hsi_data::{NormMode, SplitKind};
use hsi_examples::app::Invocation;
use hsi_examples::data::{DataArgs, Parts};
use hsi_examples::model::{DeviceChoice, EncoderArgs};
use hsi_examples::output::{self, print_line};
use hsi_examples::progress::Bar;
use hsi_examples::training::{self, EpochLog, LoopArgs};
use hsi_train::checkpoint::{self, Kind};
use hsi_train::memory::CountingAllocator;
use hsi_train::{
    AdamW, AdamWConfig, Checkpoints, CleanSamples, MaskedPretraining, Protocol, SampleSource,
    Trainer, groups_by_prefix, pretraining_params,
};
use mae_vit::{MaeConfig, MaskedAutoencoder, PositionEmbedding};
use serde_json::json;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Pretrains an encoder as a masked autoencoder.
#[derive(Debug, Parser)]
#[command(name = "pretrain", args_override_self = true)]
struct Arguments {
    #[command(flatten)]
    data: DataArgs,
    /// Split: easy, hard or random; its test part is not used
    #[arg(long, default_value = "easy")]
    split: SplitKind,
    /// How bands are brought to [0, 1]: oracle (range of each band) or fixed:MIN:MAX
    #[arg(long, default_value = "oracle")]
    normalisation: NormMode,
    #[command(flatten)]
    encoder: EncoderArgs,
    /// Share of the patches that are hidden
    #[arg(long, default_value_t = 0.75)]
    mask_ratio: f64,
    /// Width of the decoder
    #[arg(long, default_value_t = 512)]
    decoder_dim: usize,
    /// Blocks of the decoder
    #[arg(long, default_value_t = 8)]
    decoder_depth: usize,
    /// Attention heads of the decoder
    #[arg(long, default_value_t = 16)]
    decoder_heads: usize,
    /// Predict patches as they are, instead of normalised by their own mean and deviation
    #[arg(long)]
    no_norm_pix_loss: bool,
    /// Fixed sines and cosines as positions, as in the MAE paper, instead of learned ones
    #[arg(long)]
    sin_cos_positions: bool,
    #[command(flatten)]
    train: LoopArgs,
    /// Learning rate
    #[arg(long, default_value_t = 1.5e-4)]
    learning_rate: f64,
    /// Folder of a run, or its `last` checkpoint, to continue
    #[arg(long)]
    resume_from: Option<PathBuf>,
    /// Where results go [default: runs/pretrain, or the run that is continued]
    #[arg(long)]
    save_dir: Option<PathBuf>,
    /// Where tensors live
    #[arg(long, value_enum, default_value = "auto")]
    device: DeviceChoice,
    /// YAML, TOML or JSON file that supplies any of these flags; the command line wins
    #[arg(long)]
    config: Option<PathBuf>,
}

fn main() -> ExitCode {
    hsi_examples::run(pretrain)
}

fn pretrain(args: Arguments, invocation: Invocation) -> Result<()> {
    if args.normalisation == NormMode::FromNoisy {
        bail!("pretraining has no noisy images: use `oracle` or `fixed:MIN:MAX`");
    }
    let device = args.device.device()?;
    let dataset = args.data.open()?;
    let (rows, cols) = dataset.size();
    if rows != cols {
        bail!("samples should be square, those of `{}` are {rows} x {cols}", args.data.data);
    }
    let parts = Parts::new(&dataset, args.split, args.data.seed)?;
    let mut encoder = args.encoder.config(rows, dataset.bands());
    if encoder.patch_size == 0 || !rows.is_multiple_of(encoder.patch_size) {
        return Err(hsi_train::Error::PatchGrid { rows, cols, patch: encoder.patch_size }.into());
    }
    if args.sin_cos_positions {
        encoder.position = PositionEmbedding::SinCos;
    }
    let config = MaeConfig {
        decoder_dim: args.decoder_dim,
        decoder_depth: args.decoder_depth,
        decoder_heads: args.decoder_heads,
        mask_ratio: args.mask_ratio,
        norm_pix_loss: !args.no_norm_pix_loss,
        ..MaeConfig::new(encoder)
    };
    config.validate()?;
    let loop_config = args.train.config(args.data.seed);
    loop_config.validate()?;
    let params = pretraining_params(&config, args.data.seed, DType::F32, &device)?;
    let protocol = Protocol {
        noise: "none".to_owned(),
        normalisation: args.normalisation.to_string(),
        split: args.split.name().to_owned(),
        seed: args.data.seed,
        data: args.data.data.to_string(),
    };
    let resume_key = json!({ "model": config, "protocol": protocol,
        "batch_size": loop_config.batch_size, "seed": loop_config.seed,
        "gradient_accumulation_steps": loop_config.gradient_accumulation_steps,
        "learning_rate": args.learning_rate, "weight_decay": args.train.weight_decay,
        "max_grad_norm": loop_config.max_grad_norm, "schedule": loop_config.schedule,
        "training samples": parts.train.len() });
    let mut resumed = None;
    if let Some(path) = &args.resume_from {
        let last = checkpoint::open(path, Kind::MaskedAutoencoder, true)?;
        resumed = Some(last.resume(&resume_key, &device)?);
        params.provide(last.tensors(&device)?)?;
    }
    let mut model =
        MaskedAutoencoder::new(&config, &grad_ops::Dense, params.builder()).map_err(Into::into);
    if let Some(resumed) = &resumed {
        model = model.map_err(checkpoint::blame(&resumed.path));
    }
    let model = model?;
    if let Some(resumed) = &resumed {
        params.check_complete(&resumed.path, false)?;
    }
    params.release_provided();
    let adamw = AdamWConfig {
        weight_decay: args.train.weight_decay,
        beta2: 0.95,
        ..AdamWConfig::default()
    };
    let groups = groups_by_prefix(params.trained(), &[("", args.learning_rate)])?;
    let optimizer = AdamW::new(groups, adamw)?;

    let settings = json!({ "model": config, "loop": loop_config, "protocol": protocol });
    let save_dir =
        training::save_folder(args.save_dir.as_deref(), resumed.as_ref(), "runs/pretrain");
    let save_dir = output::begin(&save_dir, &invocation, &settings)?;
    training::announce(&save_dir, resumed.as_ref(), loop_config.num_epochs);
    print_line(&training::describe(params.count()));
    let source = |dataset: &Arc<_>| -> Arc<dyn SampleSource> {
        Arc::new(CleanSamples::new(Arc::clone(dataset), args.normalisation))
    };
    let (train, validation) = (source(&parts.train), source(&parts.validation));
    let checkpoints =
        Checkpoints::new(&save_dir, Kind::MaskedAutoencoder, &config, json!(protocol), resume_key)?;
    let objective = MaskedPretraining::new(&model, args.data.seed);
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
    let report = trainer.fit(&train, &validation, &mut EpochLog { pictures: None, every: 0 })?;
    training::print_end(&report, &loop_config);
    hsi_train::files::write_json(&save_dir.join("training.json"), &report)?;
    let last = report.history.last();
    let metrics = json!({ "protocol": protocol, "rows": [], "train_seconds": report.train_seconds, "epochs": report.history.len(),
        "train_loss": last.map(|r| r.train.loss), "validation_loss": last.map(|r| r.validation.loss),
        "parameters": params.count().total, "memory": report.memory });
    hsi_train::files::write_json(&save_dir.join("metrics.json"), &metrics)?;
    Ok(())
}
