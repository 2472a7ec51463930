#![doc = include_str!("../README.md")]

pub mod checkpoint;
mod config;
mod curves;
mod error;
mod evaluate;
pub mod files;
mod hooks;
pub mod memory;
mod model;
mod objective;
mod optim;
mod params;
mod report;
mod restore;
mod samples;
mod tensorboard;
mod trainer;

pub use checkpoint::{Checkpoint, Checkpoints, Resumed};
pub use config::{Schedule, TrainConfig};
pub use error::{Error, Result};
pub use evaluate::{Estimator, Evaluated, check_scorable, evaluate};
pub use hooks::{Control, Hooks, NoHooks, Progress};
pub use memory::MemoryParts;
pub use model::{DenoisingModel, ENCODER, HEAD, Method, ModelConfig, apply, pretraining_params};
pub use objective::{Denoising, Loss, MaskedPretraining, Objective, Outcome};
pub use optim::{AdamW, AdamWConfig, EarlyStopping, ParamGroup, groups_by_prefix};
pub use params::{ParamCount, ParamStore, Policy};
pub use report::{Protocol, Report, Row, RowBuilder};
pub use restore::Restorer;
pub use samples::{Batch, CleanSamples, Degradation, Degraded, NoisySamples, Sample, SampleSource};
pub use tensorboard::ScalarWriter;
pub use trainer::{EpochRecord, Scores, TrainReport, TrainState, Trainer};
