//! Values and gradients of PyTorch (see `data/golden.py`), and the errors for what does not fit.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor, Var};
use grad_ops::{AdamWStep, Error, Result};

type Function = fn(&[Tensor]) -> Result<Tensor>;

/// Case, names of the inputs, operation.
const CASES: &[(&str, &[&str], Function)] = &[
    ("linear", &["xs", "weight", "bias"], |a| grad_ops::linear(&a[0], &a[1], Some(&a[2]))),
    ("layer_norm", &["xs", "weight", "bias"], |a| grad_ops::layer_norm(&a[0], &a[1], &a[2], 1e-6)),
    ("gelu", &["xs"], |a| grad_ops::gelu(&a[0])),
    ("relu", &["xs"], |a| grad_ops::relu(&a[0])),
    ("softmax", &["xs"], |a| grad_ops::softmax_last_dim(&a[0])),
    ("attention", &["xs"], |a| grad_ops::attention(&a[0], 3)),
    ("conv3x3", MAPS, |a| grad_ops::conv3x3(&a[0], &a[1], Some(&a[2]), false)),
    ("conv3x3_row", MAPS, |a| grad_ops::conv3x3(&a[0], &a[1], Some(&a[2]), false)),
    ("conv3x3_column", MAPS, |a| grad_ops::conv3x3(&a[0], &a[1], Some(&a[2]), false)),
    ("conv3x3_relu", MAPS, |a| grad_ops::conv3x3(&a[0], &a[1], Some(&a[2]), true)),
    ("conv3x3_relu_row", MAPS, |a| grad_ops::conv3x3(&a[0], &a[1], Some(&a[2]), true)),
    ("conv3x3_relu_column", MAPS, |a| grad_ops::conv3x3(&a[0], &a[1], Some(&a[2]), true)),
    ("conv_transpose2x2", MAPS, |a| grad_ops::conv_transpose2x2(&a[0], &a[1], Some(&a[2]))),
    ("conv_transpose2x2_row", MAPS, |a| grad_ops::conv_transpose2x2(&a[0], &a[1], Some(&a[2]))),
    ("conv_transpose2x2_column", MAPS, |a| grad_ops::conv_transpose2x2(&a[0], &a[1], Some(&a[2]))),
    ("upsample_bilinear", &["xs"], |a| grad_ops::upsample_bilinear(&a[0], 4)),
    ("upsample_bilinear_row", &["xs"], |a| grad_ops::upsample_bilinear(&a[0], 4)),
    ("upsample_bilinear_column", &["xs"], |a| grad_ops::upsample_bilinear(&a[0], 4)),
    ("upsample_bilinear_by_3", &["xs"], |a| grad_ops::upsample_bilinear(&a[0], 3)),
    ("max_pool2x2", &["xs"], |a| grad_ops::max_pool2x2(&a[0])),
    ("max_pool2x2_ties", &["xs"], |a| grad_ops::max_pool2x2(&a[0])),
    ("mse_loss", &["xs", "target"], |a| grad_ops::mse_loss(&a[0], &a[1])),
];

const MAPS: &[&str] = &["xs", "weight", "bias"];

fn golden() -> HashMap<String, Tensor> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden.safetensors");
    candle_core::safetensors::load(path, &Device::Cpu).unwrap()
}

#[track_caller]
fn assert_close(got: &Tensor, expected: &Tensor, tolerance: f64, what: &str) {
    assert_eq!(got.dims(), expected.dims(), "{what}");
    let numbers = |tensor: &Tensor| -> Vec<f64> {
        tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    };
    for (got, expected) in numbers(got).iter().zip(numbers(expected)) {
        let close = (got - expected).abs() <= tolerance * (1.0 + expected.abs());
        assert!(close, "{what}: {got}, not {expected}");
    }
}

