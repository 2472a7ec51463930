//! Which parameters a method trains, and that all of them really are.

use candle_core::{DType, Device, Tensor};
use denoise_heads::{HeadConfig, HeadKind};
use hsi_train::{DenoisingModel, Method, ModelConfig, Result};
use mae_vit::{FrontEnd, VitConfig};
use peft_lora::LoraConfig;

use crate::common::{BANDS, SIDE, config};

fn noise_image(seed: u64) -> Tensor {
    let values: Vec<f32> = (0..2 * BANDS * SIDE * SIDE)
        .map(|i| ((i as f32 + 1.0) * 0.37 + seed as f32).sin() * 0.5 + 0.5)
        .collect();
    Tensor::from_vec(values, (2, BANDS, SIDE, SIDE), &Device::Cpu).expect("an image")
}

#[test]
fn trained_parameters_get_a_gradient_and_no_other() -> Result<()> {
    for method in Method::ALL {
        for kind in HeadKind::ALL {
            let config = config(method, kind);
            let params = config.params(3, DType::F32, &Device::Cpu);
            let model = DenoisingModel::new(&config, &params)?;
            // `B` starts at zero, where no gradient passes on to `A`.
            for (name, var) in params.trained() {
                if name.contains("lora_B") {
                    var.set(&Tensor::full(0.1f32, var.shape(), &Device::Cpu)?)?;
                }
            }
            let estimate = model.forward_t(&noise_image(1), true)?;
            let loss = grad_ops::mse_loss(&estimate, &noise_image(2))?;
            let grads = loss.backward()?;
            let trained = params.trained();
            for (name, tensor) in params.tensors() {
                let is_trained = trained.iter().any(|(other, _)| *other == name);
                let expected = match method {
                    Method::Full => true,
                    _ => name.starts_with("head.") || name.contains(".lora_"),
                };
                assert_eq!(is_trained, expected, "{method} {kind} `{name}`");
                let Some(gradient) = grads.get(&tensor).filter(|_| is_trained) else {
                    assert!(!is_trained, "{method} {kind}: no gradient for `{name}`");
                    assert!(grads.get(&tensor).is_none(), "{method} {kind}: `{name}` is frozen");
                    continue;
                };
                let sum = gradient.abs()?.sum_all()?.to_scalar::<f32>()?;
                assert!(sum.is_finite() && sum > 0.0, "{method} {kind} `{name}`: {sum}");
            }
        }
    }
    Ok(())
}

#[test]
fn parameter_counts_are_the_published_ones() -> Result<()> {
    let encoder = VitConfig::small_patch4_hsi202();
    let cases = [
        (HeadKind::Fc, 1_244_320),
        (HeadKind::Conv, 2_701_002),
        (HeadKind::Residual, 2_902_942),
        (HeadKind::Unet, 12_101_578),
    ];
    for (kind, expected) in cases {
        assert_eq!(HeadConfig::published(kind).parameter_count()?, expected, "{kind}");
    }
    let head = HeadConfig::published(HeadKind::Unet);
    let adapted = [(4, 147_456), (8, 294_912), (16, 589_824)];
    let mut cases = vec![(Method::Full, 8, 0), (Method::Frozen, 8, 0)];
    cases.extend(adapted.map(|(r, adapters)| (Method::Lora, r, adapters)));
    cases.extend(adapted.map(|(r, adapters)| (Method::Qlora, r, adapters)));
    for (method, r, adapters) in cases {
        let mut config = ModelConfig::new(encoder.clone(), head.clone(), method);
        if let Some(lora) = &mut config.lora {
            *lora = LoraConfig::rank(r);
        }
        let params = config.params(0, DType::F32, &Device::Cpu);
        DenoisingModel::new(&config, &params)?;
        let count = params.count();
        let trainable = match method {
            Method::Full => 35_031_370,
            _ => 12_101_578 + adapters,
        };
        let total = 35_031_370 + adapters;
        assert_eq!((count.total, count.trainable), (total, trainable), "{method} {r}");
        if method == Method::Qlora {
            // Codes of query, key, value and projection take half an element each.
            assert_eq!(count.stored_elements, total - 12 * 4 * 384 * 384 / 2, "{method} {r}");
            assert!(count.stored_bytes < 4 * count.stored_elements);
        } else {
            assert_eq!((count.stored_elements, count.stored_bytes), (total, 4 * total));
        }
    }
    Ok(())
}

#[test]
fn running_statistics_are_never_trained() -> Result<()> {
    let mut config = config(Method::Full, HeadKind::Fc);
    config.encoder.in_channels = 101;
    config.head.bands = 101;
    config.encoder.front_end = FrontEnd::SpectralAdapter;
    let params = config.params(0, DType::F32, &Device::Cpu);
    DenoisingModel::new(&config, &params)?;
    let trained = params.trained();
    assert!(trained.iter().any(|(name, _)| name.contains("spectral_adapter.0.weight")));
    assert!(trained.iter().all(|(name, _)| !name.contains("running")));
    Ok(())
}
