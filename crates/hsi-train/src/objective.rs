//! What is trained: a model and its loss, as the trainer sees them.

use std::sync::Arc;

use candle_core::{DType, Tensor};
use mae_vit::{MaskedAutoencoder, random_masks};

use crate::model::DenoisingModel;
use crate::samples::{Batch, mix};
use crate::{Error, Result};

/// The loss of a batch and, where it can be scored, the estimate behind it.
#[derive(Debug)]
pub struct Outcome {
    /// The loss, a scalar: the mean over the samples of the batch.
    pub loss: Tensor,
    /// Estimate of `Batch::target`, same shape.
    pub estimate: Option<Tensor>,
}

/// Something that has a loss on a batch.
pub trait Objective {
    /// Computes the loss. `train` is true when its gradient will be asked for.
    ///
    /// # Errors
    /// When the batch does not fit the model.
    fn outcome(&self, batch: &Batch, train: bool) -> Result<Outcome>;
}

/// A loss of an estimate against its target.
pub type Loss = Arc<dyn Fn(&Tensor, &Tensor) -> Result<Tensor> + Send + Sync>;

/// Denoising: the mean squared error of the estimate, or a loss of one's own.
#[derive(Clone)]
pub struct Denoising<'a> {
    model: &'a DenoisingModel,
    loss: Loss,
}

impl<'a> Denoising<'a> {
    /// Trains with the mean squared error.
    pub fn new(model: &'a DenoisingModel) -> Self {
        Self::with_loss(
            model,
            Arc::new(|estimate, target| Ok(grad_ops::mse_loss(estimate, target)?)),
        )
    }

    /// Trains with another loss: a function of the estimate and the target, both
    /// `(batch, band, row, col)`, to a scalar that is the mean over the samples.
    pub fn with_loss(model: &'a DenoisingModel, loss: Loss) -> Self {
        Self { model, loss }
    }
}

impl Objective for Denoising<'_> {
    fn outcome(&self, batch: &Batch, train: bool) -> Result<Outcome> {
        self.model.moment().set(batch.moment);
        let estimate = self.model.forward_t(&batch.input, train)?;
        let loss = (self.loss)(&estimate, &batch.target)?;
        Ok(Outcome { loss, estimate: Some(estimate) })
    }
}

/// Masked-autoencoder pretraining.
#[derive(Debug, Clone, Copy)]
pub struct MaskedPretraining<'a> {
    model: &'a MaskedAutoencoder,
    seed: u64,
}

impl<'a> MaskedPretraining<'a> {
    /// Trains `model`; masks are addressed by `(seed, epoch, sample)`.
    pub fn new(model: &'a MaskedAutoencoder, seed: u64) -> Self {
        Self { model, seed }
    }
}

impl Objective for MaskedPretraining<'_> {
    fn outcome(&self, batch: &Batch, train: bool) -> Result<Outcome> {
        let config = self.model.config();
        let epoch = if train { batch.epoch as u64 + 1 } else { 0 };
        let indices: Vec<u64> = batch.indices.iter().map(|&index| index as u64).collect();
        let masks = random_masks(
            &indices,
            config.encoder.patches(),
            config.mask_ratio,
            mix(self.seed, epoch),
        )?;
        let output = self.model.forward(&batch.target, &masks, train)?;
        Ok(Outcome { loss: output.loss, estimate: None })
    }
}

/// Mean over samples and bands of the PSNR for a range of 1, in decibels.
///
/// # Errors
/// When the shapes differ.
pub(crate) fn batch_psnr_db(estimate: &Tensor, target: &Tensor) -> Result<f64> {
    let error = (estimate.detach() - target)?.sqr()?.mean((2, 3))?;
    let per_band = error.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
    if per_band.is_empty() {
        return Err(Error::NoSamples("an empty batch".to_owned()));
    }
    // A band without error counts as 100 dB, so that constant bands do not make the mean infinite.
    let psnr = |mse: f64| -10.0 * mse.max(1e-10).log10();
    Ok(per_band.iter().map(|&mse| psnr(mse)).sum::<f64>() / per_band.len() as f64)
}
