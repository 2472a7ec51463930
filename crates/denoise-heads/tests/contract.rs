//! What every head promises: gradients, shapes, independence of samples, initial values, errors.

#![allow(clippy::unwrap_used)]

mod common;

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{Init, VarBuilder};
use common::{fill, formula_head, loss, numbers};
use denoise_heads::{Error, HeadConfig, HeadKind, build};

fn tiny(kind: HeadKind) -> HeadConfig {
    let width = kind.default_width().map(|_| 2);
    HeadConfig { embed_dim: 3, bands: 2, width, ..HeadConfig::published(kind) }
}

#[test]
fn every_variable_and_the_features_get_a_gradient() {
    for kind in HeadKind::ALL {
        let (head, made) = formula_head(&tiny(kind), DType::F32);
        let x = Var::from_tensor(&fill("x", &[2, 3, 3, 5], 1.0, DType::F32).unwrap()).unwrap();
        let grads = loss(&head.forward_t(x.as_tensor(), true).unwrap()).backward().unwrap();
        let vars = made.iter().map(|(name, made)| (name.as_str(), &made.var));
        for (name, var) in vars.chain([("features", &x)]) {
            let grad = grads.get(var).unwrap_or_else(|| panic!("{kind}: no gradient of {name}"));
            assert_eq!(grad.dims(), var.dims(), "{kind}: {name}");
            let grad = numbers(grad);
            assert!(grad.iter().all(|g| g.is_finite()), "{kind}: {name}");
            assert!(grad.iter().any(|g| *g != 0.0), "{kind}: {name}");
        }
    }
}

#[test]
fn a_frozen_head_still_passes_the_gradient_on() {
    for kind in HeadKind::ALL {
        let (head, made) = formula_head(&tiny(kind), DType::F32);
        let fixed = made.iter().map(|(name, made)| (name.clone(), made.var.as_detached_tensor()));
        let vb = VarBuilder::from_tensors(fixed.collect(), DType::F32, &Device::Cpu);
        let frozen = build(&tiny(kind), vb).unwrap();
        assert!(frozen.parameters().iter().all(|p| !p.is_trainable()));
        let x = Var::from_tensor(&fill("x", &[1, 3, 2, 2], 1.0, DType::F32).unwrap()).unwrap();
        let dx = |head: &dyn denoise_heads::Head| {
            let grads = loss(&head.forward_t(x.as_tensor(), true).unwrap()).backward().unwrap();
            numbers(grads.get(&x).unwrap())
        };
        assert_eq!(dx(&*frozen), dx(&*head), "{kind}");
    }
}

/// Central difference of `f` for every element of `var`.
fn differences(var: &Var, f: impl Fn() -> f64) -> Vec<f64> {
    let step = 1e-6;
    let start = numbers(var.as_tensor());
    let at = |values: Vec<f64>| {
        let moved = Tensor::from_vec(values, var.shape(), &Device::Cpu).unwrap();
        var.set(&moved).unwrap();
        f()
    };
    let slopes = (0..start.len())
        .map(|i| {
            let moved = |by: f64| {
                let mut values = start.clone();
                values[i] += by;
                at(values)
            };
            (moved(step) - moved(-step)) / (2.0 * step)
        })
        .collect();
    at(start);
    slopes
}

