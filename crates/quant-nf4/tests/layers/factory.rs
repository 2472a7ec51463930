//! The factory.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use grad_ops::{Dense, LinearFactory, LinearSpec};
use quant_nf4::{QuantConfig, Quantize, QuantizedTensor};

const SPEC: LinearSpec = LinearSpec { in_features: 40, out_features: 24, bias: true };

fn tensors() -> HashMap<String, Tensor> {
    let mut all = HashMap::new();
    for (index, path) in ["blocks.0.attn.qkv", "blocks.0.mlp.fc1"].into_iter().enumerate() {
        let numbers = |count: usize| {
            (0..count).map(move |i| ((i * 7 + index) as f32 * 0.31).cos()).collect::<Vec<_>>()
        };
        let weight = Tensor::from_vec(numbers(24 * 40), (24, 40), &Device::Cpu).unwrap();
        all.insert(format!("{path}.weight"), weight);
        all.insert(
            format!("{path}.bias"),
            Tensor::from_vec(numbers(24), 24, &Device::Cpu).unwrap(),
        );
    }
    all
}

fn vb(tensors: &HashMap<String, Tensor>) -> VarBuilder<'static> {
    VarBuilder::from_tensors(tensors.clone(), DType::F32, &Device::Cpu)
}

fn build(factory: &impl LinearFactory, path: &str) -> grad_ops::Result<Vec<(String, usize)>> {
    let layer = factory.linear(SPEC, vb(&tensors()).pp(path))?;
    Ok(layer.parameters().into_iter().map(|p| (p.name.clone(), p.stored_bytes())).collect())
}

fn named(parts: &[(&str, usize)]) -> Vec<(String, usize)> {
    parts.iter().map(|(name, bytes)| ((*name).to_owned(), *bytes)).collect()
}

#[test]
fn selected_layers_are_quantised_and_others_are_not() {
    let factory =
        Quantize::new(Dense, QuantConfig::default(), |path| path.ends_with("attn.qkv")).unwrap();
    let packed = build(&factory, "blocks.0.attn.qkv").unwrap();
    let expected =
        [("weight", 480), ("weight.absmax", 15), ("weight.nested_absmax", 4), ("bias", 96)];
    assert_eq!(packed, named(&expected));
    let dense = build(&factory, "blocks.0.mlp.fc1").unwrap();
    assert_eq!(dense, named(&[("weight", 3840), ("bias", 96)]));
    let built = factory.built();
    assert_eq!(built.keys().collect::<Vec<_>>(), ["blocks.0.attn.qkv"]);
    assert_eq!(built["blocks.0.attn.qkv"].quantized().shape(), [24, 40]);
}

#[test]
fn quantised_weights_are_taken_instead_of_dense_ones() {
    let config = QuantConfig { block_size: 128, ..QuantConfig::default() };
    let weight = &tensors()["blocks.0.mlp.fc1.weight"];
    let quantized = QuantizedTensor::quantize(&(weight * 2.0).unwrap(), &config).unwrap();
    let factory = Quantize::new(Dense, QuantConfig::default(), |_| false).unwrap();
    let factory = factory.with_quantized([
        ("blocks.0.mlp.fc1.weight".to_owned(), quantized.clone()),
        ("blocks.9.mlp.fc1.weight".to_owned(), quantized.clone()),
    ]);
    assert_eq!(factory.unused().len(), 2);
    let mut bare = tensors();
    bare.remove("blocks.0.mlp.fc1.weight");
    let layer = factory.linear(SPEC, vb(&bare).pp("blocks.0.mlp.fc1")).unwrap();
    let expected: Vec<Vec<f32>> = quantized.dequantize().unwrap().to_vec2().unwrap();
    assert_eq!(layer.weight().unwrap().to_vec2::<f32>().unwrap(), expected);
    assert_eq!(factory.unused(), ["blocks.9.mlp.fc1.weight"]);
}

#[test]
fn what_does_not_fit_is_an_error_that_names_the_weight() {
    let factory = || Quantize::new(Dense, QuantConfig::default(), |_| true).unwrap();
    let mut all = tensors();
    let nan = (&all["blocks.0.attn.qkv.weight"] * f64::NAN).unwrap();
    all.insert("blocks.0.attn.qkv.weight".to_owned(), nan);
    let error = factory().linear(SPEC, vb(&all).pp("blocks.0.attn.qkv")).unwrap_err().to_string();
    assert!(error.contains("`blocks.0.attn.qkv.weight`: element 0 is NaN"), "{error}");

    let zeros = QuantizedTensor::quantize_slice(&[0.0; 960], &[40, 24], &QuantConfig::default());
    let turned = [("blocks.0.attn.qkv.weight".to_owned(), zeros.unwrap())];
    let factory = factory().with_quantized(turned);
    let error = build(&factory, "blocks.0.attn.qkv").unwrap_err().to_string();
    assert!(error.contains("`blocks.0.attn.qkv.weight`: "), "{error}");
    assert!(error.contains("should have the shape [24, 40], got [40, 24]"), "{error}");

    let error = build(&factory, "blocks.7.attn.qkv").unwrap_err().to_string();
    assert!(error.contains("blocks.7.attn.qkv.weight"), "{error}");
    let bad = QuantConfig { block_size: 100, ..QuantConfig::default() };
    assert!(Quantize::new(Dense, bad, |_| true).is_err());
}
