//! A denoising task that is learned in a minute on two cores: synthetic scenes, an encoder that is
//! pretrained on them, and any method to adapt it.

use std::sync::Arc;

use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use denoise_heads::{HeadConfig, HeadKind};
use hsi_data::{Dataset, NormMode, SceneConfig, Subset, SyntheticDataset};
use hsi_noise::NoisePipeline;
use hsi_train::{
    AdamW, AdamWConfig, CleanSamples, Degradation, Denoising, DenoisingModel, ENCODER, HEAD,
    MaskedPretraining, Method, ModelConfig, NoHooks, NoisySamples, ParamStore, Progress, Restorer,
    SampleSource, Schedule, TrainConfig, TrainReport, Trainer, groups_by_prefix,
    pretraining_params,
};
use mae_vit::{MaeConfig, MaskedAutoencoder, VitConfig};
use peft_lora::LoraConfig;

/// Bands of a scene.
pub const BANDS: usize = 48;
/// Rows and columns of a scene.
pub const SIDE: usize = 64;
/// Scenes that are scored.
pub const TEST_SCENES: usize = 8;
const TRAIN_SCENES: usize = 256;
const VALIDATION_SCENES: usize = 8;

/// Scenes that no one has seen before, in three parts, and their noise.
pub struct QuickTask {
    /// Scenes to learn from.
    pub train: Arc<dyn Dataset>,
    /// Scenes to watch the training by.
    pub validation: Arc<dyn Dataset>,
    /// Scenes to score.
    pub test: Arc<dyn Dataset>,
    /// How clean scenes become noisy ones.
    pub degradation: Degradation,
    seed: u64,
}

/// The weights of a pretrained encoder under the names of the whole model, and what they cost.
pub struct Pretrained {
    tensors: Vec<(String, Tensor)>,
    /// Seconds of pretraining.
    pub seconds: f64,
}

/// A trained model and what its training gave.
pub struct Adapted {
    /// The model.
    pub restorer: Restorer,
    /// Its parameters.
    pub params: ParamStore,
    /// Its training.
    pub report: TrainReport,
}

impl QuickTask {
    /// Makes the scenes of a seed, with the published mixed noise.
    ///
    /// # Errors
    /// When the scenes cannot be made.
    pub fn new(seed: u64) -> Result<Self> {
        let scenes = TRAIN_SCENES + VALIDATION_SCENES + TEST_SCENES;
        let scene = SceneConfig::vnir(BANDS).sized(SIDE, SIDE);
        let all: Arc<dyn Dataset> = Arc::new(SyntheticDataset::new(scene, scenes, seed)?);
        let part = |from: usize, count: usize| -> Result<Arc<dyn Dataset>> {
            Ok(Arc::new(Subset::new(Arc::clone(&all), (from..from + count).collect())?))
        };
        let degradation =
            Degradation { noise: NoisePipeline::paper(), normalisation: NormMode::Oracle, seed };
        Ok(Self {
            train: part(0, TRAIN_SCENES)?,
            validation: part(TRAIN_SCENES, VALIDATION_SCENES)?,
            test: part(TRAIN_SCENES + VALIDATION_SCENES, TEST_SCENES)?,
            degradation,
            seed,
        })
    }

    /// An encoder and a head that are small enough to be trained in a minute.
    pub fn model(method: Method) -> ModelConfig {
        let encoder = encoder();
        let head = HeadConfig {
            kind: HeadKind::Conv,
            embed_dim: encoder.dim,
            bands: BANDS,
            patch_size: encoder.patch_size,
            width: Some(48),
        };
        let mut config = ModelConfig::new(encoder, head, method);
        if let Some(lora) = &mut config.lora {
            *lora = LoraConfig { dropout: 0.0, ..LoraConfig::all_linear(16) };
        }
        config
    }

