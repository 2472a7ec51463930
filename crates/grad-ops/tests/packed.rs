//! Weights that are kept packed, and the layer over them.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use grad_ops::{Bf16Weight, LinearLayer, PackedLinear, PackedWeight, packed_linear};

fn matrix(out: usize, inner: usize) -> Tensor {
    let numbers = (0..out * inner).map(|index| (index as f32 * 0.37).sin() * 1.7).collect();
    Tensor::from_vec(numbers, (out, inner), &Device::Cpu).unwrap()
}

#[test]
fn any_part_of_a_matrix_is_that_of_the_whole() {
    let weight = matrix(9, 13);
    let packed = Bf16Weight::new(&weight).unwrap();
    let expected = weight.to_dtype(DType::BF16).unwrap().to_dtype(DType::F32).unwrap();
    let expected: Vec<Vec<f32>> = expected.to_vec2().unwrap();
    assert_eq!(packed.dense().unwrap().to_vec2::<f32>().unwrap(), expected);
    for (rows, cols) in [(0..9, 0..13), (2..5, 3..13), (8..9, 12..13), (4..4, 0..13), (1..9, 5..5)]
    {
        let mut part = vec![f32::NAN; rows.len() * cols.len()];
        packed.unpack(rows.clone(), cols.clone(), &mut part).unwrap();
        let whole = expected[rows].iter().flat_map(|row| &row[cols.clone()]);
        assert!(part.iter().eq(whole));
    }
}

#[test]
#[expect(clippy::reversed_empty_ranges, reason = "one of the mistakes")]
fn parts_that_do_not_fit_are_refused() {
    let packed = Bf16Weight::new(&matrix(9, 13)).unwrap();
    for (rows, cols, room) in [
        (0..10, 0..13, 130),
        (0..9, 0..14, 126),
        (0..9, 0..13, 116),
        (5..4, 0..13, 0),
        (usize::MAX..usize::MAX, 0..1, 0),
    ] {
        assert!(packed.unpack(rows, cols, &mut vec![0.0; room]).is_err());
    }
    for shape in [vec![13], vec![0, 13], vec![9, 0], vec![1, 2, 3]] {
        let weight = Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        assert!(Bf16Weight::new(&weight).is_err());
    }
}

#[test]
fn the_layer_counts_what_it_stores_and_refuses_what_does_not_fit() {
    let weight: Arc<dyn PackedWeight> = Arc::new(Bf16Weight::new(&matrix(9, 13)).unwrap());
    let bias = Tensor::ones(9, DType::F32, &Device::Cpu).unwrap();
    let layer = PackedLinear::new(Arc::clone(&weight), Some(bias)).unwrap();
    assert_eq!((layer.out_features(), layer.in_features()), (9, 13));
    let parameters = layer.parameters();
    let counts: Vec<_> =
        parameters.iter().map(|p| (p.name.as_str(), p.elements, p.stored_bytes())).collect();
    assert_eq!(counts, [("weight", 117, 234), ("bias", 9, 36)]);
    assert_eq!(weight.stored_bytes(), 234);
    assert!(parameters.iter().all(|parameter| !parameter.is_trainable()));
    assert_eq!(layer.weight().unwrap().dims(), [9, 13]);

    let short = Tensor::ones(8, DType::F32, &Device::Cpu).unwrap();
    assert!(PackedLinear::new(Arc::clone(&weight), Some(short.clone())).is_err());
    let xs = |width: usize| Tensor::ones((2, width), DType::F32, &Device::Cpu).unwrap();
    assert!(layer.forward_t(&xs(13), true).is_ok());
    assert!(layer.forward_t(&xs(12), true).is_err());
    assert!(packed_linear(&xs(13), &weight, Some(&short)).is_err());
    assert!(packed_linear(&xs(13).to_dtype(DType::BF16).unwrap(), &weight, None).is_err());
    assert!(packed_linear(&xs(13).to_dtype(DType::U32).unwrap(), &weight, None).is_err());
}
