//! Pretraining.

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{VarBuilder, VarMap};
use grad_ops::Dense;
use mae_vit::{
    Encoder, Error, FrontEnd, MaeConfig, MaskedAutoencoder, Masks, PositionEmbedding, VitConfig,
    patchify, random_masks, unpatchify,
};

use crate::common::{
    assert_close, below, finite_difference, golden, numbers, settle, tiny, variables,
};

/// The model of `mae_tiny` in `golden.py`.
fn config() -> MaeConfig {
    let encoder = VitConfig {
        image_size: 12,
        in_channels: 3,
        dim: 16,
        mlp_dim: 32,
        position: PositionEmbedding::SinCos,
        ..tiny()
    };
    let new = MaeConfig::new(encoder);
    assert_eq!((new.decoder_dim, new.decoder_depth, new.decoder_heads), (512, 8, 16));
    assert!(new.mask_ratio == 0.75 && new.norm_pix_loss);
    MaeConfig { decoder_dim: 12, decoder_depth: 1, decoder_heads: 3, ..new }
}

#[test]
fn equals_torch_forward_and_backward() {
    let golden = golden("mae_tiny.safetensors");
    let map = variables(&below(&golden, "weights."), DType::F32);
    let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
    let orders = vec![vec![4, 0, 7, 1, 2, 3, 5, 6, 8], vec![8, 6, 1, 0, 2, 3, 4, 5, 7]];
    let masks = Masks::new(orders, 3).unwrap();

    let mut config = config();
    config.norm_pix_loss = false;
    let model = MaskedAutoencoder::new(&config, &Dense, vb.clone()).unwrap();
    let raw = model.forward(&golden["images"], &masks, true).unwrap();
    assert_close(&raw.loss, &golden["raw"], 1e-5);

    config.norm_pix_loss = true;
    let model = MaskedAutoencoder::new(&config, &Dense, vb).unwrap();
    let output = model.forward(&golden["images"], &masks, true).unwrap();
    assert_close(&output.loss, &golden["loss"], 1e-5);
    assert_close(&output.prediction, &golden["prediction"], 1e-5);
    assert_eq!(output.mask.get(0).unwrap().to_vec1::<f32>().unwrap()[..5], [0., 1., 1., 1., 0.]);

    let grads = output.loss.backward().unwrap();
    let vars = map.data().lock().unwrap();
    for (name, want) in below(&golden, "grad.") {
        assert_close(grads.get(&vars[&name]).unwrap(), &want, 1e-4);
    }
}

#[test]
fn gradients_equal_finite_differences() {
    let mut config = config();
    config.encoder.position = PositionEmbedding::Learned;
    let map = VarMap::new();
    let vb = VarBuilder::from_varmap(&map, DType::F64, &Device::Cpu);
    let model = MaskedAutoencoder::new(&config, &Dense, vb).unwrap();
    settle(&map);
    let images = numbers(&[2, 3, 12, 12], 3.0, DType::F64);
    let masks = random_masks(&[0, 1], 9, 0.75, 7).unwrap();
    let loss = || model.forward(&images, &masks, true).unwrap().loss;
    let vars = map.data().lock().unwrap();
    let all =
        ["mask_token", "cls_token", "pos_embed", "patch_embed.proj.weight", "decoder_embed.bias"];
    for name in all {
        finite_difference(&vars[name], &loss, 1e-6);
    }
}