    /// Pretrains the encoder as a masked autoencoder on the clean training scenes.
    ///
    /// # Errors
    /// When training fails.
    pub fn pretrain(&self, epochs: usize, progress: impl FnMut(&Progress)) -> Result<Pretrained> {
        let config = MaeConfig {
            decoder_dim: 64,
            decoder_depth: 1,
            decoder_heads: 2,
            norm_pix_loss: false,
            ..MaeConfig::new(encoder())
        };
        let device = Device::Cpu;
        let params = pretraining_params(&config, self.seed, DType::F32, &device)?;
        let model = MaskedAutoencoder::new(&config, &grad_ops::Dense, params.builder())?;
        let groups = groups_by_prefix(params.trained(), &[("", 1.5e-3)])?;
        let adamw = AdamWConfig { beta2: 0.95, ..AdamWConfig::default() };
        let source = |dataset: &Arc<dyn Dataset>| -> Arc<dyn SampleSource> {
            Arc::new(CleanSamples::new(Arc::clone(dataset), self.degradation.normalisation))
        };
        let objective = MaskedPretraining::new(&model, self.seed);
        let loop_config = TrainConfig { batch_size: 4, ..self.loop_config(epochs) };
        let optimizer = AdamW::new(groups, adamw)?;
        let report = Trainer::new(loop_config, &objective, &params, optimizer)?
            .with_progress(progress)
            .fit(&source(&self.train), &source(&self.validation), &mut NoHooks)?;
        let decoder = |name: &str| name == "mask_token" || name.starts_with("decoder_");
        let all = params.tensors().into_iter().filter(|(name, _)| !decoder(name));
        let tensors = all.map(|(name, tensor)| (format!("{ENCODER}{name}"), tensor)).collect();
        Ok(Pretrained { tensors, seconds: report.train_seconds })
    }

    /// Adapts the encoder, pretrained or random, to denoising.
    ///
    /// # Errors
    /// When training fails.
    pub fn adapt(
        &self,
        config: &ModelConfig,
        pretrained: Option<&Pretrained>,
        epochs: usize,
        curves: Option<&std::path::Path>,
        progress: impl FnMut(&Progress),
    ) -> Result<Adapted> {
        let device = Device::Cpu;
        let params = config.params(self.seed, DType::F32, &device);
        params.provide(pretrained.into_iter().flat_map(|weights| weights.tensors.clone()))?;
        let model = DenoisingModel::new(config, &params)?;
        params.release_provided();
        let rates = match config.method {
            Method::Full | Method::Frozen => [(ENCODER, 1.5e-3), (HEAD, 1.5e-3)],
            _ => [(ENCODER, 3e-3), (HEAD, 1.5e-3)],
        };
        let adamw =
            AdamWConfig { eight_bit: config.method == Method::Qlora, ..AdamWConfig::default() };
        let optimizer = AdamW::new(groups_by_prefix(params.trained(), &rates)?, adamw)?;
        let source = |dataset: &Arc<dyn Dataset>, fresh_noise| -> Arc<dyn SampleSource> {
            let degradation = self.degradation.clone();
            Arc::new(NoisySamples::new(Arc::clone(dataset), degradation, fresh_noise))
        };
        let objective = Denoising::new(&model);
        let mut trainer = Trainer::new(self.loop_config(epochs), &objective, &params, optimizer)?
            .with_progress(progress);
        if let Some(folder) = curves {
            trainer = trainer.with_curves(folder)?;
        }
        let (train, validation) = (source(&self.train, true), source(&self.validation, false));
        let report = trainer.fit(&train, &validation, &mut NoHooks)?;
        drop(trainer);
        let restorer = Restorer::new(model, params.count(), DType::F32, &device);
        Ok(Adapted { restorer, params, report })
    }

    /// Settings of the loop of every stage.
    pub fn loop_config(&self, epochs: usize) -> TrainConfig {
        TrainConfig {
            batch_size: 1,
            gradient_accumulation_steps: 1,
            num_epochs: epochs,
            patience: 0,
            max_grad_norm: Some(1.0),
            schedule: Schedule::Cosine,
            seed: self.seed,
            ..TrainConfig::default()
        }
    }
}

fn encoder() -> VitConfig {
    VitConfig {
        image_size: SIDE,
        in_channels: BANDS,
        dim: 128,
        depth: 2,
        heads: 2,
        mlp_dim: 256,
        ..VitConfig::small_patch4_hsi202()
    }
}
