//! Mistakes in what is read or asked for.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use quant_nf4::{Error, QuantConfig, QuantizedTensor, read_quantized, read_state_dict};

use crate::{bytes, load};

const STATE: &str = "nested.weight.quant_state.bitsandbytes__nf4";

fn tensor<T: candle_core::WithDType>(data: Vec<T>) -> Tensor {
    let count = data.len();
    Tensor::from_vec(data, count, &Device::Cpu).unwrap()
}

/// The state dict of bitsandbytes with a text of its JSON document replaced.
fn edited(from: &str, to: &str) -> HashMap<String, Tensor> {
    let mut all = load("state_dict.safetensors");
    let json = String::from_utf8(bytes(&all[STATE])).unwrap();
    assert!(json.contains(from), "{json}");
    all.insert(STATE.to_owned(), tensor(json.replace(from, to).into_bytes()));
    all
}

/// Asserts that reading fails with an error that names the weight and contains `message`.
#[track_caller]
fn check(tensors: HashMap<String, Tensor>, message: &str) {
    let error = read_quantized(tensors).unwrap_err();
    assert!(matches!(&error, Error::Tensor { name, .. } if name == "nested.weight"), "{error}");
    let error = error.to_string();
    assert!(error.starts_with("`nested.weight`: "), "{error}");
    assert!(error.contains(message), "`{error}` does not say `{message}`");
}

#[test]
fn a_corrupt_quantisation_state_is_refused() {
    for (from, to, message) in [
        ("{", "[", "the quantisation state is corrupt"),
        ("}", "", "the quantisation state is corrupt"),
        ("\"nf4\"", "\"int4\"", "the quantisation state is corrupt"),
        ("\"nf4\"", "\"fp4\"", "the quantisation type should be `nf4`, got `fp4`"),
        ("\"blocksize\": 64", "\"blocksize\": 48", "a power of two from 32 to 4096, got 48"),
        ("\"blocksize\": 64", "\"blocksize\": 0", "a power of two from 32 to 4096, got 0"),
        ("\"blocksize\": 64", "\"blocksize\": -64", "the quantisation state is corrupt"),
        ("\"blocksize\": 64", "\"blocksize\": 128", "the scales should have 13 elements, got 26"),
        ("[45, 36]", "[45, 38]", "the codes should have 855 elements, got 810"),
        ("[45, 36]", "[45, 0]", "no elements"),
        ("[45, 36]", "[]", "the codes should have 1 elements, got 810"),
        ("[45, 36]", "null", "the quantisation state is corrupt"),
        ("[45, 36]", "[4294967296, 4294967296, 4]", "a countable number of elements"),
        ("[45, 36]", "[4611686018427387904]", "the codes should have 2305843009213693952"),
        ("\"dtype\": \"float32\", \"shape\"", "\"dtype\": \"float64\", \"shape\"", "`float64`"),
        ("\"nested_dtype\": \"float32\"", "\"nested_dtype\": \"float16\"", "`float16`"),
        (
            "\"nested_blocksize\": 256",
            "\"nested_blocksize\": 64",
            "block size should be 256, got 64",
        ),
        ("\"nested_blocksize\": 256, ", "", "should be given all or not at all"),
        ("\"nested_offset\": ", "\"nested_offset\": 1e39, \"unknown\": ", "corrupt"),
        (
            "\"nested_offset\": 0.",
            "\"nested_offset\": 7777777777777777777777777777777777777777.",
            "finite",
        ),
    ] {
        check(edited(from, to), message);
    }
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let ones = |count: usize| tensor(vec![1f32; count]);
    let zeros = |count: usize| tensor(vec![0u8; count]);
    for (key, replacement, message) in [
        ("", None, "`nested.weight` is missing"),
        (".absmax", None, "`nested.weight.absmax` is missing"),
        (".quant_map", None, "`nested.weight.quant_map` is missing"),
        (".nested_absmax", None, "`nested.weight.nested_absmax` is missing"),
        (".nested_quant_map", None, "`nested.weight.nested_quant_map` is missing"),
        ("", Some(zeros(809)), "the codes should have 810 elements, got 809"),
        ("", Some(ones(810)), "the codes should be of type u8, got F32"),
        (".absmax", Some(zeros(25)), "the scales should have 26 elements, got 25"),
        (".absmax", Some(ones(26)), "the scales should be of type u8, got F32"),
        (".nested_absmax", Some(ones(2)), "the nested scales should have 1 elements, got 2"),
        (".nested_absmax", Some(tensor(vec![f32::NAN])), "element 0 is NaN"),
        (".quant_map", Some(ones(16)), "differs from the table of the type at code 0: 1, not -1"),
        (".quant_map", Some(tensor(vec![f32::NAN; 16])), "differs from the table of the type"),
        (".quant_map", Some(ones(15)), "the map of codes should have 16 elements, got 15"),
        (".nested_quant_map", Some(ones(255)), "should have 256 elements, got 255"),
        (".nested_quant_map", Some(tensor(vec![f32::NAN; 256])), "256 ascending numbers"),
        (".nested_quant_map", Some(tensor(vec![2f32; 256])), "256 ascending numbers"),
    ] {
        let mut all = load("state_dict.safetensors");
        let key = format!("nested.weight{key}");
        match replacement {
            Some(replacement) => all.insert(key, replacement),
            None => all.remove(&key),
        };
        check(all, message);
    }
    let mut all = load("state_dict.safetensors");
    all.insert("plain.weight.absmax".to_owned(), tensor(vec![f32::INFINITY; 51]));
    let error = read_quantized(all).unwrap_err().to_string();
    assert!(error.starts_with("`plain.weight`: ") && error.contains("inf"), "{error}");
}