#[test]
fn every_variable_learns_and_the_positions_do_not() {
    for front_end in [FrontEnd::Linear, FrontEnd::SpectralAdapter] {
        let mut config = config();
        config.encoder.front_end = front_end;
        config.encoder.in_channels = 90;
        let map = VarMap::new();
        let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
        let model = MaskedAutoencoder::new(&config, &Dense, vb.pp("mae")).unwrap();
        let images = numbers(&[2, 90, 12, 12], 4.0, DType::F32);
        let masks = random_masks(&[0, 1], 9, config.mask_ratio, 1).unwrap();
        let output = model.forward(&images, &masks, true).unwrap();
        assert_eq!(output.prediction.dims(), [2, 9, 4 * 4 * 90]);
        let grads = output.loss.backward().unwrap();
        let parameters = model.parameters();
        assert_eq!(map.all_vars().len(), parameters.len() - 2);
        for parameter in parameters {
            let name = parameter.name.strip_prefix("mae.").unwrap();
            let fixed = ["pos_embed", "decoder_pos_embed"].contains(&name);
            assert_eq!(config.encoder.is_fixed(&parameter.name), fixed, "{name}");
            assert_eq!(parameter.is_trainable(), !fixed, "{name}");
            assert_eq!(grads.get(&parameter.tensor).is_some(), !fixed, "{name}");
            if let Some(grad) = grads.get(&parameter.tensor) {
                let size = grad.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
                assert!(size.is_finite() && size > 0.0, "{name}: {size}");
            }
        }
    }
}

#[test]
fn the_encoder_sees_nothing_of_hidden_patches() {
    let map = VarMap::new();
    let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
    let model = MaskedAutoencoder::new(&config(), &Dense, vb).unwrap();
    let masks = random_masks(&[11], 9, 0.75, 3).unwrap();
    let images = numbers(&[1, 3, 12, 12], 5.0, DType::F32);
    let hidden = masks.mask(&Device::Cpu).unwrap().reshape((1, 9, 1)).unwrap();
    let change = hidden.broadcast_as((1, 9, 48)).unwrap();
    let changed = (&images + unpatchify(&change, 4, (3, 3)).unwrap()).unwrap();
    let predict = |images| model.forward(images, &masks, false).unwrap().prediction;
    assert_close(&predict(&images), &predict(&changed), 0.0);
    let all = model.encoder().forward_t(&images, false).unwrap().tokens;
    let all_changed = model.encoder().forward_t(&changed, false).unwrap().tokens;
    let difference = (all - all_changed).unwrap().sqr().unwrap().sum_all().unwrap();
    assert!(difference.to_scalar::<f32>().unwrap() > 0.0);
}

#[test]
fn masks_belong_to_samples() {
    let batch = random_masks(&[10, 11, 12, 13], 64, 0.9, 42).unwrap();
    assert_eq!((batch.batch(), batch.patches(), batch.kept()), (4, 64, 6));
    let rows = |masks: &Masks| masks.keep(&Device::Cpu).unwrap().to_vec2::<u32>().unwrap();
    for (i, row) in rows(&batch).into_iter().enumerate() {
        let single = random_masks(&[10 + i as u64], 64, 0.9, 42).unwrap();
        assert_eq!(rows(&single)[0], row);
    }
    assert_ne!(rows(&batch)[0], rows(&batch)[1]);
    assert_ne!(rows(&batch), rows(&random_masks(&[10, 11, 12, 13], 64, 0.9, 43).unwrap()));

    let mask = batch.mask(&Device::Cpu).unwrap();
    assert_eq!(mask.sum_all().unwrap().to_scalar::<f32>().unwrap(), 4.0 * 58.0);
    let restore = batch.restore(&Device::Cpu).unwrap().to_vec2::<u32>().unwrap();
    for (keep, restore) in rows(&batch).iter().zip(&restore) {
        assert!(
            keep.iter().enumerate().all(|(place, &patch)| restore[patch as usize] == place as u32)
        );
    }
    // Each patch is hidden about as often as any other.
    let many = random_masks(&(0..4000).collect::<Vec<_>>(), 16, 0.75, 0)
        .unwrap()
        .mask(&Device::Cpu)
        .unwrap();
    let shares = many.mean(0).unwrap().to_vec1::<f32>().unwrap();
    assert!(shares.iter().all(|share| (share - 0.75).abs() < 0.03), "{shares:?}");
}

