//! What holds for any tensor.

use candle_core::{DType, Device, Tensor};
use proptest::prelude::*;
use quant_nf4::{QuantConfig, QuantType, QuantizedTensor};

use crate::bytes;

fn configs() -> impl Strategy<Value = QuantConfig> {
    (prop::sample::select(&QuantType::ALL[..]), 5u32..=12, any::<bool>()).prop_map(
        |(quant_type, power, double_quant)| QuantConfig {
            quant_type,
            block_size: 1 << power,
            double_quant,
        },
    )
}

/// Half the largest distance between neighbouring numbers of the type.
fn half_gap(quant_type: QuantType) -> f32 {
    match quant_type {
        QuantType::Nf4 => (1.0 - 0.696_192_8) / 2.0,
        QuantType::Fp4 => (1.0 - 2.0 / 3.0) / 2.0,
    }
}

fn numbers(quantized: &QuantizedTensor) -> Vec<f32> {
    quantized.dequantize().unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

proptest! {
    #[test]
    fn the_error_is_at_most_half_a_gap(
        config in configs(),
        xs in prop::collection::vec(-3f32..3.0, 1..5000),
    ) {
        let config = QuantConfig { double_quant: false, ..config };
        let quantized = QuantizedTensor::quantize_slice(&xs, &[xs.len()], &config).unwrap();
        let got = numbers(&quantized);
        for (xs, got) in xs.chunks(config.block_size).zip(got.chunks(config.block_size)) {
            let absmax = xs.iter().fold(0f32, |max, x| max.max(x.abs()));
            let bound = absmax * half_gap(config.quant_type) * 1.000_001;
            for (x, got) in xs.iter().zip(got) {
                prop_assert!((x - got).abs() <= bound, "{x} became {got} of {absmax}");
            }
        }
    }

    #[test]
    fn numbers_of_the_type_are_kept(
        quant_type in prop::sample::select(&QuantType::ALL[..]),
        codes in prop::collection::vec(any::<u8>(), 32),
        exponent in -100i32..100,
    ) {
        // All 64 codes of a block by unpacking bytes; code and number determine each other.
        let config = QuantConfig { quant_type, block_size: 64, double_quant: false };
        let probe = QuantizedTensor::quantize_slice(&[0.0; 64], &[64], &config).unwrap();
        let stored = quant_nf4::state_dict_entries("x", &probe).unwrap();
        let map = stored.iter().find(|(key, _)| key == "x.quant_map").unwrap();
        let map: Vec<f32> = map.1.to_vec1().unwrap();
        let full = map.iter().position(|&x| x == 1.0).unwrap() as u8;
        let mut codes = codes;
        codes[0] = full << 4 | codes[0] & 15;
        // The negative zero of FP4 is never written for a zero.
        let plain = |code: u8| if quant_type == QuantType::Fp4 && code == 8 { 0 } else { code };
        for byte in &mut codes {
            *byte = plain(*byte >> 4) << 4 | plain(*byte & 15);
        }
        let scale = 2f32.powi(exponent);
        let xs: Vec<f32> =
            codes.iter().flat_map(|c| [c >> 4, c & 15]).map(|c| map[usize::from(c)] * scale).collect();
        let quantized = QuantizedTensor::quantize_slice(&xs, &[8, 8], &config).unwrap();
        prop_assert_eq!(bytes(quantized.codes()), codes);
        prop_assert_eq!(numbers(&quantized), xs);
    }

    #[test]
    fn any_range_is_that_of_the_whole(
        config in configs(),
        length in 1usize..3000,
        ends in (0.0..1.0, 0.0..1.0),
    ) {
        let xs: Vec<f32> = (0..length).map(|i| (i as f32 * 0.7).sin() + 0.2).collect();
        let quantized = QuantizedTensor::quantize_slice(&xs, &[length], &config).unwrap();
        let [a, b] = [ends.0, ends.1].map(|x: f64| (x * (length + 1) as f64) as usize);
        let range = a.min(b)..a.max(b);
        let mut part = vec![f32::NAN; range.len()];
        quantized.dequantize_range(range.clone(), &mut part).unwrap();
        prop_assert_eq!(&part[..], &numbers(&quantized)[range]);
    }

    #[test]
    fn the_report_is_the_distance(config in configs(), length in 1usize..9000) {
        let xs: Vec<f32> = (0..length).map(|i| (i as f32 * 0.7).sin() * 0.1).collect();
        let tensor = Tensor::from_slice(&xs, length, &Device::Cpu).unwrap();
        let quantized = QuantizedTensor::quantize(&tensor, &config).unwrap();
        let report = quantized.report(&tensor).unwrap();
        let errors: Vec<f64> =
            xs.iter().zip(numbers(&quantized)).map(|(x, y)| f64::from(x - y).abs()).collect();
        let largest = errors.iter().copied().fold(0.0, f64::max);
        let mean = errors.iter().map(|e| e * e).sum::<f64>() / length as f64;
        prop_assert_eq!(report.max_abs_err, largest);
        prop_assert!((report.rmse - mean.sqrt()).abs() <= 1e-12 + 1e-9 * report.rmse);
    }
}

#[test]
fn bits_a_weight_are_the_published_ones() {
    let weight = Tensor::ones((1536, 384), DType::F32, &Device::Cpu).unwrap();
    for (double_quant, expected) in [(false, 4.5), (true, 4.127)] {
        let config = QuantConfig { double_quant, ..QuantConfig::default() };
        let quantized = QuantizedTensor::quantize(&weight, &config).unwrap();
        let bits = quantized.bits_per_weight();
        assert!((bits - expected).abs() < 5e-4, "{bits}, not {expected}");
        assert_eq!(bits * quantized.elements() as f64, quantized.stored_bytes() as f64 * 8.0);
    }
}

#[test]
fn the_original_type_comes_back() {
    let xs = Tensor::arange(-50f32, 50.0, &Device::Cpu).unwrap().reshape((4, 25)).unwrap();
    for dtype in [DType::F32, DType::F16, DType::BF16] {
        let quantized =
            QuantizedTensor::quantize(&xs.to_dtype(dtype).unwrap(), &QuantConfig::default());
        let back = quantized.unwrap().dequantize().unwrap();
        assert_eq!((back.dtype(), back.dims()), (dtype, &[4, 25][..]));
    }
}

#[test]
fn memory_layout_and_threads_do_not_matter() {
    let xs: Vec<f32> = (0..60_000).map(|i| (i as f32 * 0.37).sin()).collect();
    let xs = Tensor::from_vec(xs, (200, 300), &Device::Cpu).unwrap();
    let turned = xs.t().unwrap().contiguous().unwrap().t().unwrap();
    let config = QuantConfig::default();
    let expected = bytes(QuantizedTensor::quantize(&xs, &config).unwrap().codes());
    assert!(!turned.is_contiguous());
    assert!(bytes(QuantizedTensor::quantize(&turned, &config).unwrap().codes()) == expected);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let single = pool.install(|| QuantizedTensor::quantize(&xs, &config).unwrap());
    assert!(bytes(single.codes()) == expected);
}
