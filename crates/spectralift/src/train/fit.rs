//! The epochs of a training.

use ndarray::{Array2, ArrayView2};

use super::{Order, Schedule};
use crate::network::{Adam, SpectralNet, Stepper};
use crate::{Error, Result};

/// What a training does in which order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) epochs: usize,
    pub(crate) schedule: Schedule,
    /// Epochs from one look at the held-out pixels to the next.
    pub(crate) look_every: usize,
}

/// Pixels the weights are not fitted to, `[pixels, bands]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldOut<'a> {
    pub(crate) xs: ArrayView2<'a, f32>,
    pub(crate) targets: ArrayView2<'a, f32>,
}

/// What happened in an epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch {
    /// From 1.
    pub(crate) number: usize,
    pub(crate) lr: f64,
    pub(crate) loss: f64,
    pub(crate) held_out: Option<f64>,
}

/// How a training went.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) losses: Vec<f64>,
    pub(crate) learning_rates: Vec<f64>,
    pub(crate) held_out: Vec<(usize, f64)>,
    pub(crate) best_epoch: Option<usize>,
}

/// Trains a network on pixels in their order. With held-out pixels it ends with the weights that
/// served these best, otherwise with the last ones.
pub(crate) fn fit(
    net: &mut SpectralNet,
    order: &Order,
    (xs, targets): (ArrayView2<'_, f32>, ArrayView2<'_, f32>),
    held_out: Option<HeldOut<'_>>,
    plan: &Plan,
    progress: &mut (dyn FnMut(Epoch) + Send),
) -> Result<History> {
    let layout = net.layout;
    let widest = order.batches.iter().map(ExactSizeIterator::len).max().unwrap_or_default();
    let mut stepper = Stepper::new(layout, widest);
    let mut adam = Adam::new(layout);
    let mut history = History::default();
    let mut best: Option<(f64, Vec<f32>)> = None;
    let (xs, targets) = (xs.as_standard_layout(), targets.as_standard_layout());
    let (Some(xs), Some(targets)) = (xs.as_slice(), targets.as_slice()) else {
        return Ok(history);
    };
    let held_out = held_out.map(|h| (contiguous(h.xs), contiguous(h.targets)));
    for epoch in 1..=plan.epochs {
        let lr = plan.schedule.rate(epoch, plan.epochs)?;
        let mut sum = 0.0;
        for batch in &order.batches {
            let xs = &xs[batch.start * layout.inputs..batch.end * layout.inputs];
            let targets = &targets[batch.start * layout.outputs..batch.end * layout.outputs];
            sum += stepper.update(&mut net.params, &mut adam, (xs, targets), lr);
        }
        let loss = sum / order.batches.len().max(1) as f64;
        if !loss.is_finite() {
            return Err(Error::Diverged { epoch, loss });
        }
        history.losses.push(loss);
        history.learning_rates.push(lr);
        let look = epoch % plan.look_every.max(1) == 0 || epoch == plan.epochs;
        let seen = held_out.as_ref().filter(|_| look).map(|(xs, targets)| {
            let loss = stepper.loss(&net.params, xs, targets);
            history.held_out.push((epoch, loss));
            if best.as_ref().is_none_or(|(least, _)| loss < *least) {
                history.best_epoch = Some(epoch);
                best = Some((loss, net.params.clone()));
            }
            loss
        });
        progress(Epoch { number: epoch, lr, loss, held_out: seen });
    }
    if let Some((_, params)) = best {
        net.params = params;
    }
    Ok(history)
}

fn contiguous(values: ArrayView2<'_, f32>) -> Vec<f32> {
    let values: Array2<f32> = values.as_standard_layout().into_owned();
    values.into_raw_vec_and_offset().0
}
