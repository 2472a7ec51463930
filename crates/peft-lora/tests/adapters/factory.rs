//! What a factory adapts, how new adapters start, and how many numbers they hold.

use candle_core::{DType, Tensor};
use grad_ops::{Dense, LinearFactory, LinearSpec, Parameter};
use peft_lora::{Error, Form, LoraConfig, LoraFactory, Moment, Target};

use crate::common::{Store, assert_close, normal, numbers};

/// Builds the linear layers of the blocks of a vision transformer.
fn build(factory: &dyn LinearFactory, store: &Store, depth: usize, dim: usize) -> usize {
    let mut trained = 0;
    for block in 0..depth {
        let vb = store.builder(DType::F32).pp("encoder.blocks").pp(block);
        for (path, inputs, outputs) in [
            ("attn.qkv", dim, 3 * dim),
            ("attn.proj", dim, dim),
            ("mlp.fc1", dim, 4 * dim),
            ("mlp.fc2", 4 * dim, dim),
        ] {
            let spec = LinearSpec { in_features: inputs, out_features: outputs, bias: true };
            let layer = factory.linear(spec, vb.pp(path)).unwrap();
            assert_eq!((layer.in_features(), layer.out_features()), (inputs, outputs));
            let parameters = layer.parameters().into_iter();
            trained +=
                parameters.filter(Parameter::is_trainable).map(|p| p.elements).sum::<usize>();
        }
    }
    trained
}

fn factory(config: LoraConfig) -> LoraFactory<'static, Dense> {
    LoraFactory::new(&Dense, config, 1, Moment::new()).unwrap()
}

#[test]
fn counts_are_the_published_ones() {
    for (r, expected) in [(4, 147_456), (8, 294_912), (16, 589_824)] {
        let factory = factory(LoraConfig::rank(r));
        assert_eq!(build(&factory, &Store::default(), 12, 384), expected);
        factory.check_targets().unwrap();
        assert_eq!(factory.adapted().len(), 24);
    }
}

#[test]
fn counts_follow_the_slices_that_are_on() {
    let count = |targets: Vec<Target>| {
        let config = LoraConfig { targets, ..LoraConfig::rank(4) };
        build(&factory(config), &Store::default(), 2, 12)
    };
    assert_eq!(count(vec![Target::split("attn.qkv", [true, false, true])]), 2 * 2 * 4 * 24);
    assert_eq!(count(vec![Target::plain("attn.qkv")]), 2 * 4 * (12 + 36));
    assert_eq!(count(vec![Target { r: Some(1), ..Target::plain("mlp.fc1") }]), 2 * (12 + 48));
    assert_eq!(count(LoraConfig::all_linear(4).targets), 2 * 4 * (3 * 24 + 24 + 60 + 60));
    assert_eq!(count(Vec::new()), 0);
}

#[test]
fn names_are_natural_keys_of_a_checkpoint() {
    let store = Store::default();
    let config = LoraConfig {
        targets: vec![Target::split("qkv", [true, false, true]), Target::plain("proj")],
        use_dora: true,
        ..LoraConfig::rank(2)
    };
    build(&factory(config), &store, 1, 4);
    let names: Vec<_> = store.all().into_keys().filter(|name| name.contains(".attn.")).collect();
    let expected = [
        "proj.bias",
        "proj.lora_A.weight",
        "proj.lora_B.weight",
        "proj.lora_magnitude_vector",
        "proj.weight",
        "qkv.bias",
        "qkv.lora_A.0",
        "qkv.lora_A.2",
        "qkv.lora_B.0",
        "qkv.lora_B.2",
        "qkv.lora_magnitude_vector",
        "qkv.weight",
    ];
    assert_eq!(names, expected.map(|name| format!("encoder.blocks.0.attn.{name}")));
}

#[test]
fn targets_without_a_layer_are_named() {
    let mut config = LoraConfig::rank(2);
    config.targets.extend([Target::plain("attn.key"), Target::plain("ttn.proj")]);
    let factory = factory(config);
    build(&factory, &Store::default(), 1, 4);
    let error = factory.check_targets().unwrap_err();
    assert_eq!(error.to_string(), "no layer of the model ends in `attn.key`, `ttn.proj`");
}

