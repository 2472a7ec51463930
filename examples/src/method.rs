//! Arguments that say how a model is adapted.

use std::path::Path;

use anyhow::Result;
use clap::{ArgAction, Args};
use denoise_heads::HeadConfig;
use hsi_train::{
    AdamWConfig, BaseWeights, ENCODER, HEAD, Method, ModelConfig, ParamStore, Precision,
    QuantModules, Quantization, WeightsMode,
};
use mae_vit::VitConfig;
use peft_lora::LoraConfig;
use quant_nf4::{QuantConfig, QuantType};

/// The embeddings of the encoder, which `--train-embeddings` trains whole.
const EMBEDDINGS: [&str; 2] = ["patch_embed", "pos_embed"];

/// The method and its settings.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Method")]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct MethodArgs {
    /// full: everything is trained; frozen: the head only; lora: low-rank adapters on query, key,
    /// value and projection, and the head; qlora: the same over 4-bit weights
    #[arg(long)]
    pub method: Method,
    /// Rank of the adapters
    #[arg(long, default_value_t = 8)]
    pub lora_r: usize,
    /// Numerator of their scale, alpha / r
    #[arg(long, default_value_t = 16.0)]
    pub lora_alpha: f64,
    /// Probability with which an input of an adapter is dropped in training
    #[arg(long, default_value_t = 0.1)]
    pub lora_dropout: f64,
    /// Scale adapters by alpha / sqrt(r)
    #[arg(long)]
    pub use_rslora: bool,
    /// Train a magnitude for each output beside the direction (DoRA)
    #[arg(long)]
    pub use_dora: bool,
    /// Train the patch and position embeddings, too, with --learning-rate
    #[arg(long)]
    pub train_embeddings: bool,
    /// Codes of 4-bit weights: nf4, fp4
    #[arg(long, default_value = "nf4")]
    pub quant_type: QuantType,
    /// Weights that share a scale
    #[arg(long, default_value_t = 64)]
    pub quant_block_size: usize,
    /// Quantise the scales once more: on, off
    #[arg(long, default_value = "on", value_parser = on_or_off, action = ArgAction::Set)]
    pub double_quant: bool,
    /// Which layers have 4-bit weights: qkv-proj (as published), all (those of the MLPs, too)
    #[arg(long, default_value = "qkv-proj")]
    pub quant_modules: QuantModules,
    /// Optimiser: adamw, adamw8bit (moments in 8 bits, on the CPU) [default: adamw8bit for qlora on
    /// the CPU, else adamw]
    #[arg(long, value_parser = ["adamw", "adamw8bit"])]
    pub optimizer: Option<String>,
    /// Number type of frozen weights: f32, bf16. Sums and all that is trained are f32
    #[arg(long, default_value = "f32")]
    pub dtype: Precision,
    /// Learning rate of the encoder
    #[arg(long, default_value_t = 1e-4)]
    pub learning_rate: f64,
    /// Learning rate of the head
    #[arg(long, default_value_t = 1e-4)]
    pub head_lr: f64,
    /// Learning rate of the adapters
    #[arg(long, default_value_t = 1e-3)]
    pub lora_lr: f64,
}

fn on_or_off(text: &str) -> Result<bool, String> {
    match text {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err("should be `on` or `off`".to_owned()),
    }
}

impl MethodArgs {
    /// The model of an encoder and a head.
    pub fn config(&self, encoder: VitConfig, head: HeadConfig) -> ModelConfig {
        let mut config = ModelConfig::new(encoder, head, self.method);
        if let Some(lora) = &mut config.lora {
            let saved = if self.train_embeddings { &EMBEDDINGS[..] } else { &[] };
            *lora = LoraConfig {
                alpha: self.lora_alpha,
                dropout: self.lora_dropout,
                use_rslora: self.use_rslora,
                use_dora: self.use_dora,
                modules_to_save: saved.iter().map(|&name| name.to_owned()).collect(),
                ..LoraConfig::rank(self.lora_r)
            };
        }
        if let Some(quantization) = &mut config.quantization {
            *quantization = self.quantization();
        }
        config.precision = self.dtype;
        config
    }

    fn quantization(&self) -> Quantization {
        Quantization {
            config: QuantConfig {
                quant_type: self.quant_type,
                block_size: self.quant_block_size,
                double_quant: self.double_quant,
            },
            modules: self.quant_modules,
        }
    }

    /// Learning rates by the beginning of the names of parameters.
    pub fn rates(&self) -> Vec<(String, f64)> {
        let mut rates = vec![(HEAD.to_owned(), self.head_lr)];
        if self.method.has_adapters() {
            rates.push((ENCODER.to_owned(), self.lora_lr));
            rates.extend(EMBEDDINGS.map(|name| (format!("{ENCODER}{name}"), self.learning_rate)));
        } else {
            rates.push((ENCODER.to_owned(), self.learning_rate));
        }
        rates
    }

    /// The optimiser.
    pub fn adamw(&self, weight_decay: f64, on_cpu: bool) -> AdamWConfig {
        let eight_bit = match &self.optimizer {
            Some(name) => name == "adamw8bit",
            None => self.method == Method::Qlora && on_cpu,
        };
        AdamWConfig { weight_decay, eight_bit, ..AdamWConfig::default() }
    }
}

/// The weights below the adapters of a model, if it has any, for its checkpoints.
///
/// # Errors
/// When the file of the weights is gone.
pub fn base_weights(
    config: &ModelConfig,
    params: &ParamStore,
    weights: Option<&Path>,
    mode: WeightsMode,
) -> Result<Option<BaseWeights>> {
    if !config.method.has_adapters() {
        return Ok(None);
    }
    let weights = weights.map(Path::canonicalize).transpose()?;
    let (seed, sha256) = (params.seed(), params.base_sha256());
    Ok(Some(BaseWeights { weights, mode, seed, sha256 }))
}
