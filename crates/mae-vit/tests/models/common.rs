//! What several tests need.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{VarBuilder, VarMap};
use mae_vit::{FrontEnd, PositionEmbedding, VitConfig};

pub(crate) type Tensors = HashMap<String, Tensor>;

/// Path of a golden file.
pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// Reads a golden file.
pub(crate) fn golden(name: &str) -> Tensors {
    candle_core::safetensors::load(data(name), &Device::Cpu).unwrap()
}

/// The tensors whose names begin with `prefix`, without it.
pub(crate) fn below(tensors: &Tensors, prefix: &str) -> Tensors {
    let strip =
        |(name, t): (&String, &Tensor)| Some((name.strip_prefix(prefix)?.to_owned(), t.clone()));
    tensors.iter().filter_map(strip).collect()
}

/// Fixed tensors in a `VarBuilder`.
pub(crate) fn fixed(tensors: Tensors) -> VarBuilder<'static> {
    VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu)
}

/// The tensors as variables.
pub(crate) fn variables(tensors: &Tensors, dtype: DType) -> VarMap {
    let map = VarMap::new();
    for (name, tensor) in tensors {
        let var = Var::from_tensor(&tensor.to_dtype(dtype).unwrap()).unwrap();
        map.data().lock().unwrap().insert(name.clone(), var);
    }
    map
}

/// The model of `encoder_tiny` in `golden.py`.
pub(crate) fn tiny() -> VitConfig {
    VitConfig {
        image_size: 16,
        patch_size: 4,
        in_channels: 5,
        dim: 24,
        depth: 2,
        heads: 2,
        mlp_dim: 48,
        layer_norm_eps: 1e-6,
        qkv_bias: true,
        front_end: FrontEnd::Linear,
        position: PositionEmbedding::Learned,
    }
}

/// Asserts that the largest difference is below `tolerance` times the largest wanted value.
#[track_caller]
pub(crate) fn assert_close(got: &Tensor, want: &Tensor, tolerance: f64) {
    assert_eq!(got.dims(), want.dims());
    let flat = |t: &Tensor| {
        t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap()
    };
    let (got, want) = (flat(got), flat(want));
    let scale = want.iter().fold(0f64, |m, v| m.max(v.abs()));
    let worst = got.iter().zip(&want).fold(0f64, |m, (a, b)| m.max((a - b).abs()));
    assert!(worst <= tolerance * scale, "off by {worst:e}, largest value {scale:e}");
}

/// Numbers that are the same on every machine, between -1 and 1.
pub(crate) fn numbers(shape: &[usize], seed: f64, dtype: DType) -> Tensor {
    let count: usize = shape.iter().product();
    let values: Vec<f64> = (0..count).map(|i| (i as f64 * 1.618 + seed * 7.77).sin()).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
}

/// `formula` of `golden.py`.
pub(crate) fn formula(name: &str, shape: &[usize], index: usize) -> Tensor {
    let count: usize = shape.iter().product();
    let phases = (0..count).map(|i| i as f64 * 0.731_058_5 + 1.3 * index as f64);
    let fan: usize = shape.iter().skip(1).product();
    let values: Vec<f32> = if name.contains("norm") && name.ends_with("weight") {
        phases.map(|x| (1.0 + 0.2 * x.sin()) as f32).collect()
    } else if shape.len() > 1 && name != "cls_token" && name != "pos_embed" {
        let scale = (fan as f64).sqrt();
        phases.map(|x| (x.sin() * (x * x * 1e-3).cos() * 2.0 / scale) as f32).collect()
    } else {
        phases.map(|x| (0.1 * x.sin()) as f32).collect()
    };
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Sets all variables to numbers that are the same in every run; running statistics stay.
pub(crate) fn settle(map: &VarMap) {
    let vars: std::collections::BTreeMap<_, _> =
        map.data().lock().unwrap().iter().map(|(name, var)| (name.clone(), var.clone())).collect();
    for (index, (name, var)) in vars.iter().filter(|(n, _)| !n.contains("running")).enumerate() {
        // A weight of one axis belongs to a normalisation, whatever its name.
        let gain = var.rank() == 1 && name.ends_with("weight");
        let numbers = formula(if gain { "norm.weight" } else { name }, var.dims(), index);
        var.set(&numbers.to_dtype(var.dtype()).unwrap()).unwrap();
    }
}

/// Compares the gradient of a loss in some of a variable's values with central differences.
#[track_caller]
pub(crate) fn finite_difference(var: &Var, loss: &dyn Fn() -> Tensor, tolerance: f64) {
    const STEP: f64 = 1e-5;
    let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    let gradient = flat(loss().backward().unwrap().get(var).unwrap());
    let start = flat(var);
    let at = |i: usize, value: f64| {
        let mut values = start.clone();
        values[i] = value;
        var.set(&Tensor::from_vec(values, var.dims(), &Device::Cpu).unwrap()).unwrap();
        loss().to_scalar::<f64>().unwrap()
    };
    let scale = gradient.iter().fold(1e-3, |m: f64, g| m.max(g.abs()));
    for i in (0..start.len()).step_by(start.len().div_ceil(7)) {
        let slope = (at(i, start[i] + STEP) - at(i, start[i] - STEP)) / (2.0 * STEP);
        at(i, start[i]);
        assert!((slope - gradient[i]).abs() < tolerance * scale, "{slope} {}", gradient[i]);
    }
}
