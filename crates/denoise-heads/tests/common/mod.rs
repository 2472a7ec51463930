//! Heads whose numbers come from a formula.

#![allow(dead_code, reason = "each test binary uses its part of this")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use candle_core::{DType, Device, Error, Result, Shape, Tensor, Var};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use denoise_heads::{Head, HeadConfig, build};

/// Numbers in `[-scale, scale)` that depend on the name and the index only, to the bit those of
/// `fill` in `data/golden.py`.
pub(crate) fn fill(name: &str, shape: &[usize], scale: f64, dtype: DType) -> Result<Tensor> {
    let salt = name
        .bytes()
        .fold(0x811c_9dc5u32, |h, byte| (h ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let numbers = (0..shape.iter().product::<usize>() as u32).map(|i| {
        let mut h = i.wrapping_add(salt);
        h = (h ^ (h >> 16)).wrapping_mul(0x7feb_352d);
        h = (h ^ (h >> 15)).wrapping_mul(0x846c_a68b);
        h ^= h >> 16;
        ((h >> 8) as f32 / (1u32 << 23) as f32 - 1.0) * scale as f32
    });
    Tensor::from_iter(numbers, &Device::Cpu)?.reshape(shape)?.to_dtype(dtype)
}

/// A variable that a head asked for.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) var: Var,
    pub(crate) init: Init,
}

/// Gives every tensor asked for as a variable filled by its name, and remembers it.
#[derive(Default, Clone)]
pub(crate) struct Formula {
    made: Arc<Mutex<BTreeMap<String, Made>>>,
}

impl SimpleBackend for Formula {
    fn get(&self, s: Shape, name: &str, init: Init, dtype: DType, _: &Device) -> Result<Tensor> {
        let dims = s.dims();
        let scale = if name.ends_with("weight") {
            (6.0 / dims[1..].iter().product::<usize>() as f64).sqrt()
        } else {
            0.1
        };
        let var = Var::from_tensor(&fill(name, dims, scale, dtype)?)?;
        let tensor = var.as_tensor().clone();
        self.made.lock().unwrap().insert(name.to_owned(), Made { var, init });
        Ok(tensor)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        Err(Error::CannotFindTensor { path: name.to_owned() }.bt())
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}

/// The head of `config` and its variables by name.
pub(crate) fn formula_head(
    config: &HeadConfig,
    dtype: DType,
) -> (Box<dyn Head>, BTreeMap<String, Made>) {
    let backend = Formula::default();
    let vb = VarBuilder::from_backend(Box::new(backend.clone()), dtype, Device::Cpu);
    let head = build(config, vb).unwrap();
    let made = backend.made.lock().unwrap().clone();
    (head, made)
}

/// `sum(y * r)` with `r` filled by the name "r": a loss that tells all outputs apart.
pub(crate) fn loss(ys: &Tensor) -> Tensor {
    let r = fill("r", ys.dims(), 1.0, ys.dtype()).unwrap();
    (ys * r).unwrap().sum_all().unwrap()
}

/// All elements, in order, in f64.
pub(crate) fn numbers(xs: &Tensor) -> Vec<f64> {
    xs.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap()
}
