//! A head of one's own: per pixel of the patch a linear layer, then one smoothing convolution.
//!
//! It serves any patch size, trains like the published heads and goes wherever a
//! [`Head`] is asked for. Run it with `cargo run -p denoise-heads --example custom_head`.

use candle_core::{DType, Device, Tensor};
use candle_nn::{AdamW, Optimizer, VarBuilder, VarMap, loss};
use denoise_heads::{FcHead, Head, HeadConfig, HeadKind, Result};
use grad_ops::{Parameter, conv3x3};

/// The FC head, and a residual 3 x 3 convolution that hides the borders of its patches.
#[derive(Debug)]
struct SmoothedFc {
    fc: FcHead,
    weight: Tensor,
    bias: Tensor,
}

impl SmoothedFc {
    fn new(config: &HeadConfig, vb: VarBuilder<'_>) -> Result<Self> {
        let c = config.bands;
        let fc = FcHead::new(config, vb.clone())?;
        let weight = vb.get((c, c, 3, 3), "smooth.weight")?;
        let bias = vb.get(c, "smooth.bias")?;
        Ok(Self { fc, weight, bias })
    }
}

impl Head for SmoothedFc {
    fn forward_t(&self, features: &Tensor, train: bool) -> Result<Tensor> {
        let image = self.fc.forward_t(features, train)?;
        let smooth = conv3x3(&image, &self.weight, Some(&self.bias), false)?;
        Ok((image + smooth)?)
    }

    fn parameters(&self) -> Vec<Parameter> {
        let mut all = self.fc.parameters();
        all.push(Parameter::dense("smooth.weight", &self.weight));
        all.push(Parameter::dense("smooth.bias", &self.bias));
        all
    }
}

fn main() -> Result<()> {
    let (embed_dim, bands, patch_size) = (16, 6, 8);
    let config = HeadConfig { kind: HeadKind::Fc, embed_dim, bands, patch_size, width: None };
    let variables = VarMap::new();
    let vb = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
    let head: Box<dyn Head> = Box::new(SmoothedFc::new(&config, vb)?);

    let features = Tensor::randn(0f32, 1.0, (2, embed_dim, 3, 4), &Device::Cpu)?;
    let target = Tensor::full(0.5f32, (2, bands, 24, 32), &Device::Cpu)?;
    let mut optimizer = AdamW::new_lr(variables.all_vars(), 1e-2)?;
    for step in 0..=20 {
        let loss = loss::mse(&head.forward_t(&features, true)?, &target)?;
        if step % 5 == 0 {
            eprintln!("step {step:2}: loss {:.4}", loss.to_scalar::<f32>()?);
        }
        optimizer.backward_step(&loss)?;
    }
    Ok(())
}
