//! Arguments and pieces that `train` and `pretrain` share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use hsi_data::Dataset;
use hsi_train::{
    Control, DenoisingModel, EpochRecord, Estimator, Evaluated, Hooks, MemoryParts, ParamCount,
    Resumed, SampleSource, Schedule, TrainConfig, TrainReport,
};

use crate::output::{SamplePictures, print_error, print_line};

/// Settings of the loop.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Training")]
pub struct LoopArgs {
    /// Samples of an optimiser step
    #[arg(long, default_value_t = 8)]
    pub batch_size: usize,
    /// Micro-batches that a step is computed in, to save memory
    #[arg(long, default_value_t = 2)]
    pub gradient_accumulation_steps: usize,
    /// Epochs at most
    #[arg(long, default_value_t = 200)]
    pub num_epochs: usize,
    /// Epochs without improvement of the validation loss after which training stops; 0: never
    #[arg(long, default_value_t = 20)]
    pub patience: usize,
    /// Improvement of the validation loss that counts
    #[arg(long, default_value_t = 1e-4)]
    pub min_delta: f64,
    /// Norm to which the gradient of a step is clipped [default: it is not]
    #[arg(long)]
    pub max_grad_norm: Option<f64>,
    /// How learning rates change: constant (as published) or cosine (with warm-up)
    #[arg(long, default_value = "constant")]
    pub schedule: Schedule,
    /// Decoupled weight decay of AdamW
    #[arg(long, default_value_t = 1e-4)]
    pub weight_decay: f64,
    /// Keep the checkpoint of every so many epochs, besides the best and the last; 0: none
    #[arg(long, default_value_t = 0, value_name = "EPOCHS")]
    pub checkpoint_every: usize,
    /// Threads that prepare samples ahead [default: cores]
    #[arg(long)]
    pub num_workers: Option<usize>,
}

impl LoopArgs {
    /// The settings of the trainer.
    pub fn config(&self, seed: u64) -> TrainConfig {
        let defaults = TrainConfig::default();
        TrainConfig {
            batch_size: self.batch_size,
            gradient_accumulation_steps: self.gradient_accumulation_steps,
            num_epochs: self.num_epochs,
            patience: self.patience,
            min_delta: self.min_delta,
            max_grad_norm: self.max_grad_norm,
            schedule: self.schedule,
            checkpoint_every: self.checkpoint_every,
            seed,
            num_workers: self.num_workers.unwrap_or(defaults.num_workers),
        }
    }
}

/// Writes a line for each epoch, and pictures of samples every few epochs.
pub struct EpochLog<'a> {
    /// What draws the pictures; none are drawn without it.
    pub pictures: Option<EpochPictures<'a>>,
    /// Epochs between two sets of pictures; 0 draws none.
    pub every: usize,
}

impl Hooks for EpochLog<'_> {
    fn epoch_finished(&mut self, record: &EpochRecord) -> hsi_train::Result<Control> {
        let psnr = |psnr: Option<f64>| psnr.map_or(String::new(), |p| format!(" ({p:.2} dB)"));
        print_line(&format!(
            "epoch {:3}  train {:.5}{}  validation {:.5}{}  {:.1} s{}",
            record.epoch,
            record.train.loss,
            psnr(record.train.psnr_db),
            record.validation.loss,
            psnr(record.validation.psnr_db),
            record.seconds,
            if record.best { "  best" } else { "" }
        ));
        if self.every > 0
            && record.epoch.is_multiple_of(self.every)
            && let Some(pictures) = &self.pictures
        {
            pictures.draw(record.epoch)?;
        }
        Ok(Control::Continue)
    }
}

/// Draws validation samples as the model sees them: clean, noisy, denoised, and their errors.
pub struct EpochPictures<'a> {
    /// The model.
    pub model: &'a DenoisingModel,
    /// The validation samples.
    pub samples: Arc<dyn SampleSource>,
    /// The data set they are made of.
    pub dataset: Arc<dyn Dataset>,
    /// Folder of the pictures, one folder an epoch below it.
    pub folder: PathBuf,
    /// Samples drawn.
    pub count: usize,
}

