//! Learning rates by epoch.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How the learning rate goes from epoch to epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// Linear from `init_lr` to `max_lr` at 30 % of the epochs, then linear to `final_lr`.
    #[default]
    OneCycle,
    /// `num_restarts` half cosines from `max_lr` towards `min_lr`. Where the number of restarts
    /// divides the number of epochs, the last epoch is the first of a new cosine and runs at
    /// `max_lr`, as published.
    CosineRestart,
    /// `init_lr` throughout.
    Flat,
}

impl ScheduleKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::OneCycle, Self::CosineRestart, Self::Flat];

    /// The name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::OneCycle => "one_cycle",
            Self::CosineRestart => "cosine_restart",
            Self::Flat => "flat",
        }
    }
}

impl std::fmt::Display for ScheduleKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for ScheduleKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wanted = text.trim().to_ascii_lowercase();
        let found = Self::ALL.into_iter().find(|kind| kind.name() == wanted);
        found.ok_or_else(|| {
            Error::setting("lr_schedule", "`one_cycle`, `cosine_restart` or `flat`", text)
        })
    }
}

/// Learning rates by epoch: a kind and the rates between which it goes. The defaults are the
/// published ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// How the rate goes from epoch to epoch.
    pub kind: ScheduleKind,
    /// Where one cycle starts; the rate of the flat schedule.
    pub init_lr: f64,
    /// The highest rate of one cycle and of the cosines.
    pub max_lr: f64,
    /// The rate of the last epoch of one cycle.
    pub final_lr: f64,
    /// The rate that the cosines approach.
    pub min_lr: f64,
    /// Number of cosines.
    pub num_restarts: usize,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            kind: ScheduleKind::OneCycle,
            init_lr: 1e-3,
            max_lr: 1e-2,
            final_lr: 1e-6,
            min_lr: 1e-6,
            num_restarts: 2,
        }
    }
}

impl Schedule {
    /// Whether the schedule can be used for a number of epochs.
    ///
    /// # Errors
    /// [`Error::Setting`] for no epochs, rates that are negative or not finite, and cosines that
    /// are none or more than epochs.
    pub fn validate(&self, epochs: usize) -> Result<()> {
        if epochs == 0 {
            return Err(Error::setting("epochs", "at least 1", epochs));
        }
        let rates = [
            ("init_lr", self.init_lr),
            ("max_lr", self.max_lr),
            ("final_lr", self.final_lr),
            ("min_lr", self.min_lr),
        ];
        for (name, rate) in rates {
            if !(rate.is_finite() && rate >= 0.0) {
                return Err(Error::setting(name, "finite and at least 0", rate));
            }
        }
        if self.kind == ScheduleKind::CosineRestart && !(1..=epochs).contains(&self.num_restarts) {
            let expected = format!("from 1 to the number of epochs, {epochs}");
            return Err(Error::setting("num_restarts", expected, self.num_restarts));
        }
        Ok(())
    }

    /// The rate of an epoch, counted from 1, of `epochs`.
    ///
    /// ```text
    /// one_cycle       u = 0.3 E;  e < u: init + (max - init) e / u
    ///                 else        max - (max - final) (e - u) / (E - u)
    /// cosine_restart  P = floor(E / n), k = e mod P;  min + (max - min) (1 + cos(pi k / P)) / 2
    /// flat            init
    /// ```
    ///
    /// # Errors
    /// As [`Self::validate`], and [`Error::Setting`] for an epoch outside `1..=epochs`.
    pub fn rate(&self, epoch: usize, epochs: usize) -> Result<f64> {
        self.validate(epochs)?;
        if !(1..=epochs).contains(&epoch) {
            return Err(Error::setting("epoch", format!("from 1 to {epochs}"), epoch));
        }
        let (e, all) = (epoch as f64, epochs as f64);
        Ok(match self.kind {
            ScheduleKind::OneCycle => {
                let peak = 0.3 * all;
                if e < peak {
                    self.init_lr + (self.max_lr - self.init_lr) * e / peak
                } else {
                    self.max_lr - (self.max_lr - self.final_lr) * (e - peak) / (all - peak)
                }
            }
            ScheduleKind::CosineRestart => {
                let period = epochs / self.num_restarts;
                let phase = (epoch % period) as f64 / period as f64;
                let share = 0.5 * (1.0 + (std::f64::consts::PI * phase).cos());
                self.min_lr + (self.max_lr - self.min_lr) * share
            }
            ScheduleKind::Flat => self.init_lr,
        })
    }
}
