//! The training loop: one for every method and for pretraining.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use hsi_data::{Loader, LoaderConfig, shuffled};
use serde::{Deserialize, Serialize};

use crate::checkpoint::{Checkpoints, Resumed};
use crate::curves::Curves;
use crate::hooks::{Control, Hooks, Progress};
use crate::memory::{MemoryParts, StepProbe};
use crate::objective::{Objective, batch_psnr_db};
use crate::optim::{AdamW, EarlyStopping, clip_factor};
use crate::params::ParamStore;
use crate::samples::{Batch, HostBatch, SampleSource};
use crate::{Error, Result};

/// Settings of the loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainConfig {
    /// Samples of an optimiser step.
    pub batch_size: usize,
    /// Micro-batches that an optimiser step is computed in; the result is the same but for
    /// rounding, the activations are that much smaller.
    pub gradient_accumulation_steps: usize,
    /// Epochs at most.
    pub num_epochs: usize,
    /// Epochs without improvement after which training stops; 0 never stops.
    pub patience: usize,
    /// Improvement of the validation loss that counts.
    pub min_delta: f64,
    /// Norm to which the gradient of a step is clipped; none by default, as published.
    pub max_grad_norm: Option<f64>,
    /// How the learning rates change over the run.
    pub schedule: Schedule,
    /// Keep the checkpoint of every so many epochs, besides the best and the last; 0 keeps none.
    pub checkpoint_every: usize,
    /// Addresses the order of samples; noise and initialisation have their own.
    pub seed: u64,
    /// Threads that prepare samples ahead.
    pub num_workers: usize,
}

impl Default for TrainConfig {
    /// The published settings, where there are any.
    fn default() -> Self {
        Self {
            batch_size: 8,
            gradient_accumulation_steps: 2,
            num_epochs: 200,
            patience: 20,
            min_delta: 1e-4,
            max_grad_norm: None,
            schedule: Schedule::Constant,
            checkpoint_every: 0,
            seed: 42,
            num_workers: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// How the learning rates change over the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Schedule {
    /// Not at all.
    #[default]
    Constant,
    /// They rise linearly over the first twentieth of the steps and fall to zero on a cosine.
    Cosine,
}

impl Schedule {
    /// Factor on the learning rates for step `step` of `total`, from 0.
    pub fn factor(self, step: usize, total: usize) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Cosine => {
                let warm_up = (total / 20).max(1);
                if step < warm_up {
                    return (step + 1) as f64 / warm_up as f64;
                }
                let rest = total.saturating_sub(warm_up).max(1) as f64;
                let part = (step - warm_up) as f64 / rest;
                0.5 * (1.0 + (std::f64::consts::PI * part.min(1.0)).cos())
            }
        }
    }
}

impl std::str::FromStr for Schedule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "constant" => Ok(Self::Constant),
            "cosine" => Ok(Self::Cosine),
            other => Err(Error::Setting {
                name: "schedule",
                expected: "one of `constant`, `cosine`".to_owned(),
                got: other.to_owned(),
            }),
        }
    }
}

impl TrainConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the first that cannot be used.
    pub fn validate(&self) -> Result<()> {
        let positive = [
            ("batch-size", self.batch_size),
            ("gradient-accumulation-steps", self.gradient_accumulation_steps),
            ("num-epochs", self.num_epochs),
            ("num-workers", self.num_workers),
        ];
        for (name, value) in positive {
            if value == 0 {
                let (expected, got) = ("at least 1".to_owned(), "0".to_owned());
                return Err(Error::Setting { name, expected, got });
            }
        }
        if let Some(norm) = self.max_grad_norm.filter(|norm| !(norm.is_finite() && *norm > 0.0)) {
            return Err(Error::Setting {
                name: "max-grad-norm",
                expected: "a positive number".to_owned(),
                got: norm.to_string(),
            });
        }
        if !(self.min_delta.is_finite() && self.min_delta >= 0.0) {
            return Err(Error::Setting {
                name: "min-delta",
                expected: "a number, 0 or more".to_owned(),
                got: self.min_delta.to_string(),
            });
        }
        Ok(())
    }
}

/// Means over a pass.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Scores {
    /// Mean loss over samples.
    pub loss: f64,
    /// Mean over samples and bands of the PSNR for a range of 1, where there is an estimate.
    pub psnr_db: Option<f64>,
}

