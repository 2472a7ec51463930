//! Codes and scales against those of bitsandbytes, byte for byte (`tests/data/golden.py`).

use candle_core::{DType, Tensor};
use quant_nf4::{QuantConfig, QuantizedTensor, state_dict_entries};

use crate::{bytes, load};

/// The stored tensor called `part`.
fn part(tensor: &QuantizedTensor, part: &str) -> Tensor {
    let found = tensor.statistics().into_iter().find(|(name, _)| *name == part);
    found.unwrap().1.clone()
}

/// The offset of nested scales, which stands in the JSON document only.
fn offset(tensor: &QuantizedTensor) -> f32 {
    let entries = state_dict_entries("x", tensor).unwrap();
    let (_, state) = entries.iter().find(|(key, _)| key.contains("quant_state")).unwrap();
    let state: serde_json::Value = serde_json::from_slice(&bytes(state)).unwrap();
    state["nested_offset"].as_f64().unwrap() as f32
}

#[test]
fn every_case_has_the_bytes_of_bitsandbytes() {
    let golden = load("golden.safetensors");
    let mut cases = 0;
    for (case, codes) in &golden {
        let fields: Vec<&str> = case.split('/').collect();
        let [name, quant_type, dtype, size, nested] = fields[..] else { continue };
        let Ok(nested) = nested.parse::<u8>() else { continue };
        let config = QuantConfig {
            quant_type: quant_type.parse().unwrap(),
            block_size: size.parse().unwrap(),
            double_quant: nested == 1,
        };
        let dtype = match dtype {
            "f32" => DType::F32,
            "f16" => DType::F16,
            _ => DType::BF16,
        };
        let quantized =
            QuantizedTensor::quantize(&golden[name].to_dtype(dtype).unwrap(), &config).unwrap();
        assert_eq!(quantized.codes().dims(), codes.dims(), "{case}");
        assert!(bytes(quantized.codes()) == bytes(codes), "{case}: codes");
        let expected = &golden[&format!("{case}.absmax")];
        assert!(bytes(&part(&quantized, "absmax")) == bytes(expected), "{case}: absmax");
        if config.double_quant {
            let expected = bytes(&golden[&format!("{case}.nested_absmax")]);
            assert!(bytes(&part(&quantized, "nested_absmax")) == expected, "{case}: nested");
            let expected = bytes(&golden[&format!("{case}.offset")]);
            assert_eq!(offset(&quantized).to_le_bytes()[..], expected, "{case}: offset");
        }
        cases += 1;
    }
    assert_eq!(cases, 12 * 4 + 3 * 9 - 1, "cases in the file");
}

#[test]
fn many_blocks_have_the_bytes_of_bitsandbytes() {
    let golden = load("golden.safetensors");
    let number = |index: u64| {
        let size = 1 + (index / 32 * 31) % 97;
        ((index * 7919 % 10007) as f64 / 5003.5 - 1.0) * size as f64 / 50.0
    };
    let xs: Vec<f32> = (0..22_387).map(|index| number(index) as f32).collect();
    let config = QuantConfig { block_size: 32, ..QuantConfig::default() };
    let quantized = QuantizedTensor::quantize_slice(&xs, &[22_387], &config).unwrap();
    assert!(bytes(quantized.codes()) == bytes(&golden["many.codes"]));
    for name in ["absmax", "nested_absmax"] {
        assert!(bytes(&part(&quantized, name)) == bytes(&golden[&format!("many.{name}")]));
    }
    assert_eq!(offset(&quantized).to_le_bytes()[..], bytes(&golden["many.offset"]));
}

#[test]
fn the_dynamic_map_is_that_of_bitsandbytes() {
    let golden = load("golden.safetensors");
    let tensor = QuantizedTensor::quantize_slice(&[1.0], &[1], &QuantConfig::default()).unwrap();
    let entries = state_dict_entries("x", &tensor).unwrap();
    let (_, map) = entries.iter().find(|(key, _)| key == "x.nested_quant_map").unwrap();
    assert!(bytes(map) == bytes(&golden["map.signed"]));
}
