//! Table 7.1: what adapting the encoder costs by each method.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use candle_core::{DType, Device};
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use denoise_heads::{HeadConfig, HeadKind};
use hsi_data::{NormMode, SceneConfig, SyntheticDataset};
use hsi_noise::NoisePipeline;
use hsi_train::{
    AdamW, AdamWConfig, Degradation, Denoising, DenoisingModel, MemoryParts, Method, ModelConfig,
    NoHooks, NoisySamples, ParamCount, QuantModules, Quantization, SampleSource, TrainConfig,
    Trainer, groups_by_prefix,
};
use mae_vit::{Preset, VitConfig};
use peft_lora::LoraConfig;
use serde::Serialize;

/// Settings of table 7.1.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Table 7.1")]
pub struct AdaptationArgs {
    /// Sizes of the encoder: tiny, small (as published), base, large
    #[arg(long, default_value = "small")]
    pub preset: Preset,
    /// Side of a sample in pixels
    #[arg(long, default_value_t = 128)]
    pub side: usize,
    /// Bands of a sample
    #[arg(long, default_value_t = 202)]
    pub channels: usize,
    /// Head: fc, conv, residual, unet
    #[arg(long, default_value = "unet")]
    pub head: HeadKind,
    /// Rank of the adapters
    #[arg(long, default_value_t = 8)]
    pub lora_r: usize,
    /// Layers of `qlora` with 4-bit weights: qkv-proj (as published), all
    #[arg(long, default_value = "qkv-proj")]
    pub quant_modules: QuantModules,
    /// Samples of a step
    #[arg(long, default_value_t = 1)]
    pub batch_size: usize,
    /// Steps that are measured
    #[arg(long, default_value_t = 2)]
    pub steps: usize,
}

/// What a method costs.
#[derive(Debug, Clone, Serialize)]
pub struct AdaptationCost {
    /// The method.
    pub method: Method,
    /// Numbers and bytes of the model.
    pub count: ParamCount,
    /// Peak memory of a step by part, in bytes.
    pub memory: MemoryParts,
    /// Seconds of a step, median.
    pub seconds_per_step: f64,
}

/// Published figures: parameters, trained ones, gigabytes.
const PUBLISHED: [(Method, &str, &str, f64); 4] = [
    (Method::Full, "31,787,338", "31,787,338", 9.8),
    (Method::Frozen, "31,787,338", "12,101,578", 5.2),
    (Method::Lora, "31,787,338", "12,396,490", 4.1),
    (Method::Qlora, "31,787,338", "12,396,490", 2.9),
];

/// Trains each method for a few steps and reports what it held.
///
/// # Errors
/// When a setting cannot be used or training fails.
pub fn adaptation_costs(
    args: &AdaptationArgs,
    mut done: impl FnMut(Method),
) -> Result<(Vec<AdaptationCost>, Table)> {
    for (name, value) in [("steps", args.steps), ("batch-size", args.batch_size)] {
        if value == 0 {
            let (expected, got) = ("at least 1".to_owned(), "0".to_owned());
            return Err(hsi_train::Error::Setting { name, expected, got }.into());
        }
    }
    let mut costs = Vec::new();
    for method in Method::ALL {
        costs.push(cost(args, method)?);
        done(method);
    }
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header([
        "method",
        "parameters",
        "trained",
        "stored elements",
        "weights MiB",
        "gradients MiB",
        "optimiser MiB",
        "activations MiB",
        "batches MiB",
        "peak MiB",
        "s / step",
        "published: total, trained, GB",
    ]);
    for cost in &costs {
        let (count, memory) = (&cost.count, &cost.memory);
        let mut cells = vec![cost.method.to_string()];
        cells.extend([count.total, count.trainable, count.stored_elements].map(grouped));
        let bytes = [
            memory.weights,
            memory.gradients,
            memory.optimizer,
            memory.activations,
            memory.data,
            memory.counted_peak,
        ];
        cells.extend(bytes.map(|bytes| format!("{:.1}", bytes as f64 / f64::from(1 << 20))));
        cells.push(format!("{:.2}", cost.seconds_per_step));
        let published = PUBLISHED.iter().find(|(method, ..)| *method == cost.method);
        cells.push(
            published.map_or(String::new(), |(_, total, trained, gb)| {
                format!("{total}, {trained}, {gb}")
            }),
        );
        table.add_row(cells);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    Ok((costs, table))
}

/// The model of a row.
fn model(args: &AdaptationArgs, method: Method) -> ModelConfig {
    let encoder = VitConfig::preset(args.preset, args.side, 4, args.channels);
    let head = HeadConfig {
        kind: args.head,
        embed_dim: encoder.dim,
        bands: args.channels,
        patch_size: encoder.patch_size,
        width: None,
    };
    let mut config = ModelConfig::new(encoder, head, method);
    if let Some(lora) = &mut config.lora {
        *lora = LoraConfig::rank(args.lora_r);
    }
    if let Some(quantization) = &mut config.quantization {
        *quantization = Quantization { modules: args.quant_modules, ..Quantization::default() };
    }
    config
}

fn cost(args: &AdaptationArgs, method: Method) -> Result<AdaptationCost> {
    let config = model(args, method);
    let params = config.params(0, DType::F32, &Device::Cpu);
    let model = DenoisingModel::new(&config, &params)?;
    let scene = SceneConfig::vnir(args.channels).sized(args.side, args.side);
    let samples = args.batch_size * args.steps;
    let dataset = Arc::new(SyntheticDataset::new(scene, samples, 1)?);
    let degradation =
        Degradation { noise: NoisePipeline::paper(), normalisation: NormMode::Oracle, seed: 0 };
    let source: Arc<dyn SampleSource> = Arc::new(NoisySamples::new(dataset, degradation, true));
    let groups = groups_by_prefix(params.trained(), &[("", 1e-4)])?;
    let eight_bit = method == Method::Qlora;
    let optimizer = AdamW::new(groups, AdamWConfig { eight_bit, ..AdamWConfig::default() })?;
    let objective = Denoising::new(&model);
    let config = TrainConfig {
        batch_size: args.batch_size,
        gradient_accumulation_steps: 1,
        num_epochs: 1,
        num_workers: 1,
        ..TrainConfig::default()
    };
    let mut seconds = Vec::new();
    let mut last = Instant::now();
    let mut trainer =
        Trainer::new(config, &objective, &params, optimizer)?.with_progress(|progress| {
            if !progress.validation {
                seconds.push(last.elapsed().as_secs_f64());
            }
            last = Instant::now();
        });
    let memory = trainer.fit(&source, &source, &mut NoHooks)?.memory;
    drop(trainer);
    seconds.sort_by(f64::total_cmp);
    let seconds_per_step = seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN);
    Ok(AdaptationCost { method, count: params.count(), memory, seconds_per_step })
}

/// A number with commas between groups of three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_three() {
        let all = [0, 12, 999, 1_000, 35_031_370].map(grouped);
        assert_eq!(all, ["0", "12", "999", "1,000", "35,031,370"]);
    }
}
