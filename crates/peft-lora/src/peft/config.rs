//! `adapter_config.json`.

use std::path::Path;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::patterns::Patterns;
use crate::{Error, Result};

/// What is read of `adapter_config.json`.
#[derive(Debug, Deserialize)]
pub(super) struct PeftConfig {
    peft_type: String,
    pub(super) r: usize,
    pub(super) lora_alpha: f64,
    #[serde(default)]
    pub(super) lora_dropout: f64,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) use_rslora: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) use_dora: bool,
    #[serde(default)]
    pub(super) target_modules: Targets,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) modules_to_save: Vec<String>,
    #[serde(default)]
    pub(super) rank_pattern: Patterns<usize>,
    #[serde(default)]
    pub(super) alpha_pattern: Patterns<f64>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// `target_modules`: ends of paths, or an expression that peft evaluates (`all-linear` is one).
/// The tensors say which layers it meant.
#[derive(Debug, Deserialize, Default)]
#[serde(untagged)]
pub(super) enum Targets {
    List(Vec<String>),
    Expression(#[expect(dead_code, reason = "only its form counts")] String),
    #[default]
    None,
}

/// Fields whose use changes what an adapter computes in a way that is not implemented.
const REFUSED: [&str; 13] = [
    "alora_invocation_tokens",
    "arrow_config",
    "fan_in_fan_out",
    "kasa_config",
    "layer_replication",
    "lora_bias",
    "megatron_config",
    "monteclora_config",
    "target_parameters",
    "trainable_token_indices",
    "use_bdlora",
    "use_qalora",
    "velora_config",
];

/// Starts of `init_lora_weights` that change the weights of the base.
const CHANGED_BASE: [&str; 5] = ["pissa", "olora", "corda", "loftq", "lora_ga"];

impl PeftConfig {
    /// Parses and checks the text of the file at `path`.
    pub(super) fn parse(path: &Path, text: &[u8]) -> Result<Self> {
        let config: Self = serde_json::from_slice(text).map_err(|error| Error::File {
            path: path.to_path_buf(),
            expected: "configuration of a LoRA adapter",
            reason: error.to_string(),
        })?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        let refuse = |field: &str, value: &Value, expected| {
            let value = value.to_string();
            Err(Error::Unsupported { field: field.to_owned(), value, expected })
        };
        if self.peft_type != "LORA" {
            return refuse("peft_type", &json!(self.peft_type), "`LORA`");
        }
        if let Some(bias) = self.rest.get("bias")
            && bias != "none"
            && !bias.is_null()
        {
            return refuse("bias", bias, "`none`");
        }
        if let Some(Value::String(init)) = self.rest.get("init_lora_weights")
            && CHANGED_BASE.iter().any(|start| init.to_lowercase().starts_with(start))
        {
            return refuse("init_lora_weights", &json!(init), "one that leaves the base as it is");
        }
        for field in REFUSED {
            if let Some(value) = self.rest.get(field).filter(|value| is_used(value)) {
                return refuse(field, value, "it not to be used");
            }
        }
        self.rank_pattern.check("rank_pattern")?;
        self.alpha_pattern.check("alpha_pattern")
    }
}

fn is_used(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(all) => !all.is_empty(),
        Value::Object(all) => !all.is_empty(),
        _ => true,
    }
}

fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> std::result::Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// What is written to `adapter_config.json`.
pub(super) struct Written<'a> {
    pub(super) config: &'a crate::LoraConfig,
    pub(super) target_modules: Vec<String>,
    pub(super) modules_to_save: Vec<String>,
    pub(super) rank_pattern: Map<String, Value>,
    pub(super) alpha_pattern: Map<String, Value>,
}

impl Written<'_> {
    /// The text of the file.
    pub(super) fn text(&self) -> String {
        let modules = (!self.modules_to_save.is_empty()).then_some(&self.modules_to_save);
        let value = json!({
            "peft_type": "LORA",
            "task_type": null,
            "base_model_name_or_path": null,
            "inference_mode": true,
            "r": self.config.r,
            "lora_alpha": number(self.config.alpha),
            "lora_dropout": self.config.dropout,
            "target_modules": self.target_modules,
            "modules_to_save": modules,
            "rank_pattern": self.rank_pattern,
            "alpha_pattern": self.alpha_pattern,
            "bias": "none",
            "fan_in_fan_out": false,
            "init_lora_weights": true,
            "use_dora": self.config.use_dora,
            "use_rslora": self.config.use_rslora,
        });
        format!("{value:#}\n")
    }
}

/// A whole number as such: peft declares `lora_alpha` to be one.
pub(super) fn number(value: f64) -> Value {
    let whole = value.fract() == 0.0 && value.abs() < 2f64.powi(53);
    if whole { json!(value as i64) } else { json!(value) }
}
