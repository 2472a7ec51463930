//! Adapters merged into the tensors of a model, and out of them again.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};
use peft_lora::{Error, LoraConfig};

use super::{layers, others, random_state};
use crate::common::{assert_close, normal, numbers};

fn model(dtype: DType) -> BTreeMap<String, Tensor> {
    let mut all = BTreeMap::new();
    for (seed, (path, inputs, outputs)) in layers().into_iter().enumerate() {
        all.insert(format!("{path}.weight"), normal(&[outputs, inputs], seed as u64));
        all.insert(format!("{path}.bias"), normal(&[outputs], seed as u64));
    }
    for (name, shape) in others() {
        all.insert(name, normal(&shape, 50));
    }
    all.into_iter().map(|(name, tensor)| (name, tensor.to_dtype(dtype).unwrap())).collect()
}

fn config(use_dora: bool) -> LoraConfig {
    let modules_to_save = vec!["patch_embed".into(), "pos_embed".into()];
    LoraConfig { use_dora, modules_to_save, ..LoraConfig::rank(2) }
}

#[test]
fn merging_changes_what_it_says_and_can_be_undone() {
    for use_dora in [false, true] {
        let state = random_state(config(use_dora));
        for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 1e-5), (DType::BF16, 0.1)] {
            let before = model(dtype);
            let merged = state.merge(before.clone()).unwrap();
            assert_eq!((merged.report.layers, merged.report.replaced), (4, 3));
            let mut largest = (0.0, String::new());
            for (name, tensor) in &merged.tensors {
                assert_eq!(tensor.dtype(), dtype);
                let difference = numbers(tensor).into_iter().zip(numbers(&before[name]));
                let change = difference.fold(0f64, |max, (a, b)| max.max((a - b).abs()));
                let adapted = name.contains("attn") && name.ends_with("weight");
                let replaced = state.config().saves(name);
                assert_eq!(change > 0.0, adapted || replaced, "{name}");
                if adapted && change >= largest.0 {
                    largest = (change, name.trim_end_matches(".weight").to_owned());
                }
            }
            let report = &merged.report;
            assert_eq!((report.max_abs_change, report.most_changed.clone().unwrap()), largest);
            let after = state.unmerge(&merged).unwrap();
            for (name, tensor) in &after {
                assert_close(tensor, &before[name], tolerance, name);
            }
        }
    }
}

#[test]
fn other_models_are_refused_by_name() {
    let state = random_state(config(false));
    for lost in ["encoder.blocks.1.attn.qkv.weight", "encoder.pos_embed"] {
        let mut model = model(DType::F32);
        model.remove(lost);
        let error = state.merge(model).unwrap_err();
        assert!(matches!(&error, Error::UnknownModule { name } if name == lost), "{error}");
    }
    for other in ["encoder.blocks.1.attn.qkv.weight", "encoder.pos_embed"] {
        let mut model = model(DType::F32);
        model.insert(other.to_owned(), normal(&[3, 3], 1));
        let error = state.merge(model).unwrap_err();
        assert!(matches!(&error, Error::Shape { name, .. } if name == other), "{error}");
    }
    let mut packed = model(DType::F32);
    let weight = packed.get_mut("encoder.blocks.1.attn.qkv.weight").unwrap();
    *weight = weight.to_dtype(DType::U8).unwrap();
    let error = state.merge(packed).unwrap_err().to_string();
    let expected =
        "`encoder.blocks.1.attn.qkv.weight` should hold floating-point numbers, got `U8`";
    assert_eq!(error, expected);
}
