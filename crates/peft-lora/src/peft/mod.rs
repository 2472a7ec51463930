//! Adapters in the files of HF peft.

mod blocks;
mod config;
mod patterns;
mod read;
mod write;

use crate::names::{A, B, MAGNITUDE};

/// The configuration in an adapter's folder.
const CONFIG: &str = "adapter_config.json";
/// The tensors in an adapter's folder.
const TENSORS: &str = "adapter_model.safetensors";
/// What peft puts before the names of a model's tensors.
const ROOT: &str = "base_model.model.";
/// Entry of the metadata of the tensors that tells the forms that were fused for peft.
const TARGETS: &str = "peft_lora.targets";

/// How an adapter's folder is read and written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeftOptions {
    /// What stands before the names of the model here and not there: `encoder.` where peft knows
    /// the encoder alone.
    pub prefix: String,
    /// Whether an adapter that was written here for separate slices is read as such again. An
    /// adapter of peft's own is fused in any case.
    pub split: bool,
}

impl Default for PeftOptions {
    /// The names of the model, and slices as they were written.
    fn default() -> Self {
        Self { prefix: String::new(), split: true }
    }
}

impl PeftOptions {
    /// Leaves out `prefix` before the names in the folder.
    pub fn below(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..Self::default() }
    }
}
