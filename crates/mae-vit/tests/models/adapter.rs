//! The spectral adapter.

use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use grad_ops::Dense;
use mae_vit::{Encoder, Error, FrontEnd, SpectralAdapter, VitConfig};

use crate::common::{
    Tensors, assert_close, finite_difference, fixed, formula, golden, numbers, settle, tiny,
};

/// The adapter of `golden.py`.
fn adapter(bands: usize) -> SpectralAdapter {
    let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
    let zeros = SpectralAdapter::new(bands, &vb).unwrap();
    let mut all = zeros.parameters();
    assert_eq!(all.iter().map(|p| p.elements).sum::<usize>(), 56_192);
    all.extend(zeros.buffers());
    all.sort_by(|a, b| a.name.cmp(&b.name));
    let fill = |(i, p): (usize, &grad_ops::Parameter)| {
        let mut values = formula(&p.name, p.tensor.dims(), i);
        if p.name.ends_with("running_var") {
            values = (values.abs().unwrap() + 0.5).unwrap();
        }
        (p.name.clone(), values)
    };
    let weights: Tensors = all.iter().enumerate().map(fill).collect();
    SpectralAdapter::new(bands, &fixed(weights)).unwrap()
}

#[test]
fn equals_torch() {
    let golden = golden("adapter.safetensors");
    for bands in [100, 202] {
        let channels = adapter(bands).forward(&golden[&format!("images.{bands}")]).unwrap();
        assert_close(&channels, &golden[&format!("channels.{bands}")], 1e-5);
    }
}

#[test]
fn gradients_equal_finite_differences_and_statistics_have_none() {
    let map = VarMap::new();
    let vb = VarBuilder::from_varmap(&map, DType::F64, &Device::Cpu);
    // Statistics that a store holds as variables stay fixed all the same.
    for (name, size) in [("1.running_mean", 32), ("7.running_var", 128)] {
        let values = (numbers(&[size], 1.0, DType::F64) * 0.1).unwrap();
        let var = candle_core::Var::from_tensor(&(values + 0.5).unwrap()).unwrap();
        map.data().lock().unwrap().insert(name.to_owned(), var);
    }
    let adapter = SpectralAdapter::new(93, &vb).unwrap();
    settle(&map);
    let images = numbers(&[2, 93, 1, 3], 2.0, DType::F64);
    let target = numbers(&[2, 128, 1, 3], 3.0, DType::F64);
    let loss = || {
        let channels = adapter.forward(&images).unwrap();
        (channels - &target).unwrap().sqr().unwrap().sum_all().unwrap()
    };
    let grads = loss().backward().unwrap();
    assert!(adapter.buffers().iter().all(|p| !p.is_trainable()));
    assert!(adapter.parameters().iter().all(grad_ops::Parameter::is_trainable));
    let vars = map.data().lock().unwrap();
    assert_eq!(vars.len(), 12 + 2);
    assert!(vars.iter().all(|(n, var)| grads.get(var).is_some() != n.contains("running")));
    for name in ["0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "6.weight", "7.bias"] {
        finite_difference(&vars[name], &loss, 1e-6);
    }
}

#[test]
fn an_encoder_takes_it_as_front_end() {
    let config = VitConfig { in_channels: 90, front_end: FrontEnd::SpectralAdapter, ..tiny() };
    let map = VarMap::new();
    let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
    let encoder = Encoder::new(&config, &Dense, vb.pp("encoder")).unwrap();
    let shapes = encoder.parameters();
    let kernel = shapes.iter().find(|p| p.name == "encoder.patch_embed.proj.weight").unwrap();
    assert_eq!(kernel.tensor.dims(), [24, 128, 4, 4]);
    assert_eq!(encoder.buffers().len(), 6);
    assert!(encoder.buffers().iter().all(|p| config.is_fixed(&p.name)));
    assert_eq!(encoder.buffers()[0].name, "encoder.spectral_adapter.1.running_mean");
    let images = numbers(&[1, 90, 16, 16], 1.0, DType::F32);
    let grads = encoder.forward_t(&images, true).unwrap().tokens.sqr().unwrap().backward().unwrap();
    for parameter in shapes.iter().filter(|p| p.name.contains("spectral_adapter")) {
        assert!(grads.get(&parameter.tensor).is_some(), "{}", parameter.name);
    }
    let few = Tensor::zeros((1, 89, 16, 16), DType::F32, &Device::Cpu).unwrap();
    let error = encoder.forward_t(&few, true).map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::BandCount { expected: 90, got: 89 }));
}

#[test]
fn too_few_bands_are_an_error() {
    let smallest = (1..300).find(|&bands| SpectralAdapter::check_bands(bands).is_ok()).unwrap();
    let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
    let images = Tensor::zeros((1, smallest, 1, 1), DType::F32, &Device::Cpu).unwrap();
    let channels = SpectralAdapter::new(smallest, &vb).unwrap().forward(&images).unwrap();
    assert_eq!(channels.dims(), [1, 128, 1, 1]);
    assert!(matches!(
        SpectralAdapter::new(smallest - 1, &vb).map(|_| ()),
        Err(Error::Config { field: "in_channels", .. })
    ));
    let wrong =
        adapter(100).forward(&Tensor::zeros((100, 2, 2), DType::F32, &Device::Cpu).unwrap());
    assert!(matches!(wrong, Err(Error::Shape { .. })));
}
