//! A tiny masked autoencoder learns pictures of smooth spectra, and its encoder is kept.
//!
//! ```console
//! $ cargo run --release -p mae-vit --example mae_vit_pretraining
//! ```

#![allow(clippy::print_stdout)]

use candle_core::{DType, Device, Tensor};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, VarBuilder, VarMap};
use grad_ops::Dense;
use mae_vit::{
    LoadMode, MaeConfig, MaskedAutoencoder, PositionEmbedding, VitConfig, load_encoder,
    random_masks,
};

const BANDS: usize = 24;
const SIZE: usize = 16;
const PICTURES: usize = 8;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let encoder = VitConfig {
        image_size: SIZE,
        patch_size: 4,
        in_channels: BANDS,
        dim: 48,
        depth: 2,
        heads: 4,
        mlp_dim: 96,
        position: PositionEmbedding::SinCos,
        ..VitConfig::small_patch4_hsi202()
    };
    let config = MaeConfig {
        decoder_dim: 32,
        decoder_depth: 1,
        decoder_heads: 4,
        ..MaeConfig::new(encoder)
    };
    let weights = VarMap::new();
    let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
    let model = MaskedAutoencoder::new(&config, &Dense, vb)?;
    let settings = ParamsAdamW { lr: 3e-3, ..ParamsAdamW::default() };
    let mut optimizer = AdamW::new(weights.all_vars(), settings)?;

    let images = pictures()?;
    let samples: Vec<u64> = (0..PICTURES as u64).collect();
    for step in 0..=400 {
        // Another epoch, another mask: the step is mixed into the seed.
        let masks = random_masks(&samples, config.encoder.patches(), config.mask_ratio, step)?;
        let output = model.forward(&images, &masks, true)?;
        if step % 100 == 0 {
            println!("step {step:3}: loss {:.3}", output.loss.to_scalar::<f32>()?);
        }
        optimizer.backward_step(&output.loss)?;
    }

    let path = std::env::temp_dir()
        .join(format!("mae_vit_pretraining_{}.safetensors", std::process::id()));
    weights.save(&path)?;
    let loaded = load_encoder(&path, &config.encoder, LoadMode::Strict);
    std::fs::remove_file(&path)?;
    println!("{}", loaded?.1);
    Ok(())
}

/// Waves whose phase moves with the band and from picture to picture,
/// `(picture, band, row, col)`.
fn pictures() -> candle_core::Result<Tensor> {
    let mut values = Vec::with_capacity(PICTURES * BANDS * SIZE * SIZE);
    for picture in 0..PICTURES {
        for band in 0..BANDS {
            for row in 0..SIZE {
                for col in 0..SIZE {
                    let wave = 0.5 * row as f32 + 0.8 * col as f32 + 0.2 * band as f32;
                    values.push(0.5 + 0.4 * (wave + picture as f32).sin());
                }
            }
        }
    }
    Tensor::from_vec(values, (PICTURES, BANDS, SIZE, SIZE), &Device::Cpu)
}