#[test]
fn values_and_gradients_are_those_of_pytorch() {
    let golden = golden();
    for (case, names, function) in CASES {
        for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 5e-6)] {
            let get = |name: &str| golden[&format!("{case}/{name}")].to_dtype(dtype).unwrap();
            let vars: Vec<Var> =
                names.iter().map(|name| Var::from_tensor(&get(name)).unwrap()).collect();
            let args: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
            let ys = function(&args).unwrap();
            let what = format!("{case} in {dtype:?}");
            assert_close(&ys, &golden[&format!("{case}/ys")], tolerance, &what);
            let grads = (ys * get("grad")).unwrap().sum_all().unwrap().backward().unwrap();
            for (name, var) in names.iter().zip(&vars) {
                let expected = &golden[&format!("{case}/d{name}")];
                assert_close(
                    grads.get(var).unwrap(),
                    expected,
                    tolerance,
                    &format!("{what}, {name}"),
                );
            }
        }
    }
}

#[test]
fn adamw_is_that_of_pytorch() {
    let golden = golden();
    for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 2e-6)] {
        let get = |name: &str| golden[&format!("adamw/{name}")].to_dtype(dtype).unwrap();
        let param = Var::from_tensor(&get("before")).unwrap();
        let [m, v] = [(), ()].map(|()| Var::zeros(param.dims(), dtype, &Device::Cpu).unwrap());
        for step in 1..=3 {
            // The gradient comes at twice its size.
            let grad = (get(&format!("grad{step}")) * 2.0).unwrap();
            let step = AdamWStep {
                lr: 0.05,
                beta1: 0.8,
                beta2: 0.95,
                eps: 1e-6,
                weight_decay: 0.1,
                step,
                grad_scale: 0.5,
            };
            grad_ops::adamw_step(&param, &grad, &m, &v, &step).unwrap();
        }
        assert_close(&param, &get("after"), tolerance, "parameter");
        assert_close(&m, &get("m"), tolerance, "first moment");
        assert_close(&v, &get("v"), tolerance, "second moment");
    }
}

