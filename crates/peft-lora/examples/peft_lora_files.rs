//! Trains adapters of several forms over a small vision transformer for a few steps, writes them
//! as HF peft's files, reads them back, and merges them.
//!
//! ```console
//! $ cargo run -p peft-lora --example peft_lora_files -- OUT
//! $ python crates/peft-lora/tests/data/peft_roundtrip.py OUT
//! ```
//!
//! Without a folder the files go to a temporary one. The Python script compares the features that
//! HF peft computes with those in `OUT/<case>.safetensors`.

#![expect(clippy::print_stdout, reason = "a program that reports on standard output")]

mod vit;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor, Var};
use grad_ops::{AdamWStep, Dense, adamw_step, mse_loss};
use peft_lora::{AdapterState, LoraConfig, LoraFactory, Moment, PeftOptions, Result, Target};
use vit::{Vit, Weights};

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let scratch = tempfile::tempdir()?;
    let out = std::env::args().nth(1).map_or(scratch.path().to_path_buf(), PathBuf::from);
    std::fs::create_dir_all(&out)?;
    let embeddings = vec!["patch_embed".to_owned(), "pos_embed".to_owned()];
    let some = vec![Target::split("attn.qkv", [true, false, true]), Target::plain("mlp.fc1")];
    for (name, config) in [
        ("split", LoraConfig::rank(4)),
        ("some_slices", LoraConfig { targets: some, ..LoraConfig::rank(2) }),
        ("rslora", LoraConfig { use_rslora: true, alpha: 3.0, ..LoraConfig::rank(4) }),
        ("dora", LoraConfig { use_dora: true, ..LoraConfig::rank(2) }),
        ("embeddings", LoraConfig { modules_to_save: embeddings, ..LoraConfig::all_linear(2) }),
    ] {
        run(name, config, &out)?;
    }
    Ok(())
}

/// The weights of the model below the adapters.
fn base() -> Result<Weights> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/vit.safetensors");
    Ok(Weights::read(Path::new(path))?)
}

fn run(name: &str, config: LoraConfig, out: &Path) -> Result<()> {
    let images = Tensor::randn(0f32, 1.0, (2, 5, 16, 16), &Device::Cpu)?;
    // What is trained whole would come from an optimiser, too.
    let mut weights = base()?;
    for (name, tensor) in &mut weights.0 {
        if config.saves(name) {
            *tensor = (&*tensor * 1.25)?;
        }
    }
    let whole = weights.0.clone();
    let moment = Moment::new();
    let factory = LoraFactory::new(&Dense, config, 42, moment.clone())?;
    let model = Vit::new(&factory, &weights.builder(DType::F32))?;
    factory.check_targets()?;
    train(&model, &images, &moment)?;

    let features = model.features(&images, false)?;
    let tensors = whole.into_iter().filter(|(name, _)| factory.config().saves(name));
    let tensors = tensors.chain(model.linear_tensors());
    let state = AdapterState::from_tensors(factory.config(), tensors)?;
    let folder = out.join(name);
    state.write_peft(&folder, &PeftOptions::default())?;
    let record = HashMap::from([("images", images.clone()), ("features", features.clone())]);
    candle_core::safetensors::save(&record, out.join(format!("{name}.safetensors")))?;

    let back = AdapterState::read_peft(&folder, &PeftOptions::default(), &Device::Cpu)?;
    let merged = back.merge(base()?.0)?;
    let weights = Weights(merged.tensors.into_iter().collect());
    let plain = Vit::new(&Dense, &weights.builder(DType::F32))?;
    let difference = (plain.features(&images, false)? - &features)?.abs()?.flatten_all()?.max(0)?;
    let difference: f32 = difference.to_scalar()?;
    let report = merged.report;
    println!(
        "{name}: {} layers merged, {} parameters replaced, weights changed by up to {:.3}, \
         features by {difference:.1e}",
        report.layers, report.replaced, report.max_abs_change
    );
    Ok(())
}

/// A few steps towards features of zero.
fn train(model: &Vit, images: &Tensor, moment: &Moment) -> Result<()> {
    let trained = model.linear_tensors().into_iter().map(|(_, tensor)| tensor);
    let trained: Vec<_> = trained.filter(Tensor::is_variable).collect();
    let mut states = Vec::new();
    for tensor in trained {
        let var = Var::from_tensor(&tensor)?;
        let zeros = || Var::zeros(var.shape(), var.dtype(), var.device());
        states.push((zeros()?, zeros()?, var));
    }
    for step in 1..=20 {
        moment.set(step as u64);
        let features = model.features(images, true)?;
        let grads = mse_loss(&features, &features.zeros_like()?)?.backward()?;
        let settings = AdamWStep { lr: 0.02, step, ..AdamWStep::default() };
        for (m, v, var) in &states {
            if let Some(grad) = grads.get(var) {
                adamw_step(var, grad, m, v, &settings)?;
            }
        }
    }
    Ok(())
}
