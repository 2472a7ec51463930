//! What to fit, and how.

use serde::{Deserialize, Serialize};

use crate::affine::check_ridge;
use crate::{Batch, Error, Result, Schedule};

/// What the high-resolution cube is computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ModelKind {
    /// The published network.
    Published,
    /// The affine map of least squares, with a ridge.
    Affine,
    /// The affine map and a network for what it leaves, stopped by held-out pixels.
    Residual,
    /// The affine map and, for what it leaves, regression over spectrum and place: the
    /// low-resolution cube's own spectra come in where the map misses them.
    #[default]
    Fused,
}

impl ModelKind {
    /// All models.
    pub const ALL: [Self; 4] = [Self::Published, Self::Affine, Self::Residual, Self::Fused];

    /// The name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Affine => "affine",
            Self::Residual => "residual",
            Self::Fused => "fused",
        }
    }
}

impl std::fmt::Display for ModelKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for ModelKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wanted = text.trim().to_ascii_lowercase();
        Self::ALL.into_iter().find(|kind| kind.name() == wanted).ok_or_else(|| {
            Error::setting("model", "`published`, `affine`, `residual` or `fused`", text)
        })
    }
}

/// A model and its training. The defaults of a model are those of [`LiftConfig::of`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LiftConfig {
    /// The model.
    pub model: ModelKind,
    /// Features of a hidden layer.
    pub hidden_size: usize,
    /// Passes over the low-resolution pixels.
    pub epochs: usize,
    /// Pixels of an update.
    pub batch: Batch,
    /// Learning rates.
    pub schedule: Schedule,
    /// Seed of the weights and of the choice of held-out pixels.
    pub seed: u64,
    /// Ridge of the affine map, as part of the mean variance of the multispectral bands; `None`
    /// takes the one with the least leave-one-out error.
    pub ridge: Option<f64>,
    /// Part of the low-resolution pixels that stops the training, 0 to 0.5; 0 trains on all of
    /// them to the last epoch.
    pub held_out: f64,
    /// Networks whose outputs are averaged, with seeds that follow each other.
    pub members: usize,
    /// Pixels that are predicted at a time; `None` for as many as serve the processor best.
    pub inference_batch: Option<usize>,
}

impl LiftConfig {
    /// The settings of a model: the published ones, or those that were chosen by measurement.
    pub fn of(model: ModelKind) -> Self {
        let published = Schedule::default();
        let tenth = Schedule {
            init_lr: 0.1 * published.init_lr,
            max_lr: 0.1 * published.max_lr,
            final_lr: 0.1 * published.final_lr,
            min_lr: 0.1 * published.min_lr,
            ..published
        };
        let own = model == ModelKind::Residual;
        Self {
            model,
            hidden_size: 64,
            epochs: 2500,
            batch: Batch::Whole,
            schedule: if own { tenth } else { published },
            seed: 42,
            ridge: None,
            held_out: if own { 0.2 } else { 0.0 },
            members: 1,
            inference_batch: None,
        }
    }

    /// Whether these settings can be used.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first that cannot.
    pub fn validate(&self) -> Result<()> {
        self.schedule.validate(self.epochs)?;
        self.batch.validate()?;
        check_ridge(self.ridge)?;
        if !(0.0..=0.5).contains(&self.held_out) {
            return Err(Error::setting("held_out", "from 0 to 0.5", self.held_out));
        }
        let counts = [("hidden_size", self.hidden_size), ("members", self.members)];
        for (name, count) in counts {
            if count == 0 {
                return Err(Error::setting(name, "at least 1", count));
            }
        }
        if self.inference_batch == Some(0) {
            return Err(Error::setting("inference_batch_size", "at least 1", 0));
        }
        Ok(())
    }
}

impl Default for LiftConfig {
    fn default() -> Self {
        Self::of(ModelKind::default())
    }
}
