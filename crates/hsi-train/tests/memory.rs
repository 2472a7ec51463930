//! The parts of the peak against the peak that the allocator counts.

use std::sync::Arc;

use candle_core::{DType, Device};
use denoise_heads::{HeadConfig, HeadKind};
use hsi_data::{NormMode, SceneConfig, SyntheticDataset};
use hsi_noise::NoisePipeline;
use hsi_train::memory::CountingAllocator;
use hsi_train::{
    AdamW, AdamWConfig, Degradation, Denoising, DenoisingModel, Error, Method, ModelConfig,
    NoHooks, NoisySamples, Result, SampleSource, TrainConfig, Trainer, groups_by_prefix,
};
use mae_vit::VitConfig;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// One test: the counters are those of the whole process.
#[test]
fn the_parts_add_up_to_the_counted_peak() -> Result<()> {
    let mut peaks = Vec::new();
    for (method, accumulation) in [
        (Method::Full, 2),
        (Method::Full, 1),
        (Method::Frozen, 1),
        (Method::Lora, 1),
        (Method::Qlora, 1),
    ] {
        let encoder = VitConfig {
            image_size: 64,
            in_channels: 24,
            dim: 192,
            depth: 3,
            heads: 3,
            mlp_dim: 768,
            ..VitConfig::small_patch4_hsi202()
        };
        let head = HeadConfig {
            kind: HeadKind::Unet,
            embed_dim: 192,
            bands: 24,
            patch_size: 4,
            width: Some(32),
        };
        let config = ModelConfig::new(encoder, head, method);
        let params = config.params(0, DType::F32, &Device::Cpu);
        let model = DenoisingModel::new(&config, &params)?;
        let scene = SceneConfig::vnir(24).sized(64, 64);
        let dataset = Arc::new(SyntheticDataset::new(scene, 8, 1).map_err(Error::from)?);
        let degradation =
            Degradation { noise: NoisePipeline::paper(), normalisation: NormMode::Oracle, seed: 0 };
        let samples: Arc<dyn SampleSource> =
            Arc::new(NoisySamples::new(dataset, degradation, true));
        let eight_bit = method == Method::Qlora;
        let groups = groups_by_prefix(params.trained(), &[("", 1e-4)])?;
        let optimizer = AdamW::new(groups, AdamWConfig { eight_bit, ..AdamWConfig::default() })?;
        let trainable = params.count().trainable;
        let objective = Denoising::new(&model);
        let train_config = TrainConfig {
            batch_size: 2,
            gradient_accumulation_steps: accumulation,
            num_epochs: 1,
            num_workers: 1,
            ..TrainConfig::default()
        };
        let mut trainer = Trainer::new(train_config, &objective, &params, optimizer)?;
        let memory = trainer.fit(&samples, &samples, &mut NoHooks)?.memory;
        let count = params.count();
        assert_eq!(memory.weights, count.stored_bytes);
        assert_eq!(count.stored_bytes == 4 * count.total, method != Method::Qlora);
        assert_eq!(memory.gradients, 4 * trainable);
        let state = memory.optimizer as f64 / trainable as f64;
        assert!(if eight_bit { (2.0..3.0).contains(&state) } else { state == 8.0 }, "{state}");
        assert!(memory.activations > 0);
        let (sum, counted) = (memory.sum() as f64, memory.counted_peak as f64);
        assert!((sum / counted - 1.0).abs() < 0.1, "{method} {accumulation}: {memory:?}");
        peaks.push(memory.counted_peak);
    }
    let [_, full, frozen, lora, qlora] = peaks[..] else { panic!("a peak for each method") };
    assert!(full > lora && lora >= qlora && qlora > frozen, "{peaks:?}");
    Ok(())
}
