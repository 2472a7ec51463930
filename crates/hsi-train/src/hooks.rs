//! Where user code enters the training loop.

use crate::Result;
use crate::trainer::{EpochRecord, Scores};

/// Whether training goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// With the next epoch.
    Continue,
    /// No: end as if the last epoch had been reached.
    Stop,
}

/// Progress inside an epoch, as [`crate::Trainer::with_progress`] hands it out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Micro-batches done.
    pub done: usize,
    /// Micro-batches of this pass.
    pub total: usize,
    /// Whether this is the validation pass.
    pub validation: bool,
    /// Mean loss so far.
    pub loss: f64,
}

/// User code in the loop. Every method has a default that does nothing or what the trainer would
/// do; the loss is changed with [`crate::Denoising::with_loss`] or an objective of one's own.
///
/// ```
/// use hsi_train::{Control, EpochRecord, Hooks, Result};
///
/// /// Stops as soon as a PSNR is reached.
/// struct Until(f64);
///
/// impl Hooks for Until {
///     fn epoch_finished(&mut self, record: &EpochRecord) -> Result<Control> {
///         let reached = record.validation.psnr_db.is_some_and(|psnr| psnr >= self.0);
///         Ok(if reached { Control::Stop } else { Control::Continue })
///     }
/// }
/// ```
pub trait Hooks {
    /// Runs an epoch of training: `run` does what the trainer would do.
    ///
    /// # Errors
    /// What the user's code raises, as [`crate::Error::Hook`], or what `run` returns.
    fn epoch(&mut self, epoch: usize, run: &mut dyn FnMut() -> Result<Scores>) -> Result<Scores> {
        let _ = epoch;
        run()
    }

    /// Validates: `run` does what the trainer would do.
    ///
    /// # Errors
    /// As [`Self::epoch`].
    fn validate(
        &mut self,
        epoch: usize,
        run: &mut dyn FnMut() -> Result<Scores>,
    ) -> Result<Scores> {
        let _ = epoch;
        run()
    }

    /// Is told of each finished epoch, after its checkpoint was written.
    ///
    /// # Errors
    /// As [`Self::epoch`].
    fn epoch_finished(&mut self, record: &EpochRecord) -> Result<Control> {
        let _ = record;
        Ok(Control::Continue)
    }
}

/// No user code.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHooks;

impl Hooks for NoHooks {}
