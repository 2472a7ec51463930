//! What is told during and after a fit.

use serde::Serialize;

use crate::train::{Epoch, History};
use crate::{LiftConfig, ModelKind};

/// How far a training is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Which network, from 1.
    pub member: usize,
    /// How many networks.
    pub members: usize,
    /// Which epoch, from 1.
    pub epoch: usize,
    /// How many epochs.
    pub epochs: usize,
    /// Learning rate of the epoch.
    pub lr: f64,
    /// Mean absolute error over the epoch.
    pub loss: f64,
    /// Mean absolute error of the held-out pixels after it, where it was looked at.
    pub held_out: Option<f64>,
}

/// How a fit went.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LiftReport {
    /// The model.
    pub model: ModelKind,
    /// Numbers that were fitted.
    pub parameters: usize,
    /// Multiplications and additions of the prediction.
    pub flops: u64,
    /// Whether the fit was to the sensor's own image, since the response does not explain it, and
    /// not to what the response makes of the cube.
    pub fits_sensor_image: bool,
    /// Ridge of the affine map, where there is one.
    pub ridge: Option<f64>,
    /// Epochs that the first network was trained for.
    pub epochs: usize,
    /// The epoch whose weights were kept, with held-out pixels.
    pub best_epoch: Option<usize>,
    /// Mean absolute error of each epoch of the first network.
    pub losses: Vec<f64>,
    /// Mean absolute error of the held-out pixels after some epochs.
    pub held_out_losses: Vec<(usize, f64)>,
    /// Learning rate of each epoch.
    pub learning_rates: Vec<f64>,
    /// Wall time of the fit.
    pub train_seconds: f64,
    /// Wall time of the prediction.
    pub inference_seconds: f64,
}

impl LiftReport {
    pub(crate) fn new(model: ModelKind) -> Self {
        Self {
            model,
            parameters: 0,
            flops: 0,
            fits_sensor_image: false,
            ridge: None,
            epochs: 0,
            best_epoch: None,
            losses: Vec::new(),
            held_out_losses: Vec::new(),
            learning_rates: Vec::new(),
            train_seconds: 0.0,
            inference_seconds: 0.0,
        }
    }

    pub(crate) fn record(&mut self, history: History) {
        self.epochs = history.losses.len();
        self.best_epoch = history.best_epoch;
        self.losses = history.losses;
        self.held_out_losses = history.held_out;
        self.learning_rates = history.learning_rates;
    }
}

/// What is told of an epoch.
pub(crate) fn of_epoch(epoch: Epoch, member: usize, config: &LiftConfig) -> Progress {
    let Epoch { number, lr, loss, held_out } = epoch;
    let (members, epochs) = (config.members, config.epochs);
    Progress { member, members, epoch: number, epochs, lr, loss, held_out }
}
