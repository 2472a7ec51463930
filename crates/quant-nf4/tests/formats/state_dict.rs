//! State dicts of bitsandbytes (`tests/data/state_dict.py`), and ours.

use std::collections::BTreeMap;

use candle_core::DType;
use quant_nf4::{
    QuantConfig, QuantType, QuantizedTensor, read_state_dict, state_dict_entries, write_state_dict,
};

use crate::{bytes, data, load};

#[test]
fn files_of_bitsandbytes_are_read() {
    let read = read_state_dict(data("state_dict.safetensors")).unwrap();
    let names: Vec<&str> = read.quantized.keys().map(String::as_str).collect();
    assert_eq!(names, ["nested.weight", "plain.weight"]);
    let others: Vec<&str> = read.others.keys().map(String::as_str).collect();
    assert_eq!(others, ["nested.dense", "plain.bias", "plain.dense"]);
    for (name, quant_type, block_size, double_quant, dtype) in [
        ("plain", QuantType::Fp4, 32, false, DType::BF16),
        ("nested", QuantType::Nf4, 64, true, DType::F32),
    ] {
        let tensor = &read.quantized[&format!("{name}.weight")];
        assert_eq!(*tensor.config(), QuantConfig { quant_type, block_size, double_quant });
        assert_eq!((tensor.shape(), tensor.dtype()), (&[45, 36][..], dtype));
        let (got, expected) =
            (tensor.dequantize().unwrap(), &read.others[&format!("{name}.dense")]);
        let wide = |x: &candle_core::Tensor| {
            x.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        assert_eq!(got.dtype(), expected.dtype());
        assert!(wide(&got) == wide(expected), "{name}");
    }
}

#[test]
fn what_is_read_is_written_again() {
    let original = load("state_dict.safetensors");
    let read = read_state_dict(data("state_dict.safetensors")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("again.safetensors");
    let quantized = read.quantized.iter().map(|(name, tensor)| (name.as_str(), tensor));
    let others = read.others.iter().map(|(name, tensor)| (name.as_str(), tensor));
    write_state_dict(&path, quantized, others).unwrap();
    let again = candle_core::safetensors::load(&path, &candle_core::Device::Cpu).unwrap();
    let keys = |tensors: &std::collections::HashMap<String, candle_core::Tensor>| {
        tensors.keys().cloned().collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(keys(&original), keys(&again));
    for (key, expected) in &original {
        let got = &again[key];
        if key.contains("quant_state") {
            let parse = |x| serde_json::from_slice::<serde_json::Value>(&bytes(x)).unwrap();
            assert_eq!(parse(got), parse(expected), "{key}");
        } else if got.dtype() != DType::BF16 {
            assert_eq!((got.dtype(), got.dims()), (expected.dtype(), expected.dims()), "{key}");
            assert!(bytes(got) == bytes(expected), "{key}");
        }
    }
}

#[test]
fn the_same_weight_is_written_as_bitsandbytes_does() {
    // Quantising the dequantised weight finds the same codes; the scales agree to rounding.
    let golden = load("state_dict.safetensors");
    let config = QuantConfig { quant_type: QuantType::Fp4, block_size: 32, double_quant: false };
    let tensor = QuantizedTensor::quantize(&golden["plain.dense"], &config).unwrap();
    let entries: BTreeMap<_, _> =
        state_dict_entries("plain.weight", &tensor).unwrap().into_iter().collect();
    let prefix = "plain.weight";
    let expected: Vec<&String> = {
        let mut keys: Vec<_> = golden.keys().filter(|key| key.starts_with(prefix)).collect();
        keys.sort();
        keys
    };
    assert_eq!(entries.keys().collect::<Vec<_>>(), expected);
    assert!(bytes(&entries["plain.weight.quant_map"]) == bytes(&golden["plain.weight.quant_map"]));
}
