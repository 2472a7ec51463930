//! A model small enough to be trained in a test, and data for it.

use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device};
use denoise_heads::{HeadConfig, HeadKind};
use hsi_data::{Dataset, NormMode, SceneConfig, SyntheticDataset};
use hsi_noise::NoisePipeline;
use hsi_train::checkpoint::Kind;
use hsi_train::{
    AdamW, AdamWConfig, BaseWeights, Checkpoints, Degradation, Denoising, DenoisingModel, ENCODER,
    HEAD, Hooks, Method, ModelConfig, NoisySamples, ParamStore, Result, SampleSource, TrainConfig,
    TrainReport, Trainer, WeightsMode, checkpoint, groups_by_prefix,
};
use mae_vit::VitConfig;
use serde_json::json;

pub(crate) const BANDS: usize = 6;
pub(crate) const SIDE: usize = 16;

pub(crate) fn config(method: Method, kind: HeadKind) -> ModelConfig {
    let encoder = VitConfig {
        image_size: SIDE,
        in_channels: BANDS,
        dim: 16,
        depth: 2,
        heads: 2,
        mlp_dim: 32,
        ..VitConfig::small_patch4_hsi202()
    };
    let width = kind.default_width().map(|_| 8);
    let head = HeadConfig { kind, embed_dim: encoder.dim, bands: BANDS, patch_size: 4, width };
    ModelConfig::new(encoder, head, method)
}

pub(crate) fn scenes(count: usize, seed: u64) -> Arc<dyn Dataset> {
    let scene = SceneConfig::vnir(BANDS).sized(SIDE, SIDE);
    Arc::new(SyntheticDataset::new(scene, count, seed).expect("a valid data set"))
}

pub(crate) fn degradation() -> Degradation {
    Degradation { noise: NoisePipeline::paper(), normalisation: NormMode::Oracle, seed: 5 }
}

pub(crate) fn source(count: usize, seed: u64, fresh_noise: bool) -> Arc<dyn SampleSource> {
    Arc::new(NoisySamples::new(scenes(count, seed), degradation(), fresh_noise))
}

pub(crate) fn settings() -> TrainConfig {
    TrainConfig {
        batch_size: 4,
        gradient_accumulation_steps: 2,
        num_epochs: 3,
        num_workers: 2,
        ..TrainConfig::default()
    }
}

/// A run of training in a folder, or without one; resumes what the folder holds if told so.
pub(crate) fn run(
    model_config: &ModelConfig,
    train_config: &TrainConfig,
    train: &Arc<dyn SampleSource>,
    folder: Option<&Path>,
    resume: bool,
    hooks: &mut dyn Hooks,
) -> Result<(ParamStore, TrainReport)> {
    let params = model_config.params(7, DType::F32, &Device::Cpu);
    let key = json!({ "seed": train_config.seed, "model": model_config });
    let mut resumed = None;
    if let (Some(folder), true) = (folder, resume) {
        let last = checkpoint::open(folder, Kind::Denoiser, true)?;
        resumed = Some(last.resume(&key, &Device::Cpu)?);
        last.provide(model_config, &params)?;
    }
    let model = DenoisingModel::new(model_config, &params)?;
    let rates = [(ENCODER, 1e-3), (HEAD, 2e-3)];
    let eight_bit = model_config.method == Method::Qlora;
    let adamw = AdamWConfig { eight_bit, ..AdamWConfig::default() };
    let optimizer = AdamW::new(groups_by_prefix(params.trained(), &rates)?, adamw)?;
    let objective = Denoising::new(&model);
    let mut trainer = Trainer::new(train_config.clone(), &objective, &params, optimizer)?;
    if let Some(folder) = folder {
        let mut checkpoints =
            Checkpoints::new(folder, Kind::Denoiser, model_config, json!({}), key)?;
        if model_config.method.has_adapters() {
            let sha256 = params.base_sha256();
            let base = BaseWeights { weights: None, mode: WeightsMode::All, seed: 7, sha256 };
            checkpoints = checkpoints.over(base);
        }
        trainer = trainer.with_checkpoints(checkpoints).with_curves(folder)?;
    }
    if let Some(resumed) = resumed {
        trainer = trainer.resume(resumed)?;
    }
    let report = trainer.fit(train, &source(4, 99, false), hooks)?;
    drop(trainer);
    Ok((params, report))
}

/// All values of all parameters.
pub(crate) fn values(params: &ParamStore) -> Vec<(String, Vec<f32>)> {
    let all = params.dense_tensors().expect("tensors that can be unpacked").into_iter();
    all.map(|(name, tensor)| {
        let values = tensor.flatten_all().and_then(|flat| flat.to_vec1()).expect("f32 values");
        (name, values)
    })
    .collect()
}
