//! Adapters that HF peft made give here the features that they give there.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use grad_ops::Dense;
use peft_lora::{AdapterState, Form, LoraFactory, Moment, PeftOptions};

use super::{golden, read};
use crate::common::assert_close;
use crate::vit::{Vit, Weights};

const CASES: [&str; 3] = ["peft_patterns", "peft_rslora", "peft_dora"];

fn state(case: &str) -> AdapterState {
    read(&golden(case), &PeftOptions::default()).unwrap()
}

fn record(case: &str) -> HashMap<String, Tensor> {
    let path = golden(case).join("features.safetensors");
    candle_core::safetensors::load(path, &Device::Cpu).unwrap()
}

fn base() -> Weights {
    Weights::read(&golden("vit.safetensors")).unwrap()
}

#[test]
fn adapted_model_gives_the_features_of_peft() {
    for case in CASES {
        let (state, record) = (state(case), record(case));
        let mut weights = base();
        weights.0.extend(state.tensors());
        let config = state.config().clone();
        let factory = LoraFactory::new(&Dense, config, 0, Moment::new()).unwrap();
        for (dtype, tolerance) in [(DType::F64, 2e-7), (DType::F32, 1e-5)] {
            let weights = Weights(weights.0.clone()).builder(dtype);
            let model = Vit::new(&factory, &weights).unwrap();
            let images = record["images"].to_dtype(dtype).unwrap();
            let features = model.features(&images, false).unwrap();
            assert_close(&features, &record["features"], tolerance, case);
        }
        factory.check_targets().unwrap();
        assert_eq!(factory.adapted(), state.layers().keys().cloned().collect::<Vec<_>>());
    }
}

#[test]
fn merged_model_gives_the_features_of_peft() {
    for case in CASES {
        let (state, record) = (state(case), record(case));
        let merged = state.merge(base().0).unwrap();
        assert_eq!(merged.report.layers, state.layers().len());
        assert!(merged.report.max_abs_change > 0.01);
        let weights = Weights(merged.tensors.into_iter().collect()).builder(DType::F32);
        let features = Vit::new(&Dense, &weights).unwrap().features(&record["images"], false);
        assert_close(&features.unwrap(), &record["features"], 1e-5, case);
    }
}

#[test]
fn the_base_alone_gives_other_features() {
    for case in CASES {
        let record = record(case);
        let model = Vit::new(&Dense, &base().builder(DType::F32)).unwrap();
        let difference = (model.features(&record["images"], false).unwrap() - &record["features"])
            .unwrap()
            .abs()
            .unwrap();
        assert!(difference.max_all().unwrap().to_scalar::<f32>().unwrap() > 0.1, "{case}");
    }
}

#[test]
fn an_adapter_of_the_fused_layer_stays_fused() {
    let state = state("peft_patterns");
    let layers = state.layers();
    assert!(layers.values().all(|layer| *layer.form() == Form::Plain));
    let numbers = |path: &str| (layers[path].rank(), layers[path].alpha());
    assert_eq!(numbers("blocks.0.attn.qkv"), (3, 7.0));
    assert_eq!(numbers("blocks.1.attn.qkv"), (2, 5.0));
    assert_eq!(numbers("blocks.1.attn.proj"), (3, 5.0));
    assert_eq!(numbers("blocks.0.mlp.fc1"), (1, 2.0));
    let suffixes: Vec<_> = state.config().targets.iter().map(|t| t.suffix.as_str()).collect();
    assert_eq!(suffixes, ["attn.proj", "fc1", "blocks.0.attn.qkv", "blocks.1.attn.qkv"]);
}

#[test]
fn settings_are_those_of_the_file() {
    let state = state("peft_dora");
    let config = state.config();
    assert_eq!((config.r, config.alpha, config.dropout), (2, 3.0, 0.1));
    assert!(config.use_dora && !config.use_rslora);
    // The expression in `target_modules` is not evaluated: the tensors say what it meant.
    let suffixes: Vec<_> = config.targets.iter().map(|t| t.suffix.as_str()).collect();
    assert_eq!(suffixes, ["attn.proj", "attn.qkv"]);
}
