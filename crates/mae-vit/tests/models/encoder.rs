//! The encoder.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use candle_nn::{Init, VarBuilder, VarMap};
use grad_ops::{Dense, LinearFactory, LinearLayer, LinearSpec, Parameter};
use mae_vit::{Encoder, Error, FrontEnd, PositionEmbedding, Preset, VitConfig};

use crate::common::{
    Tensors, assert_close, below, fixed, formula, golden, numbers, tiny, variables,
};

#[test]
fn equals_timm_forward_and_backward() {
    let golden = golden("encoder_tiny.safetensors");
    let map = variables(&below(&golden, "weights."), DType::F32);
    let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
    let encoder = Encoder::new(&tiny(), &Dense, vb).unwrap();
    let features = encoder.forward_t(&golden["images"], true).unwrap();
    assert_close(&features.tokens, &golden["tokens"], 1e-5);

    let count = features.tokens.elem_count();
    let weights: Vec<f32> = (0..count).map(|i| (i as f32).cos()).collect();
    let weights = Tensor::from_vec(weights, features.tokens.dims(), &Device::Cpu).unwrap();
    let grads = (&features.tokens * weights).unwrap().sum_all().unwrap().backward().unwrap();
    let vars = map.data().lock().unwrap();
    let wanted = below(&golden, "grad.");
    assert_eq!(wanted.len(), 5);
    for (name, want) in wanted {
        assert_close(grads.get(&vars[&name]).unwrap(), &want, 1e-4);
    }
}

#[test]
fn full_size_equals_timm() {
    let config = VitConfig::small_patch4_hsi202();
    let shapes = Encoder::new(&config, &Dense, VarBuilder::zeros(DType::F32, &Device::Cpu));
    let mut parameters = shapes.unwrap().parameters();
    assert_eq!(parameters.iter().map(|p| p.elements).sum::<usize>(), 22_929_792);
    parameters.sort_by(|a, b| a.name.cmp(&b.name));
    let fill = |(i, p): (usize, &Parameter)| (p.name.clone(), formula(&p.name, p.tensor.dims(), i));
    let weights: Tensors = parameters.iter().enumerate().map(fill).collect();
    let encoder = Encoder::new(&config, &Dense, fixed(weights)).unwrap();

    let pixels = 202 * 128 * 128;
    let images: Vec<f32> =
        (0..pixels).map(|i| (0.5 + 0.5 * (f64::from(i) * 0.0173).sin()) as f32).collect();
    let images = Tensor::from_vec(images, (1, 202, 128, 128), &Device::Cpu).unwrap();
    let tokens = encoder.forward_t(&images, false).unwrap().tokens;
    let golden = golden("encoder_small.safetensors");
    let rows = Tensor::from_vec((0..9u32).map(|i| i * 128).collect(), 9, &Device::Cpu).unwrap();
    let tokens = tokens.squeeze(0).unwrap();
    assert_close(&tokens.index_select(&rows, 0).unwrap(), &golden["rows"], 1e-4);
    assert_close(&tokens.mean(0).unwrap(), &golden["mean"], 1e-4);
}

#[test]
fn presets_have_the_published_sizes() {
    // Parameters at 224 x 224 pixels, patch 16, 3 bands: timm's models without their heads.
    let counts = [5_524_416, 21_665_664, 85_798_656, 303_301_632];
    for (preset, count) in Preset::ALL.into_iter().zip(counts) {
        assert_eq!(preset.name().parse::<Preset>().unwrap(), preset);
        let config = VitConfig::preset(preset, 224, 16, 3);
        assert_eq!(elements(&config), count, "{preset}");
    }
    assert!(
        matches!("huge".parse::<Preset>(), Err(Error::UnknownPreset { name }) if name == "huge")
    );
}

fn elements(config: &VitConfig) -> usize {
    let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
    let parameters = Encoder::new(config, &Dense, vb).unwrap().parameters();
    parameters.iter().map(|p| p.elements).sum()
}