fn check_gradient(what: &str, got: &Tensor, want: &[f64]) {
    let scale = want.iter().fold(1e-3f64, |m, w| m.max(w.abs()));
    for (i, (got, want)) in numbers(got).iter().zip(want).enumerate() {
        assert!((got - want).abs() <= 1e-6 * scale, "{what}[{i}]: {got} should be {want}");
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    for kind in HeadKind::ALL {
        let (head, made) = formula_head(&tiny(kind), DType::F64);
        let x = Var::from_tensor(&fill("x", &[2, 3, 1, 2], 1.0, DType::F64).unwrap()).unwrap();
        let run = || loss(&head.forward_t(x.as_tensor(), true).unwrap());
        let grads = run().backward().unwrap();
        let vars = made.iter().map(|(name, made)| (name.as_str(), &made.var));
        for (name, var) in vars.chain([("features", &x)]) {
            let want = differences(var, || run().to_scalar().unwrap());
            check_gradient(&format!("{kind} {name}"), grads.get(var).unwrap(), &want);
        }
    }
}

#[test]
fn concatenation_has_a_right_gradient() {
    let vars = ["a", "b"].map(|name| {
        let channels = name.len() + usize::from(name == "b");
        Var::from_tensor(&fill(name, &[2, channels, 3, 1], 1.0, DType::F64).unwrap()).unwrap()
    });
    // The first is used twice, as a skip connection is.
    let run = || {
        let both = Tensor::cat(&[vars[0].as_tensor(), vars[1].as_tensor()], 1).unwrap();
        loss(&both.sqr().unwrap().broadcast_mul(vars[0].as_tensor()).unwrap())
    };
    let grads = run().backward().unwrap();
    for var in &vars {
        let want = differences(var, || run().to_scalar().unwrap());
        check_gradient("cat", grads.get(var).unwrap(), &want);
    }
}

#[test]
fn any_grid_is_served_and_samples_do_not_mix() {
    for kind in HeadKind::ALL {
        let (head, _) = formula_head(&tiny(kind), DType::F32);
        for (h, w) in [(1, 1), (1, 3), (3, 5), (2, 1), (4, 4)] {
            let x = fill("x", &[2, 3, h, w], 1.0, DType::F32).unwrap();
            let both = head.forward_t(&x, false).unwrap();
            assert_eq!(both.dims(), [2, 2, 4 * h, 4 * w], "{kind}");
            for i in 0..2 {
                let one = head.forward_t(&x.narrow(0, i, 1).unwrap(), false).unwrap();
                let same = numbers(&both.narrow(0, i, 1).unwrap());
                for (a, b) in numbers(&one).iter().zip(same) {
                    assert!((a - b).abs() <= 1e-5, "{kind} {h}x{w}: {a} alone, {b} in a batch");
                }
            }
        }
    }
}

#[test]
fn features_need_not_be_contiguous() {
    for kind in HeadKind::ALL {
        let (head, _) = formula_head(&tiny(kind), DType::F32);
        let tokens = fill("x", &[2, 6, 3], 1.0, DType::F32).unwrap();
        let map = tokens.transpose(1, 2).unwrap().reshape((2, 3, 2, 3)).unwrap();
        let view = tokens.reshape((2, 2, 3, 3)).unwrap().permute((0, 3, 1, 2)).unwrap();
        assert!(!view.is_contiguous());
        let [a, b] = [map, view].map(|x| numbers(&head.forward_t(&x, false).unwrap()));
        assert_eq!(a, b, "{kind}");
    }
}

#[test]
fn new_variables_are_drawn_as_pytorch_draws_them() {
    // PyTorch's bounds: fan-in is all but the first dimension, of a transposed convolution too.
    let cases = [
        (HeadKind::Fc, "fc", 3),
        (HeadKind::Conv, "conv.2", 2 * 9),
        (HeadKind::Residual, "res_blocks.1.net.2", 2 * 9),
        (HeadKind::Unet, "up2", 4 * 4),
        (HeadKind::Unet, "conv_up2.0", 6 * 9),
    ];
    for (kind, layer, fan_in) in cases {
        let (_, made) = formula_head(&tiny(kind), DType::F32);
        for part in ["weight", "bias"] {
            let Init::Uniform { lo, up } = made[&format!("{layer}.{part}")].init else {
                panic!("{layer}.{part} is not uniform");
            };
            let bound = 1.0 / f64::from(fan_in).sqrt();
            assert!((up - bound).abs() < 1e-12 && lo == -up, "{layer}.{part}: {lo} {up}");
        }
    }
}

#[test]
fn wrong_features_are_refused() {
    for kind in HeadKind::ALL {
        let (head, _) = formula_head(&tiny(kind), DType::F32);
        let wrong: [&[usize]; 5] = [&[3, 2, 2], &[1, 4, 2, 2], &[1, 3, 0, 2], &[0, 3, 2, 2], &[]];
        for shape in wrong {
            let x = Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
            match head.forward_t(&x, false) {
                Err(Error::Features { embed_dim: 3, got }) => assert_eq!(got, shape),
                other => panic!("{kind} {shape:?}: {other:?}"),
            }
        }
        let x = Tensor::zeros((1, 3, 2, 2), DType::F64, &Device::Cpu).unwrap();
        assert!(head.forward_t(&x, false).is_err(), "{kind}: f64 features, f32 weights");
    }
}

#[test]
fn wrong_configs_are_refused() {
    let base = HeadConfig::published(HeadKind::Unet);
    let cases = [
        (HeadConfig { bands: 0, ..base.clone() }, "`bands` should be at least 1, got 0"),
        (HeadConfig { embed_dim: 0, ..base.clone() }, "`embed_dim` should be at least 1, got 0"),
        (HeadConfig { patch_size: 0, ..base.clone() }, "`patch_size` should be at least 1, got 0"),
        (HeadConfig { width: Some(0), ..base.clone() }, "`width` should be at least 1, got 0"),
        (
            HeadConfig { patch_size: 8, ..base.clone() },
            "the `unet` head needs a patch size of 4, got 8; `fc` serves any patch size",
        ),
        (
            HeadConfig { kind: HeadKind::Residual, width: Some(64), ..base.clone() },
            "the `residual` head has no hidden width, got `width` = 64",
        ),
        (
            HeadConfig { bands: usize::MAX, ..base.clone() },
            "the `unet` head of this size has too many parameters",
        ),
        (
            HeadConfig { kind: HeadKind::Fc, patch_size: 1 << 33, ..base },
            "the `fc` head of this size has too many parameters",
        ),
    ];
    for (config, want) in cases {
        let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
        let error = build(&config, vb).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), want);
        assert_eq!(config.validate().unwrap_err().to_string(), want);
    }
}

#[test]
fn a_missing_tensor_is_named() {
    let (_, mut made) = formula_head(&tiny(HeadKind::Unet), DType::F32);
    made.remove("up2.bias");
    let tensors = made.into_iter().map(|(name, made)| (name, made.var.as_detached_tensor()));
    let vb = VarBuilder::from_tensors(tensors.collect(), DType::F32, &Device::Cpu);
    let error = build(&tiny(HeadKind::Unet), vb).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("up2.bias"), "{error}");
}

#[test]
fn names_and_configs_are_read_and_written() {
    for kind in HeadKind::ALL {
        assert_eq!(kind.to_string().parse::<HeadKind>().unwrap(), kind);
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        let config = HeadConfig { width: kind.default_width(), ..HeadConfig::published(kind) };
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<HeadConfig>(&text).unwrap(), config);
    }
    let short = r#"{ "kind": "unet", "embed_dim": 384, "bands": 202, "patch_size": 4 }"#;
    let config: HeadConfig = serde_json::from_str(short).unwrap();
    assert_eq!(config, HeadConfig::published(HeadKind::Unet));
    let error = "UNet".parse::<HeadKind>().unwrap_err().to_string();
    assert_eq!(error, "unknown head `UNet`, expected one of `fc`, `conv`, `residual`, `unet`");
}
