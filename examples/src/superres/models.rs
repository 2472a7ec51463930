//! Arguments that say which model, and how it is trained.

use std::str::FromStr;

use anyhow::{Result, bail};
use clap::Args;
use spectralift::{Batch, LiftConfig, ModelKind, ScheduleKind};

use super::args::List;
use super::estimate::Method;

/// The model and its training.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Model")]
pub struct ModelArgs {
    /// published (the network of the paper), affine (closed form), residual (a network for what
    /// the affine map leaves), fused (the affine map, and the cube's own spectra where it misses
    /// them)
    #[arg(long, default_value_t)]
    pub model: ModelKind,
    /// What is scored beside it: bicubic, or any of the models, joined by commas, or none
    #[arg(long, default_value = "bicubic,affine")]
    pub compare: Compare,
    /// Features of the hidden layers [default: 64]
    #[arg(long, value_name = "FEATURES")]
    pub hidden_size: Option<usize>,
    /// Passes over the low-resolution pixels [default: 2500]
    #[arg(long)]
    pub epochs: Option<usize>,
    /// Pixels of an update [default: all]
    #[arg(long, value_name = "PIXELS")]
    pub training_batch_size: Option<usize>,
    /// Let --training-batch-size be the side of square tiles, as the published program has it
    #[arg(long)]
    pub batch_tiles: bool,
    /// one_cycle, cosine_restart or flat [default: one_cycle]
    #[arg(long, value_name = "NAME")]
    pub lr_schedule: Option<ScheduleKind>,
    /// Learning rate where one_cycle starts, and of flat [default: 1e-3; 1e-4 for residual]
    #[arg(long, value_name = "RATE")]
    pub init_lr: Option<f64>,
    /// Highest learning rate of one_cycle and cosine_restart [default: 1e-2; 1e-3 for residual]
    #[arg(long, value_name = "RATE")]
    pub max_lr: Option<f64>,
    /// Last learning rate of one_cycle [default: 1e-6; 1e-7 for residual]
    #[arg(long, value_name = "RATE")]
    pub final_lr: Option<f64>,
    /// Learning rate that cosine_restart goes down to [default: 1e-6; 1e-7 for residual]
    #[arg(long, value_name = "RATE")]
    pub min_lr: Option<f64>,
    /// Cosines of cosine_restart [default: 2]
    #[arg(long, value_name = "COUNT")]
    pub num_restarts: Option<usize>,
    /// Part of the low-resolution pixels that choose the epoch whose weights are kept, 0 to 0.5
    /// [default: 0 for published, 0.2 for residual]
    #[arg(long, value_name = "PART")]
    pub held_out: Option<f64>,
    /// Ridge of the affine map, as part of the mean variance of the multispectral bands
    /// [default: chosen by leave-one-out error]
    #[arg(long)]
    pub ridge: Option<f64>,
    /// Networks that are trained and averaged [default: 1]
    #[arg(long, value_name = "COUNT")]
    pub members: Option<usize>,
    /// Pixels that are computed at a time at the end; it changes memory and time, not the result
    #[arg(long, value_name = "PIXELS")]
    pub inference_batch_size: Option<usize>,
}

impl ModelArgs {
    /// The settings of a model: its own defaults, and what was said.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn config(&self, model: ModelKind, seed: u64) -> Result<LiftConfig> {
        if self.batch_tiles && self.training_batch_size.is_none() {
            bail!("--batch-tiles needs --training-batch-size, the side of a tile");
        }
        let mut config = LiftConfig::of(model);
        config.seed = seed;
        config.ridge = self.ridge.or(config.ridge);
        config.inference_batch = self.inference_batch_size.or(config.inference_batch);
        config.batch = match self.training_batch_size {
            None => config.batch,
            Some(side) if self.batch_tiles => Batch::Tile(side),
            Some(pixels) => Batch::Pixels(pixels),
        };
        let schedule = &mut config.schedule;
        schedule.kind = self.lr_schedule.unwrap_or(schedule.kind);
        schedule.num_restarts = self.num_restarts.unwrap_or(schedule.num_restarts);
        for (value, given) in [
            (&mut schedule.init_lr, self.init_lr),
            (&mut schedule.max_lr, self.max_lr),
            (&mut schedule.final_lr, self.final_lr),
            (&mut schedule.min_lr, self.min_lr),
            (&mut config.held_out, self.held_out),
        ] {
            *value = given.unwrap_or(*value);
        }
        for (value, given) in [
            (&mut config.hidden_size, self.hidden_size),
            (&mut config.epochs, self.epochs),
            (&mut config.members, self.members),
        ] {
            *value = given.unwrap_or(*value);
        }
        // Other schedules do not restart, but a number that cannot be meant is refused with any.
        let restarts = 1..=config.epochs;
        if let Some(count) = self.num_restarts.filter(|count| !restarts.contains(count)) {
            bail!(
                "`num_restarts` should be from 1 to the number of epochs, {}, got `{count}`",
                config.epochs
            );
        }
        config.validate()?;
        Ok(config)
    }

    /// The model, after what it is compared with.
    pub fn methods(&self) -> Vec<Method> {
        let own = Method::Model(self.model);
        let others = self.compare.0.iter().copied().filter(|&method| method != own);
        others.chain([own]).collect()
    }
}

/// Methods that stand beside the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Compare(Vec<Method>);

impl FromStr for Compare {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let mut methods = Vec::new();
        for method in text.parse::<List<Method>>()?.0 {
            if !methods.contains(&method) {
                methods.push(method);
            }
        }
        Ok(Self(methods))
    }
}
