//! The heads against PyTorch: outputs, gradients, names and numbers of parameters.
//!
//! `data/golden.py` made the numbers.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeSet, HashMap};

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use common::{fill, formula_head, loss, numbers};
use denoise_heads::{HeadConfig, HeadKind, build};

/// Every `STRIDE`-th output and `DX_STRIDE`-th input gradient of a full-size head is stored.
const STRIDE: usize = 331;
const DX_STRIDE: usize = 11;

fn golden() -> HashMap<String, Tensor> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden.safetensors");
    candle_core::safetensors::load(path, &Device::Cpu).unwrap()
}

/// Largest difference to the golden numbers, relative to the largest of them, is at most 1e-5.
fn check(what: &str, got: &[f64], golden: &Tensor) {
    let want = numbers(golden);
    assert_eq!(got.len(), want.len(), "{what}");
    let scale = want.iter().fold(0.0f64, |m, w| m.max(w.abs()));
    let worst = got.iter().zip(&want).fold(0.0f64, |m, (g, w)| m.max((g - w).abs()));
    assert!(worst <= 1e-5 * scale, "{what}: off by {worst:e} at a scale of {scale:e}");
}

fn tiny_cases() -> [(&'static str, HeadConfig); 5] {
    let config = |kind, width, patch_size| HeadConfig {
        embed_dim: 5,
        bands: 3,
        patch_size,
        width,
        ..HeadConfig::published(kind)
    };
    [
        ("fc", config(HeadKind::Fc, None, 4)),
        ("fc_patch3", config(HeadKind::Fc, None, 3)),
        ("conv", config(HeadKind::Conv, Some(4), 4)),
        ("residual", config(HeadKind::Residual, None, 4)),
        ("unet", config(HeadKind::Unet, Some(3), 4)),
    ]
}

#[test]
fn tiny_heads_load_the_published_names_and_agree() {
    let golden = golden();
    for (case, config) in tiny_cases() {
        let prefix = format!("tiny.{case}.w.");
        let vars: HashMap<String, Var> = golden
            .iter()
            .filter_map(|(name, tensor)| {
                let key = name.strip_prefix(&prefix)?;
                Some((key.to_owned(), Var::from_tensor(tensor).unwrap()))
            })
            .collect();
        let tensors = vars.iter().map(|(k, v)| (format!("head.{k}"), v.as_tensor().clone()));
        let vb = VarBuilder::from_tensors(tensors.collect(), DType::F32, &Device::Cpu);
        let head = build(&config, vb.pp("head")).unwrap();

        let named: BTreeSet<String> = head.parameters().into_iter().map(|p| p.name).collect();
        assert_eq!(named, vars.keys().cloned().collect(), "{case}");

        let x = Var::from_tensor(&golden[&format!("tiny.{case}.x")]).unwrap();
        let y = head.forward_t(x.as_tensor(), true).unwrap();
        let want = &golden[&format!("tiny.{case}.y")];
        assert_eq!(y.dims(), want.dims(), "{case}");
        check(case, &numbers(&y), want);

        let grads = loss(&y).backward().unwrap();
        let dx = grads.get(&x).unwrap();
        check(&format!("{case}.dx"), &numbers(dx), &golden[&format!("tiny.{case}.dx")]);
        for (key, var) in &vars {
            let want = &golden[&format!("tiny.{case}.d.{key}")];
            check(&format!("{case}.{key}"), &numbers(grads.get(var).unwrap()), want);
        }
    }
}

#[test]
fn published_heads_agree_at_full_size() {
    let golden = golden();
    for kind in HeadKind::ALL {
        let (head, _) = formula_head(&HeadConfig::published(kind), DType::F32);
        let x = Var::from_tensor(&fill("x", &[1, 384, 2, 3], 1.0, DType::F32).unwrap()).unwrap();
        let y = head.forward_t(x.as_tensor(), false).unwrap();
        assert_eq!(y.dims(), [1, 202, 8, 12]);
        let sample: Vec<f64> = numbers(&y).into_iter().step_by(STRIDE).collect();
        check(kind.name(), &sample, &golden[&format!("full.{kind}.y")]);

        let grads = loss(&y).backward().unwrap();
        let dx = numbers(grads.get(&x).unwrap());
        let sample: Vec<f64> = dx.into_iter().step_by(DX_STRIDE).collect();
        check(&format!("{kind} dx"), &sample, &golden[&format!("full.{kind}.dx")]);
    }
}

#[test]
fn parameters_are_counted_as_published() {
    let published = [1_244_320, 2_701_002, 2_902_942, 12_101_578];
    for (kind, want) in HeadKind::ALL.into_iter().zip(published) {
        let config = HeadConfig::published(kind);
        assert_eq!(config.parameter_count().unwrap(), want, "{kind}");
        let (head, made) = formula_head(&config, DType::F32);
        let parameters = head.parameters();
        assert_eq!(parameters.iter().map(|p| p.elements).sum::<usize>(), want, "{kind}");
        assert!(parameters.iter().all(grad_ops::Parameter::is_trainable));
        assert_eq!(parameters.len(), made.len());
    }
    for (case, config) in tiny_cases() {
        let (head, _) = formula_head(&config, DType::F32);
        let built: usize = head.parameters().iter().map(|p| p.elements).sum();
        assert_eq!(config.parameter_count().unwrap(), built, "{case}");
    }
}