#[test]
fn wrong_masks_and_settings_are_named() {
    assert!(matches!(
        Masks::new(vec![vec![0, 1, 2], vec![0, 1, 1]], 1),
        Err(Error::MaskOrder { sample: 1, patches: 3 })
    ));
    assert!(matches!(Masks::new(vec![vec![0, 3, 2]], 1), Err(Error::MaskOrder { sample: 0, .. })));
    assert!(matches!(Masks::new(vec![vec![0, 1]], 2), Err(Error::Config { field: "kept", .. })));
    assert!(matches!(Masks::new(Vec::new(), 1), Err(Error::Config { .. })));
    assert_eq!(random_masks(&[0], 4, 0.999, 0).unwrap().kept(), 1);
    assert_eq!(random_masks(&[0], 4, 0.001, 0).unwrap().kept(), 3);
    assert_eq!(random_masks(&[], 4, 0.5, 0).unwrap().batch(), 0);
    for (patches, ratio) in [(1, 0.5), (9, 0.0), (9, 1.0), (9, f64::NAN)] {
        assert!(matches!(
            random_masks(&[0], patches, ratio, 0),
            Err(Error::Config { field: "mask_ratio", .. })
        ));
    }
    let model = |config: &MaeConfig| {
        MaskedAutoencoder::new(config, &Dense, VarBuilder::zeros(DType::F32, &Device::Cpu))
    };
    let images = Tensor::zeros((1, 3, 12, 12), DType::F32, &Device::Cpu).unwrap();
    let masks = random_masks(&[0, 1], 9, 0.75, 0).unwrap();
    let error = model(&config()).unwrap().forward(&images, &masks, true).map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::MaskShape { expected: (1, 9), got: (2, 9) }), "{error}");
    let field = |config: &MaeConfig| match model(config).map(|_| ()) {
        Err(Error::Config { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(field(&MaeConfig { decoder_heads: 5, ..config() }), "decoder_dim");
    assert_eq!(field(&MaeConfig { decoder_depth: 0, ..config() }), "decoder_depth");
    assert_eq!(field(&MaeConfig { mask_ratio: 1.0, ..config() }), "mask_ratio");
}

#[test]
fn patches_have_the_band_last_and_come_back() {
    let images = Tensor::arange(0f32, 2.0 * 3.0 * 4.0 * 6.0, &Device::Cpu).unwrap();
    let images = images.reshape((2, 3, 4, 6)).unwrap();
    let patches = patchify(&images, 2).unwrap();
    assert_eq!(patches.dims(), [2, 6, 12]);
    let second = patches.get(0).unwrap().get(1).unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(second[..6], [2., 26., 50., 3., 27., 51.]);
    assert_eq!(second[6..9], [8., 32., 56.]);
    assert_close(&unpatchify(&patches, 2, (2, 3)).unwrap(), &images, 0.0);
    assert!(matches!(patchify(&images, 5), Err(Error::NotDivisible { .. })));
    assert!(matches!(patchify(&images, 0), Err(Error::NotDivisible { .. })));
    for (patch, grid) in [(0, (2, 3)), (2, (3, 3)), (5, (2, 3)), (2, (0, 0))] {
        assert!(matches!(unpatchify(&patches, patch, grid), Err(Error::Shape { .. })));
    }
}

#[test]
fn constant_patches_have_a_finite_loss() {
    let map = VarMap::new();
    let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
    let model = MaskedAutoencoder::new(&config(), &Dense, vb).unwrap();
    let images = Tensor::full(0.25f32, (1, 3, 12, 12), &Device::Cpu).unwrap();
    let masks = random_masks(&[0], 9, 0.75, 0).unwrap();
    let loss = model.forward(&images, &masks, true).unwrap().loss;
    assert!(loss.to_scalar::<f32>().unwrap().is_finite());
}

#[test]
fn the_pretrained_encoder_is_the_same_model() {
    let map = VarMap::new();
    let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
    let model = MaskedAutoencoder::new(&config(), &Dense, vb.clone()).unwrap();
    let encoder = Encoder::new(&config().encoder, &Dense, vb).unwrap();
    let images = Var::from_tensor(&numbers(&[1, 3, 12, 12], 6.0, DType::F32)).unwrap();
    let tokens = |encoder: &Encoder| encoder.forward_t(&images, false).unwrap().tokens;
    assert_close(&tokens(&encoder), &tokens(model.encoder()), 0.0);
}
