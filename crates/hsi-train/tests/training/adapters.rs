//! Adapters in training, in checkpoints, and merged.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use denoise_heads::HeadKind;
use hsi_train::checkpoint::{self, Kind, Restored};
use hsi_train::{
    DenoisingModel, Error, Form, Method, ModelConfig, NoHooks, Precision, QuantModules,
    Quantization, Restorer, Result, merge,
};
use peft_lora::{LoraConfig, Target};

use crate::common::{BANDS, SIDE, config, run, settings, source};

fn image() -> Tensor {
    let values: Vec<f32> =
        (0..BANDS * SIDE * SIDE).map(|i| (i as f32 * 0.61).sin() * 0.5 + 0.5).collect();
    Tensor::from_vec(values, (1, BANDS, SIDE, SIDE), &Device::Cpu).expect("an image")
}

/// The largest difference of two tensors.
fn distance(a: &Tensor, b: &Tensor) -> Result<f32> {
    Ok((a - b)?.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>()?)
}

fn variants() -> Vec<(&'static str, ModelConfig)> {
    let lora = config(Method::Lora, HeadKind::Conv);
    let with = |change: &dyn Fn(&mut LoraConfig)| {
        let mut config = lora.clone();
        config.lora.iter_mut().for_each(change);
        config
    };
    let mut all = config(Method::Qlora, HeadKind::Conv);
    all.quantization = Some(Quantization { modules: QuantModules::All, ..Quantization::default() });
    vec![
        ("split", lora.clone()),
        (
            "rsLoRA on all layers",
            with(&|lora| {
                *lora = LoraConfig { use_rslora: true, ..LoraConfig::all_linear(3) };
            }),
        ),
        (
            "query and value only, embeddings trained",
            with(&|lora| {
                lora.targets = vec![Target::split("attn.qkv", [true, false, true])];
                lora.modules_to_save = vec!["patch_embed".into(), "pos_embed".into()];
            }),
        ),
        ("DoRA", with(&|lora| lora.use_dora = true)),
        ("half precision", ModelConfig { precision: Precision::Bf16, ..lora.clone() }),
        ("4 bits", config(Method::Qlora, HeadKind::Conv)),
        ("4 bits everywhere", all),
    ]
}

/// A model whose adapters do something.
fn adapted(config: &ModelConfig) -> Result<Restored> {
    let params = config.params(11, DType::F32, &Device::Cpu);
    let model = DenoisingModel::new(config, &params)?;
    for (name, var) in params.trained() {
        if name.contains("lora_B") {
            let values: Vec<f32> = (0..var.elem_count())
                .map(|i| ((i * 7919 + 13) % 101) as f32 / 150.0 - 1.0 / 3.0)
                .collect();
            var.set(&Tensor::from_vec(values, var.shape(), &Device::Cpu)?)?;
        }
    }
    Ok(Restored { model, params })
}

#[test]
fn merged_models_give_the_outputs_of_adapted_ones() -> Result<()> {
    let folder = tempfile::tempdir().map_err(|e| Error::io("tempdir", e))?;
    for (name, config) in variants() {
        let restored = adapted(&config)?;
        let before = restored.model.forward_t(&image(), false)?;
        let file = folder.path().join("merged.safetensors");
        let mut distances = Vec::new();
        let quantized = Form::Quantized(Quantization::default());
        for form in [Form::F32, Form::Bf16, quantized] {
            let merged = merge(&restored, form)?;
            assert!(merged.tensors.keys().all(|name| !name.contains("lora")), "{name}");
            assert_eq!(merged.error.is_some(), form == quantized);
            let protocol = serde_json::json!({ "noise": "paper" });
            checkpoint::write_file(&file, &merged.config, protocol.clone(), &merged.tensors)?;
            let (restorer, read) = Restorer::load(&file, &Device::Cpu)?;
            assert_eq!(read.manifest.protocol, protocol);
            distances.push(distance(&restorer.model().forward_t(&image(), false)?, &before)?);
        }
        assert!(distances[0] < 1e-5, "{name}: {distances:?}");
        assert!(
            distances[0] < distances[1] && distances[1] < distances[2],
            "{name}: {distances:?}"
        );
        assert!(distances[2] < 0.25, "{name}: {distances:?}");
    }
    Ok(())
}

#[test]
fn adapter_checkpoints_hold_what_was_trained_and_know_their_base() -> Result<()> {
    let folder = tempfile::tempdir().map_err(|e| Error::io("tempdir", e))?;
    for method in [Method::Lora, Method::Qlora] {
        let model = config(method, HeadKind::Fc);
        let train = source(6, 1, true);
        let (params, _) =
            run(&model, &settings(), &train, Some(folder.path()), false, &mut NoHooks)?;
        let last = checkpoint::open(&folder.path().join("last"), Kind::Denoiser, true)?;
        let stored = last.tensors(&Device::Cpu)?;
        let trained: BTreeMap<_, _> = params.trained().into_iter().collect();
        assert_eq!(stored.len(), trained.len());
        for (name, var) in &trained {
            assert_eq!(distance(&stored[name], var.as_tensor())?, 0.0, "{name}");
        }
        let restored = last.build(&Device::Cpu)?;
        assert_eq!(restored.params.base_sha256(), params.base_sha256());
        for (name, tensor) in restored.params.dense_tensors()? {
            assert_eq!(distance(&tensor, &params.dense_tensors()?[&name])?, 0.0, "{name}");
        }
        let mut other = last.clone();
        other.manifest.base.iter_mut().for_each(|base| base.seed += 1);
        let refused = other.build(&Device::Cpu);
        assert!(matches!(refused, Err(Error::BaseWeights { .. })), "{refused:?}");
        let moved = last.over(Some(Path::new("nowhere"))).build(&Device::Cpu);
        assert!(matches!(moved, Err(Error::Checkpoint { .. })), "{moved:?}");
    }
    Ok(())
}

#[test]
fn settings_that_contradict_the_method_are_named() {
    let lora = config(Method::Lora, HeadKind::Fc);
    let full = config(Method::Full, HeadKind::Fc);
    for (expected, config) in [
        ("lora", ModelConfig { lora: None, ..lora.clone() }),
        ("lora", ModelConfig { lora: lora.lora.clone(), ..full.clone() }),
        ("quantization", ModelConfig { method: Method::Qlora, ..lora.clone() }),
        (
            "quantization",
            ModelConfig { quantization: Some(Quantization::default()), ..lora.clone() },
        ),
        ("dtype", ModelConfig { precision: Precision::Bf16, ..full }),
    ] {
        let Err(Error::Setting { name, .. }) = config.validate() else {
            panic!("`{expected}` was accepted");
        };
        assert_eq!(name, expected);
    }
    let mut config = lora;
    config.lora.iter_mut().for_each(|lora| lora.targets.push(Target::plain("attn.nothing")));
    let params = config.params(0, DType::F32, &Device::Cpu);
    let error = DenoisingModel::new(&config, &params).expect_err("an unknown target");
    assert!(error.to_string().contains("attn.nothing"), "{error}");
}
