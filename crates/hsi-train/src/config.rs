//! Settings of the training loop.

use serde::{Deserialize, Serialize};

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