impl EpochPictures<'_> {
    fn draw(&self, epoch: usize) -> hsi_train::Result<()> {
        let folder = self.folder.join(format!("epoch_{epoch:04}"));
        let labels = vec!["noisy".to_owned(), "denoised".to_owned()];
        let hook = |error: anyhow::Error| hsi_train::Error::Hook(error.into());
        let pictures = SamplePictures::new(folder, self.count, self.dataset.as_ref(), labels);
        let pictures = pictures.map_err(hook)?;
        for index in 0..self.count.min(self.samples.len()) {
            let sample = self.samples.sample(index, 0)?;
            let denoised = hsi_train::apply(self.model, sample.input.view())?;
            pictures.draw(&Evaluated {
                index,
                clean: sample.target.view(),
                noisy: sample.input.view(),
                estimates: &[sample.input.clone(), denoised],
            })?;
        }
        Ok(())
    }
}

/// A line that says how large a model is.
pub fn describe(count: ParamCount) -> String {
    format!(
        "{} parameters, {} of them trained, {:.1} MiB stored",
        count.total,
        count.trainable,
        mib(count.stored_bytes)
    )
}

/// A line that says where the memory went.
fn describe_memory(memory: &MemoryParts) -> String {
    format!(
        "peak memory of a step: weights {:.1} + gradients {:.1} + optimiser {:.1} + activations \
         {:.1} + batches ahead {:.1} = {:.1} MiB; counted {:.1} MiB",
        mib(memory.weights),
        mib(memory.gradients),
        mib(memory.optimizer),
        mib(memory.activations),
        mib(memory.data),
        mib(memory.sum()),
        mib(memory.counted_peak)
    )
}

fn mib(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Adds what training cost to a row.
pub fn with_training(
    mut row: hsi_train::Row,
    report: &TrainReport,
    count: ParamCount,
) -> hsi_train::Row {
    row.train_seconds = Some(report.train_seconds);
    row.parameters = Some(count.total);
    row.trainable_parameters = Some(count.trainable);
    row.stored_bytes = Some(count.stored_bytes);
    row.peak_bytes = Some(report.memory.counted_peak).filter(|&bytes| bytes > 0);
    row
}

/// Says, on the CPU, that `--empty-cache` has nothing to do.
///
/// # Errors
/// When the device fails.
pub fn empty_cache(asked: bool, device: &candle_core::Device) -> Result<()> {
    if asked {
        // candle frees device memory as tensors are dropped; there is nothing held back.
        device.synchronize()?;
        print_error("note: --empty-cache has nothing to free: no device memory is cached here");
    }
    Ok(())
}

/// Says where a continued run goes on, or that it has nothing left to do; says of a new run that
/// it will replace the checkpoints of another.
pub fn announce(save_dir: &Path, resumed: Option<&Resumed>, epochs: usize) {
    let Some(resumed) = resumed else {
        if save_dir.join("last").exists() {
            print_error(&format!(
                "note: the checkpoints in `{}` are of another run; the first epoch of this one \
                 replaces them",
                save_dir.display()
            ));
        }
        return;
    };
    let (path, state) = (resumed.path.display(), &resumed.state);
    if state.epoch >= epochs {
        print_error(&format!(
            "note: `{path}` has {} of {epochs} epochs, nothing is left to train; --num-epochs \
             asks for more",
            state.epoch
        ));
    } else {
        print_error(&format!("note: `{path}` is continued after epoch {}", state.epoch));
    }
}

/// Says whether a run ended before its last epoch, and where the memory went.
pub fn print_end(report: &TrainReport, config: &TrainConfig) {
    let epochs = report.history.len();
    if report.stopped_early && epochs < config.num_epochs {
        print_line(&format!(
            "stopped after epoch {epochs}: the validation loss has not fallen by {} for {} epochs",
            config.min_delta, config.patience
        ));
    }
    // A finished run that is resumed makes no step.
    if report.memory.sum() > 0 {
        print_line(&describe_memory(&report.memory));
    }
}

/// Where results go: where the user says, the folder of the run that is continued, or `default`.
pub fn save_folder(asked: Option<&Path>, resumed: Option<&Resumed>, default: &str) -> PathBuf {
    let run = resumed.and_then(|resumed| resumed.path.parent());
    let run = run.map(|run| if run.as_os_str().is_empty() { Path::new(".") } else { run });
    asked.or(run).unwrap_or(Path::new(default)).to_path_buf()
}

/// The estimators of a final table: the noisy images and the model.
pub fn final_estimators<'a>(restorer: &'a hsi_train::Restorer, name: &str) -> Vec<Estimator<'a>> {
    vec![Estimator::Noisy, Estimator::Model(restorer, name.to_owned())]
}