/// What an epoch gave.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Epoch, from 1.
    pub epoch: usize,
    /// On the training samples, while they were trained on.
    pub train: Scores,
    /// On the validation samples, after the epoch.
    pub validation: Scores,
    /// Optimiser steps since training began.
    pub steps: usize,
    /// Seconds of the epoch, validation included.
    pub seconds: f64,
    /// Whether this is the best epoch so far.
    pub best: bool,
}

/// What a run of training gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainReport {
    /// All epochs, those before a resumption included.
    pub history: Vec<EpochRecord>,
    /// Peak memory of the optimiser step that needed the most.
    pub memory: MemoryParts,
    /// Seconds of training, validation included, over all runs.
    pub train_seconds: f64,
    /// Whether early stopping or a hook ended the run before its last epoch.
    pub stopped_early: bool,
}

/// What training continues from after an interruption.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainState {
    /// Epochs done.
    pub epoch: usize,
    /// Optimiser steps done.
    pub steps: usize,
    /// Early stopping.
    pub early_stopping: EarlyStopping,
    /// Lowest validation loss so far.
    pub best_loss: Option<f64>,
    /// The epochs done.
    pub history: Vec<EpochRecord>,
}

/// A run of training.
pub struct Trainer<'a> {
    config: TrainConfig,
    objective: &'a dyn Objective,
    params: &'a ParamStore,
    optimizer: AdamW,
    checkpoints: Option<Checkpoints>,
    curves: Option<Curves>,
    state: TrainState,
    progress: Option<Box<dyn FnMut(&Progress) + 'a>>,
    memory: MemoryParts,
    dtype: DType,
    device: Device,
}

impl std::fmt::Debug for Trainer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trainer").field("config", &self.config).finish_non_exhaustive()
    }
}