#[test]
fn gradients_are_gathered_in_place() {
    let data = |from: u32| -> Vec<f32> { (from..from + 40_000).map(|i| (i % 7) as f32).collect() };
    let sum = Var::from_vec(data(0), (200, 200), &Device::Cpu).unwrap();
    let view = sum.as_tensor().clone();
    let other = Tensor::from_vec(data(3), (200, 200), &Device::Cpu).unwrap();
    grad_ops::accumulate(&sum, &other.t().unwrap()).unwrap();
    grad_ops::scale_in_place(&sum, 0.5).unwrap();
    let expected: Vec<f32> = (0..40_000usize)
        .map(|i| ((i % 7) as f32 + ((i % 200 * 200 + i / 200 + 3) % 7) as f32) * 0.5)
        .collect();
    assert_eq!(view.flatten_all().unwrap().to_vec1::<f32>().unwrap(), expected);
    let squares: f32 = expected.iter().map(|x| x * x).sum();
    let norm =
        grad_ops::global_norm(&[view.narrow(0, 0, 50).unwrap(), view.narrow(0, 50, 150).unwrap()]);
    assert!((norm.unwrap().powi(2) - f64::from(squares)).abs() < 1.0);
    assert_eq!(grad_ops::global_norm(&[]).unwrap(), 0.0);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    let maps = zeros(&[1, 2, 4, 4]);
    let wrong = |dims: &[usize]| zeros(dims);
    let results = [
        grad_ops::linear(&zeros(&[3, 4]), &wrong(&[5, 3]), None),
        grad_ops::linear(&zeros(&[3, 4]), &zeros(&[5, 4]), Some(&wrong(&[4]))),
        grad_ops::linear(&zeros(&[]), &zeros(&[5, 4]), None),
        grad_ops::linear(&zeros(&[0, 4]), &zeros(&[5, 4]), None),
        grad_ops::low_rank_add(&zeros(&[3, 4]), &zeros(&[3, 1]), &zeros(&[4, 1]), &[]),
        grad_ops::low_rank_add(&zeros(&[3, 4]), &zeros(&[3, 1]), &zeros(&[2, 1]), &[false; 2]),
        grad_ops::low_rank_add(&zeros(&[3, 4]), &zeros(&[3, 1]), &zeros(&[4, 1]), &[true; 3]),
        grad_ops::low_rank_add(&zeros(&[3, 4]), &zeros(&[3, 2]), &wrong(&[2, 1]), &[true; 2]),
        grad_ops::low_rank_add(&zeros(&[3, 4]), &wrong(&[2, 2]), &zeros(&[4, 1]), &[true; 2]),
        grad_ops::layer_norm(&zeros(&[2, 3]), &wrong(&[2]), &zeros(&[3]), 1e-6),
        grad_ops::layer_norm(&zeros(&[2, 3]), &zeros(&[3]), &wrong(&[1]), 1e-6),
        grad_ops::softmax_last_dim(&zeros(&[])),
        grad_ops::attention(&zeros(&[2, 5, 10]), 2),
        grad_ops::attention(&zeros(&[2, 5, 12]), 0),
        grad_ops::attention(&zeros(&[2, 5, 12]), usize::MAX),
        grad_ops::attention(&zeros(&[5, 12]), 2),
        grad_ops::conv3x3(&maps, &wrong(&[3, 2, 3, 2]), None, true),
        grad_ops::conv3x3(&maps, &wrong(&[3, 1, 3, 3]), None, true),
        grad_ops::conv3x3(&maps, &zeros(&[3, 2, 3, 3]), Some(&wrong(&[2])), true),
        grad_ops::conv3x3(&zeros(&[2, 4, 4]), &zeros(&[3, 2, 3, 3]), None, true),
        grad_ops::conv_transpose2x2(&maps, &wrong(&[3, 2, 2, 2]), None),
        grad_ops::conv_transpose2x2(&maps, &zeros(&[2, 3, 2, 2]), Some(&wrong(&[2]))),
        grad_ops::max_pool2x2(&zeros(&[1, 2, 1, 4])),
        grad_ops::max_pool2x2(&zeros(&[2, 4, 4])),
        grad_ops::upsample_bilinear(&maps, 0),
        grad_ops::upsample_bilinear(&maps, usize::MAX),
        grad_ops::upsample_bilinear(&maps, 1 << 31),
        grad_ops::mse_loss(&maps, &wrong(&[1, 2, 4, 5])),
        grad_ops::mse_loss(&zeros(&[0]), &zeros(&[0])),
    ];
    for (index, result) in results.into_iter().enumerate() {
        assert!(matches!(result, Err(Error::Shape { .. })), "{index}");
    }

    let half = maps.to_dtype(DType::BF16).unwrap();
    let double = maps.to_dtype(DType::F64).unwrap();
    for result in [
        grad_ops::gelu(&half),
        grad_ops::max_pool2x2(&half),
        grad_ops::mse_loss(&maps, &double),
        grad_ops::linear(&zeros(&[3, 4]), &zeros(&[5, 4]).to_dtype(DType::F64).unwrap(), None),
    ] {
        assert!(matches!(result, Err(Error::Dtype { .. })));
    }
    assert!(matches!(grad_ops::global_norm(&[half]), Err(Error::Dtype { .. })));

    let [param, m, v] = [(), (), ()].map(|()| Var::zeros(6, DType::F32, &Device::Cpu).unwrap());
    let step = AdamWStep::default();
    let result = grad_ops::adamw_step(&param, &zeros(&[5]), &m, &v, &step);
    assert!(matches!(result, Err(Error::Shape { .. })));
    for result in [
        grad_ops::adamw_step(&param, &param, &m, &v, &step),
        grad_ops::adamw_step(&param, &zeros(&[6]), &m, &m, &step),
        grad_ops::adamw_step(&param, &zeros(&[6]), &m, &param, &step),
        grad_ops::accumulate(&param, &param),
    ] {
        assert!(matches!(result, Err(Error::Aliased { .. })));
    }
    let error = grad_ops::attention(&zeros(&[2, 5, 10]), 2).unwrap_err().to_string();
    assert!(error.starts_with("`attention`: the input should be") && error.ends_with("[2, 5, 10]"));
}
