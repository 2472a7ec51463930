//! Gradients against finite differences in f64, and nothing for what is frozen.

use std::sync::Arc;

use candle_core::{DType, Tensor, Var};
use grad_ops::{Dense, Linear, LinearLayer};
use peft_lora::{LayerAdapter, LoraConfig, LoraFactory, LoraLinear, Moment, Pair};

use crate::common::{Case, normal, numbers};
use crate::vit::{Vit, Weights};

const STEP: f64 = 1e-5;

/// A linear function of the output, with fixed weights.
fn objective(ys: &Tensor) -> Tensor {
    (ys * normal(ys.dims(), 99)).unwrap().sum_all().unwrap()
}

/// The tensors of an adapter as new variables, and the adapter made of them.
fn variables(case: &Case) -> (Vec<Var>, LayerAdapter) {
    let mut vars = Vec::new();
    let adapter = case.adapter(|tensor| {
        vars.push(Var::from_tensor(&tensor).unwrap());
        vars[vars.len() - 1].as_tensor().clone()
    });
    (vars, adapter)
}

/// As `adapter`, with its weight norms as they are at `fixed`: the norms are constants for the
/// gradient, so the finite differences must not move them.
fn value(case: &Case, fixed: &LayerAdapter, tensors: &[Tensor], xs: &Tensor) -> f64 {
    let weight = case.base(DType::F64).weight().unwrap();
    let mut left = tensors.iter();
    let pairs: Vec<Pair> = (0..fixed.pairs().len())
        .map(|_| Pair { a: left.next().unwrap().clone(), b: left.next().unwrap().clone() })
        .collect();
    let form = fixed.form().clone();
    let plain = LayerAdapter::new("moved", form, pairs, fixed.alpha(), case.use_rslora, None);
    let mut weight = (plain.unwrap().merge(&weight).unwrap()).weight;
    if let Some(magnitude) = left.next() {
        let norms = fixed.merge(&case.base(DType::F64).weight().unwrap()).unwrap().norms.unwrap();
        weight = weight.broadcast_mul(&(magnitude / norms).unwrap().unsqueeze(1).unwrap()).unwrap();
    }
    let layer = Linear::new(weight, case.base(DType::F64).bias());
    objective(&layer.forward_t(xs, false).unwrap()).to_scalar().unwrap()
}

#[test]
fn gradients_agree_with_finite_differences() {
    for case in Case::all() {
        let (vars, adapter) = variables(&case);
        let xs = Var::from_tensor(&normal(&[2, 3, case.inputs], 5)).unwrap();
        let layer = LoraLinear::new(case.base(DType::F64), adapter.clone()).unwrap();
        let grads = objective(&layer.forward_t(&xs, true).unwrap()).backward().unwrap();
        let mut arguments: Vec<Tensor> = vars.iter().map(|var| var.detach()).collect();
        arguments.push(xs.detach());
        let all: Vec<&Tensor> =
            vars.iter().chain([&xs]).map(|var| grads.get(var).expect("a gradient")).collect();
        for (index, grad) in all.into_iter().enumerate() {
            let start = numbers(&arguments[index]);
            for (element, grad) in numbers(grad).into_iter().enumerate() {
                let moved = |step: f64| {
                    let mut values = start.clone();
                    values[element] += step;
                    let mut arguments = arguments.clone();
                    let (shape, device) = (arguments[index].shape(), arguments[index].device());
                    arguments[index] = Tensor::from_vec(values, shape, device).unwrap();
                    let (tensors, xs) = arguments.split_at(arguments.len() - 1);
                    value(&case, &adapter, tensors, &xs[0])
                };
                let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
                assert!(
                    (grad - slope).abs() <= 1e-7 * (1.0 + slope.abs()),
                    "{case:?}: argument {index}, element {element}: {grad}, not {slope}"
                );
            }
        }
    }
}

#[test]
fn adapters_get_gradients_and_frozen_weights_none() {
    for case in Case::all() {
        let (vars, adapter) = variables(&case);
        let base = case.base(DType::F64);
        let layer = LoraLinear::new(base.clone(), adapter).unwrap();
        let ys = layer.forward_t(&normal(&[7, case.inputs], 5), true).unwrap();
        let grads = objective(&ys).backward().unwrap();
        for var in &vars {
            let grad = numbers(grads.get(var).expect("a gradient"));
            assert!(grad.iter().all(|x| x.is_finite()) && grad.iter().any(|&x| x != 0.0));
        }
        for parameter in layer.parameters() {
            assert_eq!(parameter.is_trainable(), grads.get(&parameter.tensor).is_some());
            assert_eq!(parameter.is_trainable(), parameter.name.starts_with("lora_"));
        }
    }
}

#[test]
fn a_trained_base_is_trained_beside_its_adapter() {
    let case = &Case::all()[0];
    let weight = Var::from_tensor(&case.base(DType::F64).weight().unwrap()).unwrap();
    let base = Arc::new(Linear::new(weight.as_tensor().clone(), None));
    let layer = LoraLinear::new(base, variables(case).1).unwrap();
    let ys = layer.forward_t(&normal(&[7, case.inputs], 5), true).unwrap();
    assert!(objective(&ys).backward().unwrap().get(&weight).is_some());
}

#[test]
fn a_whole_model_trains_its_adapters_only() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/vit.safetensors");
    for use_dora in [false, true] {
        let config = LoraConfig { use_dora, ..LoraConfig::all_linear(2) };
        let factory = LoraFactory::new(&Dense, config, 3, Moment::new()).unwrap();
        let weights = Weights::read(path.as_ref()).unwrap().builder(DType::F64);
        let model = Vit::new(&factory, &weights).unwrap();
        // With B at zero, A would get a gradient of zero.
        for (name, tensor) in model.linear_tensors() {
            if name.contains("lora_B") {
                let value = normal(tensor.dims(), name.len() as u64);
                Var::from_tensor(&tensor).unwrap().set(&value).unwrap();
            }
        }
        let features = model.features(&normal(&[2, 5, 16, 16], 1), true).unwrap();
        let grads = objective(&features).backward().unwrap();
        let mut trained = 0;
        for (name, tensor) in model.linear_tensors() {
            let adapter = peft_lora::is_adapter_parameter(&name);
            match grads.get(&tensor) {
                Some(grad) => {
                    let grad = numbers(grad);
                    assert!(grad.iter().all(|x| x.is_finite()), "{name}");
                    assert!(grad.iter().any(|&x| x != 0.0), "{name}");
                }
                None => assert!(!adapter, "{name} has no gradient"),
            }
            assert_eq!(grads.get(&tensor).is_some(), adapter, "{name}");
            trained += usize::from(adapter);
        }
        assert_eq!(trained, 2 * (6 + 3 * 2) + if use_dora { 2 * 4 } else { 0 });
    }
}
