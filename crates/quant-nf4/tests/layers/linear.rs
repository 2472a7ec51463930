//! The linear layer against the dense one, and against finite differences.

use candle_core::{DType, Device, Tensor, Var};
use grad_ops::LinearLayer;
use quant_nf4::{Linear4bit, QuantConfig, QuantType, QuantizedTensor, Weight4bit};

/// Numbers without a pattern that a block could repeat.
fn numbers(shape: &[usize], seed: usize) -> Tensor {
    let count: usize = shape.iter().product();
    let all = (0..count).map(|i| ((i * i + 31 * i + seed) as f64 * 0.618).sin() * 0.8 + 0.05);
    Tensor::from_iter(all.map(|x| x as f32), &Device::Cpu).unwrap().reshape(shape).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[track_caller]
fn assert_close(got: &Tensor, expected: &Tensor, tolerance: f64) {
    assert_eq!(got.dims(), expected.dims());
    let (got, expected) = (values(got), values(expected));
    let scale = expected.iter().fold(1.0f64, |max, x| max.max(x.abs()));
    for (got, expected) in got.iter().zip(&expected) {
        assert!((got - expected).abs() <= tolerance * scale, "{got}, not {expected}");
    }
}

#[test]
fn it_gives_what_the_dequantised_weight_gives() {
    for (rows, inner, out) in
        [(1, 1, 1), (3, 7, 5), (2, 65, 33), (1, 384, 1152), (70, 130, 200), (300, 600, 150)]
    {
        for quant_type in QuantType::ALL {
            for double_quant in [false, true] {
                let config = QuantConfig { quant_type, double_quant, block_size: 64 };
                let weight = numbers(&[out, inner], 3);
                let bias = Var::from_tensor(&numbers(&[out], 5)).unwrap();
                let layer =
                    Linear4bit::quantize(&weight, Some(bias.as_tensor().clone()), &config).unwrap();
                let dense = layer.weight().unwrap();
                let other = layer.quantized().dequantize().unwrap();
                assert!(values(&dense) == values(&other));

                let xs = Var::from_tensor(&numbers(&[rows, inner], 9)).unwrap();
                let ys = layer.forward_t(&xs, true).unwrap();
                let expected = grad_ops::linear(&xs, &dense, Some(&bias)).unwrap();
                assert_close(&ys, &expected, 2e-6);
                let weights = numbers(&[rows, out], 17);
                let gradient = |ys: &Tensor| {
                    let sum = (ys * &weights).unwrap().sum_all().unwrap();
                    sum.backward().unwrap()
                };
                let (got, expected) = (gradient(&ys), gradient(&expected));
                for var in [&xs, &bias] {
                    assert_close(got.get(var).unwrap(), expected.get(var).unwrap(), 5e-6);
                }
            }
        }
    }
}

#[test]
fn gradients_agree_with_finite_differences() {
    let layer = Linear4bit::quantize(&numbers(&[6, 75], 1), None, &QuantConfig::default()).unwrap();
    let base = numbers(&[2, 75], 2).to_dtype(DType::F64).unwrap();
    let weights = numbers(&[2, 6], 3).to_dtype(DType::F64).unwrap();
    let objective =
        |xs: &Tensor| (layer.forward_t(xs, true).unwrap() * &weights).unwrap().sum_all().unwrap();
    let xs = Var::from_tensor(&base).unwrap();
    let grads = objective(&xs).backward().unwrap();
    let grad = values(grads.get(&xs).unwrap());
    for (index, grad) in grad.into_iter().enumerate() {
        let value = |step: f64| {
            let mut moved = values(&base);
            moved[index] += step;
            let moved = Tensor::from_vec(moved, (2, 75), &Device::Cpu).unwrap();
            objective(&moved).to_scalar::<f64>().unwrap()
        };
        let slope = (value(1e-4) - value(-1e-4)) / 2e-4;
        assert!((grad - slope).abs() <= 1e-8 * (1.0 + slope.abs()), "{index}: {grad}, not {slope}");
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let layer =
        Linear4bit::quantize(&numbers(&[700, 530], 1), None, &QuantConfig::default()).unwrap();
    for rows in [1, 5, 600] {
        let [single, several] = [1, 4].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let xs = Var::from_tensor(&numbers(&[rows, 530], 4)).unwrap();
                let ys = layer.forward_t(&xs, true).unwrap();
                let grads = ys.sqr().unwrap().sum_all().unwrap().backward().unwrap();
                (values(&ys), values(grads.get(&xs).unwrap()))
            })
        });
        assert!(single == several, "{rows} rows");
    }
}

#[test]
fn parameters_are_counted_logically_and_as_stored() {
    let bias = numbers(&[1152], 1);
    let layer =
        Linear4bit::quantize(&numbers(&[1152, 384], 3), Some(bias), &QuantConfig::default())
            .unwrap();
    let all = layer.parameters();
    let names: Vec<_> = all.iter().map(|p| (p.name.as_str(), p.elements)).collect();
    assert_eq!(
        names,
        [("weight", 442_368), ("weight.absmax", 0), ("weight.nested_absmax", 0), ("bias", 1152)]
    );
    assert!(all.iter().all(|parameter| !parameter.is_trainable()));
    // The published counts take a packed byte for an element, and leave the scales out.
    let published: usize =
        all.iter().filter(|p| p.elements > 0).map(|p| p.tensor.elem_count()).sum();
    assert_eq!(published, 442_368 / 2 + 1152);
    let stored: usize = all.iter().map(grad_ops::Parameter::stored_bytes).sum();
    assert_eq!(stored, 221_184 + 6912 + 27 * 4 + 4 * 1152);
    assert_eq!(layer.quantized().stored_bytes(), 221_184 + 6912 + 27 * 4 + 4);
}

#[test]
fn what_is_no_matrix_is_refused() {
    let vector = QuantizedTensor::quantize(&numbers(&[12], 1), &QuantConfig::default()).unwrap();
    assert!(Weight4bit::new(vector).is_err());
    let bias = Some(numbers(&[5], 1));
    assert!(Linear4bit::quantize(&numbers(&[4, 3], 1), bias, &QuantConfig::default()).is_err());
    let layer = Linear4bit::quantize(&numbers(&[4, 3], 1), None, &QuantConfig::default()).unwrap();
    assert!(layer.forward_t(&numbers(&[2, 4], 1), false).is_err());
}