impl<'a> Trainer<'a> {
    /// Prepares a run.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub fn new(
        config: TrainConfig,
        objective: &'a dyn Objective,
        params: &'a ParamStore,
        optimizer: AdamW,
    ) -> Result<Self> {
        config.validate()?;
        let state = TrainState {
            epoch: 0,
            steps: 0,
            early_stopping: EarlyStopping::new(config.patience, config.min_delta),
            best_loss: None,
            history: Vec::new(),
        };
        let (dtype, device) = (params.dtype(), params.device().clone());
        let memory = MemoryParts::default();
        Ok(Self {
            config,
            objective,
            params,
            optimizer,
            checkpoints: None,
            curves: None,
            state,
            progress: None,
            memory,
            dtype,
            device,
        })
    }

    /// Writes checkpoints, `best` and `last`, each a folder below that of `checkpoints`.
    #[must_use]
    pub fn with_checkpoints(mut self, checkpoints: Checkpoints) -> Self {
        self.checkpoints = Some(checkpoints);
        self
    }

    /// Writes `loss_curves.png`, `history.json` and TensorBoard scalars into a folder.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn with_curves(mut self, folder: impl Into<PathBuf>) -> Result<Self> {
        self.curves = Some(Curves::new(folder.into())?);
        Ok(self)
    }

    /// Hands out the progress inside epochs.
    #[must_use]
    pub fn with_progress(mut self, progress: impl FnMut(&Progress) + 'a) -> Self {
        self.progress = Some(Box::new(progress));
        self
    }

    /// Continues from the state of a `last` checkpoint, whose parameters the store already holds.
    ///
    /// # Errors
    /// When the moments of the optimiser do not fit.
    pub fn resume(mut self, resumed: Resumed) -> Result<Self> {
        self.optimizer.load_state(&resumed.optimizer, resumed.state.steps, &resumed.path)?;
        self.state = resumed.state;
        Ok(self)
    }

    /// Trains until the last epoch, early stopping, or a hook's word.
    ///
    /// # Errors
    /// [`Error::NotFinite`] when loss or gradient stop being finite, naming the batch; what
    /// samples, model, hooks or files raise. The last checkpoint stays as it is.
    pub fn fit(
        &mut self,
        train: &Arc<dyn SampleSource>,
        validation: &Arc<dyn SampleSource>,
        hooks: &mut dyn Hooks,
    ) -> Result<TrainReport> {
        for (part, source) in [("training", train), ("validation", validation)] {
            if source.is_empty() {
                return Err(Error::NoSamples(format!("the {part} part is empty")));
            }
        }
        let mut stopped_early = false;
        while self.state.epoch < self.config.num_epochs {
            let start = Instant::now();
            let epoch = self.state.epoch;
            let scores = hooks.epoch(epoch + 1, &mut || self.train_epoch(train))?;
            let validation_scores =
                hooks.validate(epoch + 1, &mut || self.validation_pass(validation))?;
            let best = self.state.best_loss.is_none_or(|best| validation_scores.loss < best);
            if best {
                self.state.best_loss = Some(validation_scores.loss);
            }
            let record = EpochRecord {
                epoch: epoch + 1,
                train: scores,
                validation: validation_scores,
                steps: self.optimizer.steps(),
                seconds: start.elapsed().as_secs_f64(),
                best,
            };
            self.state.epoch += 1;
            self.state.steps = self.optimizer.steps();
            self.state.history.push(record);
            stopped_early = self.state.early_stopping.should_stop(validation_scores.loss);
            self.save(best)?;
            let control = hooks.epoch_finished(&record)?;
            stopped_early |= control == Control::Stop;
            if stopped_early {
                break;
            }
        }
        let history = self.state.history.clone();
        let train_seconds = history.iter().map(|record| record.seconds).sum();
        Ok(TrainReport { history, memory: self.memory, train_seconds, stopped_early })
    }

    fn train_epoch(&mut self, source: &Arc<dyn SampleSource>) -> Result<Scores> {
        let epoch = self.state.epoch;
        let order = shuffled(source.len(), self.config.seed, epoch as u64);
        let plan = self.plan(&order);
        let steps_per_epoch = source.len().div_ceil(self.config.batch_size);
        let total_steps = steps_per_epoch * self.config.num_epochs;
        let mut means = Means::default();
        let mut step_in_epoch = 0;
        let mut probe = None;
        let mut held_before = 0;
        let mut batch_bytes = 0;
        let loader = self.loader(source, plan.iter().map(|part| part.indices.clone()).collect());
        for (done, batch) in loader.enumerate() {
            let part = &plan[done];
            if probe.is_none() {
                held_before = self.optimizer.collected_bytes();
                probe = Some(StepProbe::start());
            }
            let batch = batch?;
            batch_bytes = batch_bytes.max(batch.bytes());
            let batch = batch.into_batch(self.dtype, &self.device)?;
            let outcome = self.objective.outcome(&batch, true)?;
            let loss = scalar(&outcome.loss)?;
            let name_samples = || names(source.as_ref(), &batch.indices);
            let not_finite = |quantity, value| Error::NotFinite {
                quantity,
                value,
                epoch: epoch + 1,
                step: step_in_epoch + 1,
                samples: name_samples(),
            };
            if !loss.is_finite() {
                return Err(not_finite("the loss", loss));
            }
            let psnr_db = self.psnr_db(outcome.estimate.as_ref(), &batch)?;
            means.add(batch.indices.len(), loss, psnr_db);
            // The weight makes the sum over micro-batches the mean over the samples of the step.
            let grads = outcome.loss.affine(part.weight, 0.0)?.backward()?;
            drop(outcome);
            self.optimizer.accumulate(grads)?;
            if part.ends_step {
                let norm = self.optimizer.gradient_norm()?;
                if !norm.is_finite() {
                    return Err(not_finite("the gradient norm", norm));
                }
                self.optimizer.rate_factor =
                    self.config.schedule.factor(self.optimizer.steps(), total_steps);
                self.measure(probe.take(), held_before, batch_bytes);
                self.optimizer.step(clip_factor(norm, self.config.max_grad_norm))?;
                step_in_epoch += 1;
            }
            self.tell(&Progress {
                epoch: epoch + 1,
                done: done + 1,
                total: plan.len(),
                validation: false,
                loss: means.scores().loss,
            });
        }
        Ok(means.scores())
    }

    fn validation_pass(&mut self, source: &Arc<dyn SampleSource>) -> Result<Scores> {
        let order: Vec<usize> = (0..source.len()).collect();
        let size = self.micro_batch_size();
        let batches: Vec<Vec<usize>> = order.chunks(size).map(<[usize]>::to_vec).collect();
        let total = batches.len();
        let mut means = Means::default();
        for (done, batch) in self.loader(source, batches).enumerate() {
            let batch = batch?.into_batch(self.dtype, &self.device)?;
            let outcome = self.objective.outcome(&batch, false)?;
            let loss = scalar(&outcome.loss)?;
            if !loss.is_finite() {
                return Err(Error::NotFinite {
                    quantity: "the validation loss",
                    value: loss,
                    epoch: self.state.epoch + 1,
                    step: done + 1,
                    samples: names(source.as_ref(), &batch.indices),
                });
            }
            let psnr_db = self.psnr_db(outcome.estimate.as_ref(), &batch)?;
            means.add(batch.indices.len(), loss, psnr_db);
            self.tell(&Progress {
                epoch: self.state.epoch + 1,
                done: done + 1,
                total,
                validation: true,
                loss: means.scores().loss,
            });
        }
        Ok(means.scores())
    }

    fn micro_batch_size(&self) -> usize {
        self.config.batch_size.div_ceil(self.config.gradient_accumulation_steps)
    }

    /// Cuts the order of an epoch into steps and these into micro-batches.
    fn plan(&self, order: &[usize]) -> Vec<MicroBatch> {
        let mut plan = Vec::new();
        for step in order.chunks(self.config.batch_size) {
            let parts = step.chunks(self.micro_batch_size());
            let last = parts.len() - 1;
            for (i, indices) in parts.enumerate() {
                plan.push(MicroBatch {
                    indices: indices.to_vec(),
                    weight: indices.len() as f64 / step.len() as f64,
                    ends_step: i == last,
                });
            }
        }
        plan
    }

    fn loader(
        &self,
        source: &Arc<dyn SampleSource>,
        batches: Vec<Vec<usize>>,
    ) -> Loader<HostBatch, Error> {
        let (source, epoch) = (Arc::clone(source), self.state.epoch);
        let order = (0..batches.len()).collect();
        let config =
            LoaderConfig { workers: self.config.num_workers, prefetch: self.config.num_workers };
        Loader::new(
            order,
            move |i| HostBatch::make(source.as_ref(), batches[i].clone(), epoch),
            config,
        )
    }

    fn psnr_db(&self, estimate: Option<&Tensor>, batch: &Batch) -> Result<Option<f64>> {
        estimate.map(|estimate| batch_psnr_db(estimate, &batch.target)).transpose()
    }

    fn measure(&mut self, probe: Option<StepProbe>, held_before: usize, batch_bytes: usize) {
        let Some(probe) = probe else { return };
        let parts = MemoryParts {
            weights: self.params.count().stored_bytes,
            gradients: self.optimizer.collected_bytes(),
            optimizer: self.optimizer.state_bytes(),
            data: self.config.num_workers * batch_bytes,
            ..MemoryParts::default()
        };
        let parts = probe.finish(parts.gradients.saturating_sub(held_before), parts);
        if parts.counted_peak.max(parts.sum()) > self.memory.counted_peak.max(self.memory.sum()) {
            self.memory = parts;
        }
    }

    fn tell(&mut self, progress: &Progress) {
        if let Some(progress_sink) = &mut self.progress {
            progress_sink(progress);
        }
    }

    fn save(&mut self, best: bool) -> Result<()> {
        if let Some(curves) = &mut self.curves {
            curves.write(&self.state.history)?;
        }
        if let Some(checkpoints) = &self.checkpoints {
            let every = self.config.checkpoint_every;
            let keep = every > 0 && self.state.epoch.is_multiple_of(every);
            checkpoints.write(self.params, &self.optimizer, &self.state, best, keep)?;
        }
        Ok(())
    }
}

struct MicroBatch {
    indices: Vec<usize>,
    weight: f64,
    ends_step: bool,
}

/// Weighted means of a pass.
#[derive(Default)]
struct Means {
    samples: usize,
    loss: f64,
    psnr_db: Option<f64>,
}

impl Means {
    fn add(&mut self, samples: usize, loss: f64, psnr_db: Option<f64>) {
        self.samples += samples;
        self.loss += loss * samples as f64;
        if let Some(psnr_db) = psnr_db {
            *self.psnr_db.get_or_insert(0.0) += psnr_db * samples as f64;
        }
    }

    fn scores(&self) -> Scores {
        let samples = self.samples.max(1) as f64;
        Scores { loss: self.loss / samples, psnr_db: self.psnr_db.map(|sum| sum / samples) }
    }
}

fn scalar(loss: &Tensor) -> Result<f64> {
    Ok(loss.to_dtype(DType::F64)?.to_scalar::<f64>()?)
}

fn names(source: &dyn SampleSource, indices: &[usize]) -> String {
    indices.iter().map(|&index| format!("`{}`", source.name(index))).collect::<Vec<_>>().join(", ")
}