#[test]
fn configs_survive_json_and_wrong_ones_are_named() {
    let config = VitConfig::small_patch4_hsi202();
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<VitConfig>(&json).unwrap(), config);

    let wrong = |change: &dyn Fn(&mut VitConfig)| {
        let mut config = tiny();
        change(&mut config);
        let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
        match Encoder::new(&config, &Dense, vb).map(|_| ()) {
            Err(Error::Config { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(wrong(&|c| c.patch_size = 0), "patch_size");
    assert_eq!(wrong(&|c| c.image_size = 18), "image_size");
    assert_eq!(wrong(&|c| c.heads = 5), "dim");
    assert_eq!(wrong(&|c| c.depth = 0), "depth");
    assert_eq!(wrong(&|c| c.mlp_dim = usize::MAX), "mlp_dim");
    assert_eq!(wrong(&|c| c.layer_norm_eps = f64::NAN), "layer_norm_eps");
    assert_eq!(wrong(&|c| (c.dim, c.position) = (26, PositionEmbedding::SinCos)), "dim");
    assert_eq!(wrong(&|c| c.front_end = FrontEnd::SpectralAdapter), "in_channels");
}

#[test]
fn features_are_split_into_cls_patches_and_map() {
    let golden = golden("encoder_tiny.safetensors");
    let encoder = Encoder::new(&tiny(), &Dense, fixed(below(&golden, "weights."))).unwrap();
    let features = encoder.forward_t(&golden["images"], false).unwrap();
    assert_eq!(features.grid, (4, 4));
    let token = |i: usize| features.tokens.narrow(1, i, 1).unwrap().squeeze(1).unwrap();
    assert_close(&features.cls().unwrap(), &token(0), 0.0);
    assert_eq!(features.patches().unwrap().dims(), [2, 16, 24]);
    let map = features.map().unwrap();
    assert_eq!(map.dims(), [2, 24, 4, 4]);
    let pixel = map.narrow(2, 1, 1).unwrap().narrow(3, 2, 1).unwrap().flatten_from(1).unwrap();
    assert_close(&pixel, &token(1 + 4 + 2), 0.0);
}

#[test]
fn wrong_images_are_told_apart() {
    let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
    let encoder = Encoder::new(&tiny(), &Dense, vb).unwrap();
    let error = |shape: &[usize]| {
        let images = Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        encoder.forward_t(&images, false).map(|_| ()).unwrap_err()
    };
    assert!(matches!(error(&[5, 16, 16]), Error::Shape { .. }));
    assert!(matches!(error(&[1, 4, 16, 16]), Error::BandCount { expected: 5, got: 4 }));
    assert!(matches!(error(&[1, 5, 16, 18]), Error::NotDivisible { rows: 16, cols: 18, patch: 4 }));
    assert!(matches!(error(&[1, 5, 0, 16]), Error::NotDivisible { .. }));
    let size = error(&[1, 5, 16, 20]);
    assert!(matches!(size, Error::ImageSize { expected: 16, rows: 16, cols: 20 }));
    assert_eq!(size.to_string(), "the model takes images of 16 x 16 pixels, got 16 x 20");
}

#[test]
fn every_variable_learns_and_nothing_frozen_does() {
    let images = numbers(&[2, 5, 16, 16], 1.0, DType::F32);
    for position in [PositionEmbedding::Learned, PositionEmbedding::SinCos] {
        let config = VitConfig { position, ..tiny() };
        let map = VarMap::new();
        let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
        let encoder = Encoder::new(&config, &Dense, vb.pp("encoder")).unwrap();
        let tokens = encoder.forward_t(&images, true).unwrap().tokens;
        let target = numbers(tokens.dims(), 2.0, DType::F32);
        let grads =
            (tokens - target).unwrap().sqr().unwrap().sum_all().unwrap().backward().unwrap();
        let fixed = usize::from(position == PositionEmbedding::SinCos);
        let parameters = encoder.parameters();
        assert_eq!(map.all_vars().len(), parameters.len() - fixed);
        for parameter in parameters {
            assert!(parameter.name.starts_with("encoder."), "{}", parameter.name);
            let frozen = fixed == 1 && parameter.name == "encoder.pos_embed";
            assert_eq!(parameter.is_trainable(), !frozen, "{}", parameter.name);
            assert_eq!(grads.get(&parameter.tensor).is_some(), !frozen, "{}", parameter.name);
            if let Some(grad) = grads.get(&parameter.tensor) {
                let size = grad.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
                assert!(size.is_finite() && size > 0.0, "{}: {size}", parameter.name);
            }
        }
    }
    let golden = golden("encoder_tiny.safetensors");
    let encoder = Encoder::new(&tiny(), &Dense, fixed(below(&golden, "weights."))).unwrap();
    let sum = encoder.forward_t(&images, true).unwrap().tokens.sum_all().unwrap();
    let grads = sum.backward().unwrap();
    assert!(encoder.parameters().iter().all(|p| !p.is_trainable()));
    assert!(encoder.parameters().iter().all(|p| grads.get(&p.tensor).is_none()));
}

/// A plain layer beside a tensor of the factory's own.
#[derive(Debug)]
struct Adapting(std::cell::RefCell<Vec<String>>);

impl LinearFactory for Adapting {
    fn linear(
        &self,
        spec: LinearSpec,
        vb: VarBuilder<'_>,
    ) -> grad_ops::Result<Arc<dyn LinearLayer>> {
        self.0.borrow_mut().push(vb.prefix());
        let shape = (4, spec.in_features);
        vb.pp("lora_A").get_with_hints(shape, "weight", Init::Const(0.5))?;
        Dense.linear(spec, vb)
    }
}

#[test]
fn linear_layers_start_as_those_of_a_transformer() {
    let map = VarMap::new();
    let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
    let factory = Adapting(Vec::new().into());
    Encoder::new(&tiny(), &factory, vb.pp("encoder.vit")).unwrap();
    let prefixes = factory.0.into_inner();
    assert_eq!(prefixes.len(), 8);
    assert_eq!(prefixes[0], "encoder.vit.blocks.0.attn.qkv");
    let vars = map.data().lock().unwrap();
    let values = |name: String| vars[&name].flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for prefix in prefixes {
        assert!(values(format!("{prefix}.bias")).iter().all(|v| *v == 0.0));
        assert!(values(format!("{prefix}.lora_A.weight")).iter().all(|v| *v == 0.5));
        let dims = vars[&format!("{prefix}.weight")].dims().to_vec();
        let bound = (6.0 / (dims[0] + dims[1]) as f32).sqrt();
        let weights = values(format!("{prefix}.weight"));
        let largest = weights.iter().fold(0f32, |m, v| m.max(v.abs()));
        assert!(largest <= bound && largest > 0.9 * bound, "{prefix}: {largest} {bound}");
    }
}
