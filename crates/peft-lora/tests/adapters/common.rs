//! Random layers, adapters and builders for the tests.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use candle_core::{DType, Device, Result, Shape, Tensor, Var};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use grad_ops::{Linear, LinearLayer};
use peft_lora::{Form, LayerAdapter, Pair};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Normally distributed numbers.
pub(crate) fn normal(shape: &[usize], seed: u64) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let count = shape.iter().product();
    let data: Vec<f64> = (0..count).map(|_| StandardNormal.sample(&mut rng)).collect();
    Tensor::from_vec(data, shape, &Device::Cpu).unwrap()
}

/// A split form from the places of letters: `q-v` has the first and the last of three slices.
pub(crate) fn split(slices: &str) -> Form {
    Form::Split { parts: slices.chars().map(|c| c != '-').collect() }
}

/// All forms that the tests go through: plain, and every choice of query, key and value.
pub(crate) fn forms() -> Vec<Form> {
    let splits = ["qkv", "qk-", "q-v", "-kv", "q--", "-k-", "--v", "ab", "a"].map(split);
    [Form::Plain].into_iter().chain(splits).collect()
}

/// Sizes and settings of an adapted layer.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) form: Form,
    pub(crate) inputs: usize,
    /// Outputs of a slice.
    pub(crate) outputs: usize,
    pub(crate) r: usize,
    pub(crate) use_rslora: bool,
    pub(crate) use_dora: bool,
    pub(crate) bias: bool,
}

impl Case {
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for form in forms() {
            for switches in 0..4 {
                let [use_rslora, use_dora] = [1, 2].map(|bit| switches & bit != 0);
                let (inputs, outputs, r, bias) = (5, 4, 3, switches != 1);
                let form = form.clone();
                all.push(Self { form, inputs, outputs, r, use_rslora, use_dora, bias });
            }
        }
        all
    }

    pub(crate) fn out_features(&self) -> usize {
        self.outputs * self.form.slices()
    }

    /// A random layer.
    pub(crate) fn base(&self, dtype: DType) -> Arc<dyn LinearLayer> {
        let cast = |tensor: Tensor| tensor.to_dtype(dtype).unwrap();
        let weight = cast(normal(&[self.out_features(), self.inputs], 1));
        let bias = self.bias.then(|| cast(normal(&[self.out_features()], 2)));
        Arc::new(Linear::new(weight, bias))
    }

    /// A random adapter with nothing at its neutral value; its tensors pass through `make`.
    pub(crate) fn adapter(&self, mut make: impl FnMut(Tensor) -> Tensor) -> LayerAdapter {
        let mut pairs = Vec::new();
        for index in 0..self.form.adapted().len() as u64 {
            let a = make(normal(&[self.r, self.inputs], 10 + index));
            let b = make(normal(&[self.outputs, self.r], 20 + index));
            pairs.push(Pair { a, b });
        }
        let magnitude = self
            .use_dora
            .then(|| make((normal(&[self.out_features()], 30).abs().unwrap() + 0.5).unwrap()));
        LayerAdapter::new("layer", self.form.clone(), pairs, 1.7, self.use_rslora, magnitude)
            .unwrap()
    }
}

/// The elements in double precision.
pub(crate) fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Asserts that two tensors agree up to `tolerance`, relative to the largest number or 1.
#[track_caller]
pub(crate) fn assert_close(got: &Tensor, expected: &Tensor, tolerance: f64, what: &str) {
    assert_eq!(got.dims(), expected.dims(), "{what}");
    let (got, expected) = (numbers(got), numbers(expected));
    let scale = expected.iter().fold(1.0f64, |max, x| max.max(x.abs()));
    for (index, (got, expected)) in got.iter().zip(&expected).enumerate() {
        let close = (got - expected).abs() <= tolerance * scale;
        assert!(close, "{what}: element {index} is {got}, not {expected}");
    }
}

/// A backend that draws what it is asked for by its hint, makes variables of adapters, and
/// remembers everything.
#[derive(Clone, Default)]
pub(crate) struct Store {
    pub(crate) tensors: Arc<Mutex<BTreeMap<String, Tensor>>>,
}

impl Store {
    /// A store that already holds these tensors.
    pub(crate) fn holding(tensors: &HashMap<String, Tensor>) -> Self {
        let tensors = tensors.iter().map(|(name, tensor)| (name.clone(), tensor.clone()));
        Self { tensors: Arc::new(Mutex::new(tensors.collect())) }
    }

    pub(crate) fn builder(&self, dtype: DType) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), dtype, Device::Cpu)
    }

    pub(crate) fn all(&self) -> BTreeMap<String, Tensor> {
        self.tensors.lock().unwrap().clone()
    }
}

impl SimpleBackend for Store {
    fn get(&self, s: Shape, name: &str, init: Init, dtype: DType, dev: &Device) -> Result<Tensor> {
        let mut tensors = self.tensors.lock().unwrap();
        let value = match tensors.get(name) {
            Some(tensor) if tensor.is_variable() => return Ok(tensor.clone()),
            Some(tensor) => tensor.to_dtype(dtype)?,
            None => init.var(&s, dtype, dev)?.as_detached_tensor(),
        };
        assert_eq!(value.shape(), &s, "{name}");
        let value = if peft_lora::is_adapter_parameter(name) {
            Var::from_tensor(&value)?.into_inner()
        } else {
            value
        };
        tensors.insert(name.to_owned(), value.clone());
        Ok(value)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        Ok(self.tensors.lock().unwrap()[name].clone())
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.tensors.lock().unwrap().contains_key(name)
    }
}
