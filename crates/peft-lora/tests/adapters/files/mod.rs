//! Adapter files: those of HF peft, our own, the published ones, and broken ones.

mod broken;
mod merging;
mod peft;
mod published;
mod roundtrip;

use std::path::PathBuf;

use candle_core::{DType, Device};
use peft_lora::{AdapterState, Form, LoraConfig, PeftOptions};

use crate::common::normal;

/// A folder or file with golden data.
fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// A state with random matrices, for two blocks of width 8 under `encoder.`, and some parameters
/// that are trained whole.
fn random_state(config: LoraConfig) -> AdapterState {
    let mut tensors = Vec::new();
    let mut seed = 100;
    let mut add = |name: String, shape: &[usize]| {
        seed += 1;
        let tensor = normal(shape, seed).to_dtype(DType::F32).unwrap();
        tensors.push((name, tensor));
    };
    for (path, inputs, outputs) in layers() {
        let Some(target) = config.target(&path) else { continue };
        let (r, slices) = (config.rank_of(target), target.form.slices());
        for slice in target.form.adapted() {
            let end = match target.form {
                Form::Plain => ".weight".into(),
                Form::Split { .. } => format!(".{slice}"),
            };
            add(format!("{path}.lora_A{end}"), &[r, inputs]);
            add(format!("{path}.lora_B{end}"), &[outputs / slices, r]);
        }
        if config.use_dora {
            add(format!("{path}.lora_magnitude_vector"), &[outputs]);
        }
    }
    for (name, shape) in others() {
        add(name, &shape);
    }
    AdapterState::from_tensors(&config, tensors).unwrap()
}

/// Paths, inputs and outputs of the linear layers.
fn layers() -> Vec<(String, usize, usize)> {
    let own = [("attn.qkv", 8, 24), ("attn.proj", 8, 8), ("mlp.fc1", 8, 16), ("mlp.fc2", 16, 8)];
    let blocks = (0..2).flat_map(|block| {
        own.map(|(name, inputs, outputs)| {
            (format!("encoder.blocks.{block}.{name}"), inputs, outputs)
        })
    });
    blocks.collect()
}

/// Names and shapes of other parameters.
fn others() -> Vec<(String, Vec<usize>)> {
    let all = [
        ("encoder.patch_embed.proj.weight", vec![8, 3, 2, 2]),
        ("encoder.patch_embed.proj.bias", vec![8]),
        ("encoder.pos_embed", vec![1, 5, 8]),
    ];
    all.map(|(name, shape)| (name.to_owned(), shape)).into()
}

fn read(folder: &std::path::Path, options: &PeftOptions) -> peft_lora::Result<AdapterState> {
    AdapterState::read_peft(folder, options, &Device::Cpu)
}
