//! Upsampling and a U-Net of two levels.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use grad_ops::{Parameter, max_pool2x2};

use crate::head::upsample;
use crate::layers::{Conv3x3, Up2x2};
use crate::{Head, HeadConfig, HeadKind, Result};

/// The UNet head: bilinear x4, then a U-Net whose skip connections are taken before the first
/// level and after its pooling.
///
/// ```text
/// up4 -> initial_conv.0: D -> W, relu                = x0     (W = 256)
///        down1.0: W -> W, relu, pool                 = x1
///        down2.0: W -> 2W, relu, pool
///        bottom.0, bottom.2: 2W -> 2W, relu each
///        up2: 2W -> 2W, [., x1] -> conv_up2.0: 3W -> W, relu
///        up1: W -> W,   [., x0] -> conv_up1.0: 2W -> W, relu
///        final: W -> C
/// ```
#[derive(Debug, Clone)]
pub struct UnetHead {
    initial: Conv3x3,
    down1: Conv3x3,
    down2: Conv3x3,
    bottom: [Conv3x3; 2],
    up2: Up2x2,
    conv_up2: Conv3x3,
    up1: Up2x2,
    conv_up1: Conv3x3,
    output: Conv3x3,
    embed_dim: usize,
}

impl UnetHead {
    /// Takes `initial_conv.0`, `down1.0`, `down2.0`, `bottom.{0,2}`, `up2`, `conv_up2.0`, `up1`,
    /// `conv_up1.0` and `final`, weight and bias each, from `vb`; `config.kind` is not looked at.
    ///
    /// # Errors
    /// When the config is not valid, or a tensor is missing or has another shape.
    pub fn new(config: &HeadConfig, vb: VarBuilder<'_>) -> Result<Self> {
        let config = HeadConfig { kind: HeadKind::Unet, ..config.clone() };
        config.validate()?;
        let (d, w, c) = (config.embed_dim, config.hidden(), config.bands);
        Ok(Self {
            initial: Conv3x3::load(d, w, "initial_conv.0", &vb)?,
            down1: Conv3x3::load(w, w, "down1.0", &vb)?,
            down2: Conv3x3::load(w, 2 * w, "down2.0", &vb)?,
            bottom: [
                Conv3x3::load(2 * w, 2 * w, "bottom.0", &vb)?,
                Conv3x3::load(2 * w, 2 * w, "bottom.2", &vb)?,
            ],
            up2: Up2x2::load(2 * w, 2 * w, "up2", &vb)?,
            conv_up2: Conv3x3::load(3 * w, w, "conv_up2.0", &vb)?,
            up1: Up2x2::load(w, w, "up1", &vb)?,
            conv_up1: Conv3x3::load(2 * w, w, "conv_up1.0", &vb)?,
            output: Conv3x3::load(w, c, "final", &vb)?,
            embed_dim: d,
        })
    }
}

impl Head for UnetHead {
    fn forward_t(&self, features: &Tensor, _train: bool) -> Result<Tensor> {
        let x0 = self.initial.forward_relu(&upsample(features, self.embed_dim)?)?;
        let x1 = max_pool2x2(&self.down1.forward_relu(&x0)?)?;
        let x2 = max_pool2x2(&self.down2.forward_relu(&x1)?)?;
        let x2 = self.bottom[1].forward_relu(&self.bottom[0].forward_relu(&x2)?)?;
        let x1 = self.conv_up2.forward_relu(&concat(self.up2.forward(&x2)?, x1)?)?;
        let x0 = self.conv_up1.forward_relu(&concat(self.up1.forward(&x1)?, x0)?)?;
        self.output.forward(&x0)
    }

    fn parameters(&self) -> Vec<Parameter> {
        let [bottom0, bottom2] = &self.bottom;
        [
            self.initial.parameters(),
            self.down1.parameters(),
            self.down2.parameters(),
            bottom0.parameters(),
            bottom2.parameters(),
            self.up2.parameters(),
            self.conv_up2.parameters(),
            self.up1.parameters(),
            self.conv_up1.parameters(),
            self.output.parameters(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Channels of `up`, then those of `skip`; both are freed here unless a gradient needs them.
fn concat(up: Tensor, skip: Tensor) -> Result<Tensor> {
    Ok(Tensor::cat(&[up, skip], 1)?)
}