#[test]
fn outputs_that_cannot_be_cut_are_named() {
    let targets = vec![Target::split("fc", [true; 3])];
    let factory = factory(LoraConfig { targets, ..LoraConfig::rank(2) });
    let spec = LinearSpec { in_features: 3, out_features: 7, bias: false };
    let error = factory.linear(spec, Store::default().builder(DType::F32).pp("fc")).unwrap_err();
    let expected = "`fc` has 7 outputs, which are not 3 slices of equal size";
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn invalid_settings_are_refused() {
    let config = LoraConfig { dropout: -0.1, ..LoraConfig::rank(2) };
    let error = LoraFactory::new(&Dense, config, 1, Moment::new()).unwrap_err();
    assert!(matches!(error, Error::Setting { field: "dropout", .. }), "{error}");
}

#[test]
fn new_adapters_leave_the_layer_as_it_is() {
    for use_dora in [false, true] {
        let store = Store::default();
        let config = LoraConfig { use_dora, dropout: 0.0, ..LoraConfig::rank(2) };
        let spec = LinearSpec { in_features: 5, out_features: 12, bias: true };
        let vb = store.builder(DType::F32).pp("attn.qkv");
        let layer = factory(config).linear(spec, vb.clone()).unwrap();
        let plain = Dense.linear(spec, vb).unwrap();
        let xs = normal(&[4, 5], 1).to_dtype(DType::F32).unwrap();
        let [got, expected] = [layer, plain].map(|layer| layer.forward_t(&xs, true).unwrap());
        assert_close(&got, &expected, 1e-6, "output");
        let tensors = store.all();
        let a = numbers(&tensors["attn.qkv.lora_A.1"]);
        // Kaiming uniform with a = √5 is uniform in ±1 / √in_features.
        assert!(a.iter().all(|x| x.abs() <= 1.0 / 5f64.sqrt()) && a.iter().any(|&x| x != 0.0));
        assert!(numbers(&tensors["attn.qkv.lora_B.1"]).iter().all(|&x| x == 0.0));
        if use_dora {
            let weight = &tensors["attn.qkv.weight"];
            let norms = weight.sqr().unwrap().sum(1).unwrap().sqrt().unwrap();
            assert_close(&tensors["attn.qkv.lora_magnitude_vector"], &norms, 1e-6, "magnitudes");
        }
    }
}

#[test]
fn stored_magnitudes_are_not_started_again() {
    let stored = normal(&[4], 8).to_dtype(DType::F32).unwrap();
    let tensors = [("fc.lora_magnitude_vector".to_owned(), stored.clone())].into();
    let store = Store::holding(&tensors);
    let targets = vec![Target::plain("fc")];
    let config = LoraConfig { use_dora: true, targets, ..LoraConfig::rank(2) };
    let spec = LinearSpec { in_features: 3, out_features: 4, bias: false };
    factory(config).linear(spec, store.builder(DType::F32).pp("fc")).unwrap();
    assert_close(&store.all()["fc.lora_magnitude_vector"], &stored, 0.0, "magnitudes");
}

#[test]
fn frozen_magnitudes_start_as_the_norms() {
    // A builder without variables: the tensor itself is filled.
    let vb = candle_nn::VarBuilder::zeros(DType::F32, &candle_core::Device::Cpu);
    let targets = vec![Target { r: Some(1), form: Form::Plain, ..Target::plain("fc") }];
    let config = LoraConfig { use_dora: true, targets, ..LoraConfig::rank(2) };
    let spec = LinearSpec { in_features: 3, out_features: 4, bias: false };
    let layer = factory(config).linear(spec, vb.pp("fc")).unwrap();
    let xs = Tensor::ones((2, 3), DType::F32, vb.device()).unwrap();
    assert!(numbers(&layer.forward_t(&xs, false).unwrap()).iter().all(|&y| y == 0.0));
}