#[test]
fn a_file_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    assert!(read_state_dict(&path).is_err());
    let good = std::fs::read(crate::data("state_dict.safetensors")).unwrap();
    for length in [0, 7, 100, good.len() - 1] {
        std::fs::write(&path, &good[..length]).unwrap();
        assert!(read_state_dict(&path).is_err(), "{length} bytes");
    }
}

#[test]
fn tensors_that_cannot_be_quantised_are_refused() {
    let config = QuantConfig::default();
    let mut xs = vec![0.5f32; 10_000];
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for index in [0, 63, 4097, 9_999] {
            xs[index] = value;
            let error = QuantizedTensor::quantize_slice(&xs, &[100, 100], &config).unwrap_err();
            let message = format!("element {index} is {value}: only finite numbers");
            assert!(error.to_string().starts_with(&message), "{error}");
            for dtype in [DType::F16, DType::BF16] {
                let half = tensor(xs.clone()).to_dtype(dtype).unwrap();
                assert!(QuantizedTensor::quantize(&half, &config).is_err());
            }
            xs[index] = 0.5;
        }
    }
    // The scales have no finite mean, but may be kept as they are.
    let large = [f32::MAX; 200];
    let quantize = |double_quant| {
        let config = QuantConfig { double_quant, ..config };
        QuantizedTensor::quantize_slice(&large, &[200], &config)
    };
    assert!(matches!(quantize(true), Err(Error::Overflow { .. })));
    let kept = quantize(false).unwrap().dequantize().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(kept, large);

    let quantize = |block_size| {
        let config = QuantConfig { block_size, ..config };
        QuantizedTensor::quantize_slice(&xs, &[10_000], &config)
    };
    for size in [0, 1, 16, 31, 33, 48, 100, 4095, 8192, usize::MAX] {
        assert!(matches!(quantize(size), Err(Error::BlockSize { got }) if got == size));
    }
    let shaped = |shape: &[usize]| QuantizedTensor::quantize_slice(&xs, shape, &config);
    assert!(matches!(shaped(&[100, 99]), Err(Error::Length { expected: 9900, .. })));
    assert!(matches!(shaped(&[0]), Err(Error::Empty { .. })));
    assert!(shaped(&[usize::MAX, 2]).is_err());
    let wide = tensor(vec![1f64; 5]);
    assert!(matches!(QuantizedTensor::quantize(&wide, &config), Err(Error::Dtype { .. })));
    let quantized = shaped(&[100, 100]).unwrap();
    assert!(quantized.dequantize_range(9_990..10_001, &mut [0.0; 11]).is_err());
    assert!(quantized.dequantize_range(0..5, &mut [0.0; 4]).is_err());
    assert!(quantized.report(&tensor(vec![1f32; 10_000])).is_err());
}
