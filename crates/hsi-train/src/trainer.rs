//! The training loop: one for every method and for pretraining.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use hsi_data::{Loader, LoaderConfig, shuffled};
use serde::{Deserialize, Serialize};

use crate::checkpoint::{Checkpoints, Resumed, blame};
use crate::config::TrainConfig;
use crate::curves::Curves;
use crate::hooks::{Control, Hooks, Progress};
use crate::memory::{MemoryParts, StepProbe};
use crate::objective::{Objective, batch_psnr_db};
use crate::optim::{AdamW, EarlyStopping, clip_factor};
use crate::params::ParamStore;
use crate::samples::{Batch, HostBatch, SampleSource};
use crate::{Error, Result};

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

impl TrainState {
    /// The state before the first epoch.
    pub(crate) fn new() -> Self {
        Self {
            epoch: 0,
            steps: 0,
            early_stopping: EarlyStopping::new(0, 0.0),
            best_loss: None,
            history: Vec::new(),
        }
    }
}

type ProgressSink<'a> = Box<dyn FnMut(&Progress) + 'a>;

/// A run of training.
pub struct Trainer<'a> {
    config: TrainConfig,
    objective: &'a dyn Objective,
    params: &'a ParamStore,
    optimizer: AdamW,
    checkpoints: Option<Checkpoints>,
    curves: Option<Curves>,
    state: TrainState,
    progress: Option<ProgressSink<'a>>,
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
        let early_stopping = EarlyStopping::new(config.patience, config.min_delta);
        let state = TrainState { early_stopping, ..TrainState::new() };
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
        self.optimizer
            .load_state(&resumed.optimizer, resumed.state.steps, &resumed.path)
            .map_err(blame(&resumed.path))?;
        // Patience and threshold may have been changed for the continuation.
        let watch = self.state.early_stopping.continued_from(resumed.state.early_stopping);
        self.state = TrainState { early_stopping: watch, ..resumed.state };
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
        // A run that had stopped by itself stays stopped when it is resumed.
        let mut stopped_early = self.state.early_stopping.is_over();
        while !stopped_early && self.state.epoch < self.config.num_epochs {
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
        let total_steps = steps_per_epoch.saturating_mul(self.config.num_epochs);
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
            let moment = epoch * plan.len() + done + 1;
            let batch = batch.into_batch(self.dtype, &self.device, moment as u64)?;
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
            let psnr_db = psnr_db(outcome.estimate.as_ref(), &batch)?;
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
            let batch = batch?.into_batch(self.dtype, &self.device, 0)?;
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
            let psnr_db = psnr_db(outcome.estimate.as_ref(), &batch)?;
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

fn psnr_db(estimate: Option<&Tensor>, batch: &Batch) -> Result<Option<f64>> {
    estimate.map(|estimate| batch_psnr_db(estimate, &batch.target)).transpose()
}

fn scalar(loss: &Tensor) -> Result<f64> {
    Ok(loss.to_dtype(DType::F64)?.to_scalar::<f64>()?)
}

fn names(source: &dyn SampleSource, indices: &[usize]) -> String {
    indices.iter().map(|&index| format!("`{}`", source.name(index))).collect::<Vec<_>>().join(", ")
}
