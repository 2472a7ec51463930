//! The names of the published fine-tuned models.

use candle_core::{DType, Device, Tensor};
use peft_lora::{AdapterState, Error, Form, LoraConfig, Target};

use crate::common::{assert_close, normal, split};

/// Tensors of a published model of two blocks, with slices that are adapted.
fn published(slices: &[usize]) -> Vec<(String, Tensor)> {
    let mut all = Vec::new();
    for block in 0..2 {
        let path = format!("encoder.vit.blocks.{block}.attn");
        for &slice in slices {
            let seed = 10 * (block + 1) + slice as u64;
            all.push((format!("{path}.qkv.lora_A.{slice}"), normal(&[2, 8], seed)));
            all.push((format!("{path}.qkv.lora_B.{slice}"), normal(&[8, 2], seed + 100)));
        }
        all.push((format!("{path}.proj.lora_A"), normal(&[2, 8], block + 200)));
        all.push((format!("{path}.proj.lora_B"), normal(&[8, 2], block + 300)));
        all.push((format!("{path}.qkv.weight"), normal(&[24, 8], 1)));
    }
    all.push(("head.final.weight".into(), normal(&[3, 8], 1)));
    all
}

#[test]
fn published_names_are_read() {
    let tensors = published(&[0, 1, 2]);
    let state = AdapterState::from_published(tensors.clone(), "encoder.vit.", 16.0, 0.1).unwrap();
    assert_eq!(*state.config(), {
        let targets = vec![Target::plain("attn.proj"), Target::split("attn.qkv", [true; 3])];
        LoraConfig { targets, ..LoraConfig::rank(2) }
    });
    let layer = &state.layers()["blocks.1.attn.qkv"];
    assert_eq!((layer.scale(), layer.rank()), (8.0, 2));
    let expected = tensors.iter().find(|(name, _)| name.ends_with("1.attn.qkv.lora_A.2"));
    assert_close(&layer.pairs()[2].a, &expected.unwrap().1, 0.0, "value");
    // Its tensors are those that a model of this configuration asks for.
    let again = AdapterState::from_tensors(state.config(), state.tensors()).unwrap();
    assert_eq!(again.tensors().len(), 2 * 8);
}

#[test]
fn slices_may_be_missing() {
    let state =
        AdapterState::from_published(published(&[0, 2]), "encoder.vit.", 16.0, 0.1).unwrap();
    assert_eq!(*state.layers()["blocks.0.attn.qkv"].form(), split("q-v"));
    assert_eq!(*state.layers()["blocks.0.attn.proj"].form(), Form::Plain);
}

#[test]
fn matrices_without_a_partner_are_named() {
    for lost in ["blocks.1.attn.qkv.lora_B.1", "blocks.1.attn.proj.lora_A"] {
        let mut tensors = published(&[0, 1, 2]);
        tensors.retain(|(name, _)| !name.ends_with(lost));
        let error = AdapterState::from_published(tensors, "encoder.vit.", 16.0, 0.1).unwrap_err();
        let Error::Missing { name } = error else { panic!("{error}") };
        assert!(name.starts_with(lost), "{name}");
    }
}

#[test]
fn a_prefix_without_adapters_is_an_error() {
    let error = AdapterState::from_published(published(&[0]), "vit.", 16.0, 0.1).unwrap_err();
    assert_eq!(error.to_string(), "`vit.*.lora_A` is missing");
}

#[test]
fn transposed_matrices_are_refused() {
    let zeros = |shape: (usize, usize)| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    let tensors =
        vec![("a.b.lora_A".to_owned(), zeros((8, 2))), ("a.b.lora_B".to_owned(), zeros((2, 16)))];
    let error = AdapterState::from_published(tensors, "", 16.0, 0.1).unwrap_err();
    assert!(matches!(error, Error::Shape { .. }), "{error}");
}
