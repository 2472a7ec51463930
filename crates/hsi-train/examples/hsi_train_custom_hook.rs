//! Trains with a loss and a validation of one's own, and stops when the time is up.
//!
//! ```console
//! $ cargo run --release -p hsi-train --example hsi_train_custom_hook
//! ```

#![allow(clippy::print_stdout)] // a program: its output is the point

use std::sync::Arc;
use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor};
use denoise_heads::{HeadConfig, HeadKind};
use hsi_data::{NormMode, SceneConfig, SyntheticDataset};
use hsi_metrics::sam;
use hsi_noise::NoisePipeline;
use hsi_train::{
    AdamW, AdamWConfig, Control, Degradation, Denoising, DenoisingModel, EpochRecord, Hooks,
    Method, ModelConfig, NoisySamples, Result, SampleSource, Scores, TrainConfig, Trainer, apply,
    groups_by_prefix,
};
use mae_vit::VitConfig;

const BANDS: usize = 12;
const SIDE: usize = 16;

fn main() -> Result<()> {
    let encoder = VitConfig {
        image_size: SIDE,
        in_channels: BANDS,
        dim: 32,
        depth: 2,
        heads: 2,
        mlp_dim: 64,
        ..VitConfig::small_patch4_hsi202()
    };
    let head = HeadConfig {
        embed_dim: encoder.dim,
        bands: BANDS,
        width: Some(8),
        ..HeadConfig::published(HeadKind::Unet)
    };
    let config = ModelConfig::new(encoder, head, Method::Full);
    let params = config.params(42, DType::F32, &Device::Cpu);
    let model = DenoisingModel::new(&config, &params)?;

    let train = scenes(24, 1, true)?;
    let validation = scenes(4, 2, false)?;
    let objective = Denoising::with_loss(&model, Arc::new(absolute_and_spectral));
    let optimizer =
        AdamW::new(groups_by_prefix(params.trained(), &[("", 2e-3)])?, AdamWConfig::default())?;
    let settings = TrainConfig {
        batch_size: 8,
        gradient_accumulation_steps: 1,
        num_epochs: 50,
        patience: 0,
        ..TrainConfig::default()
    };
    let mut hooks = BySpectralAngle {
        model: &model,
        samples: Arc::clone(&validation),
        deadline: Instant::now() + Duration::from_secs(2),
    };
    let report = Trainer::new(settings, &objective, &params, optimizer)?.fit(
        &train,
        &validation,
        &mut hooks,
    )?;
    println!("{} epochs, stopped early: {}", report.history.len(), report.stopped_early);
    Ok(())
}

/// Synthetic scenes under Gaussian noise and stripes.
fn scenes(count: usize, seed: u64, fresh_noise: bool) -> Result<Arc<dyn SampleSource>> {
    let scene = SceneConfig::vnir(BANDS).sized(SIDE, SIDE);
    let degradation = Degradation {
        noise: "gaussian:0.1+stripe:0.3".parse::<NoisePipeline>()?,
        normalisation: NormMode::Oracle,
        seed,
    };
    let dataset = Arc::new(SyntheticDataset::new(scene, count, seed)?);
    Ok(Arc::new(NoisySamples::new(dataset, degradation, fresh_noise)))
}

/// The mean absolute error, and half of that of the steps from band to band.
fn absolute_and_spectral(estimate: &Tensor, target: &Tensor) -> Result<Tensor> {
    let error = (estimate - target)?;
    let steps = (error.narrow(1, 1, BANDS - 1)? - error.narrow(1, 0, BANDS - 1)?)?;
    Ok((error.abs()?.mean_all()? + (steps.abs()?.mean_all()? * 0.5)?)?)
}

/// Takes the mean spectral angle for the validation loss: it then decides which epoch is the best
/// and when early stopping ends the run. Ends it anyway at a deadline.
struct BySpectralAngle<'a> {
    model: &'a DenoisingModel,
    samples: Arc<dyn SampleSource>,
    deadline: Instant,
}

impl Hooks for BySpectralAngle<'_> {
    fn validate(
        &mut self,
        _epoch: usize,
        run: &mut dyn FnMut() -> Result<Scores>,
    ) -> Result<Scores> {
        let usual = run()?;
        let mut angles = 0.0;
        for index in 0..self.samples.len() {
            let sample = self.samples.sample(index, 0)?;
            let estimate = apply(self.model, sample.input.view())?;
            angles += sam(sample.target.view(), estimate.view())?;
        }
        Ok(Scores { loss: angles / self.samples.len() as f64, ..usual })
    }

    fn epoch_finished(&mut self, record: &EpochRecord) -> Result<Control> {
        let (angle, mark) = (record.validation.loss, if record.best { "  best" } else { "" });
        println!("epoch {:2}  loss {:.4}  angle {angle:.4}{mark}", record.epoch, record.train.loss);
        let late = Instant::now() >= self.deadline;
        Ok(if late { Control::Stop } else { Control::Continue })
    }
}
