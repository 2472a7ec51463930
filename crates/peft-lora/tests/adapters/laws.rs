//! What holds for every adapter: merged and unmerged layers agree, and merging can be undone.

use std::sync::Arc;

use candle_core::{DType, Tensor};
use grad_ops::{Linear, LinearLayer};
use peft_lora::{Form, LayerAdapter, LoraLinear};
use proptest::prelude::*;

use crate::common::{Case, assert_close, normal};

/// `W + scale · B · A` written out element by element, with magnitudes where there are some.
fn by_definition(case: &Case, adapter: &LayerAdapter, weight: &Tensor) -> Tensor {
    let mut rows: Vec<Vec<f64>> = weight.to_vec2().unwrap();
    let r = case.r as f64;
    let scale = 1.7 / if case.use_rslora { r.sqrt() } else { r };
    for (slice, pair) in case.form.adapted().into_iter().zip(adapter.pairs()) {
        let [a, b]: [Vec<Vec<f64>>; 2] = [&pair.a, &pair.b].map(|m| m.to_vec2().unwrap());
        for (row, b) in rows[slice * case.outputs..].iter_mut().zip(&b) {
            for (j, x) in row.iter_mut().enumerate() {
                *x += scale * b.iter().zip(&a).map(|(b, a)| b * a[j]).sum::<f64>();
            }
        }
    }
    if let Some(magnitude) = adapter.magnitude() {
        for (row, m) in rows.iter_mut().zip(magnitude.to_vec1::<f64>().unwrap()) {
            let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            for x in row {
                *x *= m / norm;
            }
        }
    }
    Tensor::new(rows, weight.device()).unwrap()
}

/// All laws for one case; `xs` are `(2, rows, inputs)`.
fn check(case: &Case, rows: usize) {
    let what = format!("{case:?}");
    let xs = normal(&[2, rows, case.inputs], 5);
    let exact = case.adapter(|tensor| tensor);
    let weight = case.base(DType::F64).weight().unwrap();
    let merged = exact.merge(&weight).unwrap();
    assert_close(&merged.weight, &by_definition(case, &exact, &weight), 1e-12, &what);
    assert_close(&exact.unmerge(&merged).unwrap(), &weight, 1e-12, &what);
    for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 1e-5)] {
        let base = case.base(dtype);
        let adapter = case.adapter(|tensor| tensor.to_dtype(dtype).unwrap());
        let layer = LoraLinear::new(base.clone(), adapter.clone()).unwrap();
        let got = layer.forward_t(&xs.to_dtype(dtype).unwrap(), true).unwrap();
        // The definition in f64, whatever the layer computes in.
        let exact_weight = by_definition(case, &exact, &weight);
        let exact_bias = case.base(DType::F64).bias();
        let expected = Linear::new(exact_weight, exact_bias).forward_t(&xs, false).unwrap();
        assert_close(&got, &expected, tolerance, &what);
        let merged = layer.merged_weight().unwrap();
        assert_eq!(merged.weight.dtype(), dtype);
        let plain = Linear::new(merged.weight.clone(), base.bias());
        let plain = plain.forward_t(&xs.to_dtype(dtype).unwrap(), false).unwrap();
        assert_close(&plain, &got, tolerance, &what);
        let back = adapter.unmerge(&merged).unwrap();
        assert_close(&back, &base.weight().unwrap(), tolerance, &what);
    }
}

#[test]
fn merged_and_unmerged_layers_agree_in_every_form() {
    for case in Case::all() {
        check(&case, 3);
    }
}

#[test]
fn large_layers_agree() {
    for form in [Form::Plain, crate::common::split("q-v")] {
        let case = Case {
            form,
            inputs: 70,
            outputs: 90,
            r: 9,
            use_rslora: true,
            use_dora: false,
            bias: true,
        };
        check(&case, 301);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn layers_of_any_size_agree(
        parts in proptest::collection::vec(any::<bool>(), 1..5),
        sizes in (1usize..9, 1usize..9, 1usize..7, 1usize..4),
        switches in any::<[bool; 3]>(),
    ) {
        prop_assume!(parts.contains(&true));
        let (inputs, outputs, r, rows) = sizes;
        let [use_rslora, use_dora, bias] = switches;
        let form = Form::Split { parts };
        check(&Case { form, inputs, outputs, r, use_rslora, use_dora, bias }, rows);
    }
}

#[test]
fn delta_is_not_scaled_twice_and_the_base_not_at_all() {
    // Zero matrices leave the base as it is, whatever the scale.
    for case in Case::all().into_iter().filter(|case| !case.use_dora) {
        let adapter = case.adapter(|tensor| tensor.zeros_like().unwrap());
        let base = case.base(DType::F64);
        let xs = normal(&[4, case.inputs], 6);
        let layer = LoraLinear::new(base.clone(), adapter).unwrap();
        let got = layer.forward_t(&xs, false).unwrap();
        assert_close(&got, &base.forward_t(&xs, false).unwrap(), 1e-15, "zero adapter");
    }
}

#[test]
fn a_row_of_zeros_has_a_direction_of_zeros() {
    let base = Tensor::zeros((2, 3), DType::F64, &candle_core::Device::Cpu).unwrap();
    let case = Case {
        form: Form::Plain,
        inputs: 3,
        outputs: 2,
        r: 1,
        use_rslora: false,
        use_dora: true,
        bias: false,
    };
    let adapter = case.adapter(|tensor| tensor.zeros_like().unwrap());
    let layer = LoraLinear::new(Arc::new(Linear::new(base.clone(), None)), adapter).unwrap();
    let ys = layer.forward_t(&normal(&[1, 3], 1), false).unwrap();
    assert_eq!(ys.to_vec2::<f64>().unwrap(), [[0.0, 0.0]]);
    assert_close(&layer.merged_weight().unwrap().weight, &base, 0.0, "merged");
}

#[test]
fn adapters_of_other_layers_are_refused() {
    let case = &Case::all()[0];
    let adapter = case.adapter(|tensor| tensor);
    let other = Case { inputs: 6, ..case.clone() }.base(DType::F64);
    assert!(adapter.merge(&other.weight().unwrap()).is_err());
    let error = LoraLinear::new(other, adapter).unwrap_err().to_string();
    assert_eq!(error, "`adapter` should be of a layer [4, 6], got [4, 5]");
}
