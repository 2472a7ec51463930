//! The trait of a head, and the way from a config to a head.

use std::fmt::Debug;

use candle_core::Tensor;
use candle_nn::VarBuilder;
use grad_ops::Parameter;

use crate::{
    ConvHead, Error, FcHead, HeadConfig, HeadKind, ResidualHead, Result, UnetHead, config,
};

/// A decoder: features of an encoder in, an image out.
///
/// # Examples
///
/// A head of one's own: one linear layer from a token to the mean of its patch in every band,
/// interpolated to pixels.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::VarMap;
/// use denoise_heads::{Head, Result};
/// use grad_ops::{Linear, LinearLayer, LinearSpec, Parameter, upsample_bilinear};
///
/// #[derive(Debug)]
/// struct Smooth {
///     linear: Linear,
///     patch_size: usize,
/// }
///
/// impl Head for Smooth {
///     fn forward_t(&self, features: &Tensor, train: bool) -> Result<Tensor> {
///         let bands_last = self.linear.forward_t(&features.permute((0, 2, 3, 1))?, train)?;
///         let small = bands_last.permute((0, 3, 1, 2))?.contiguous()?;
///         Ok(upsample_bilinear(&small, self.patch_size)?)
///     }
///
///     fn parameters(&self) -> Vec<Parameter> {
///         self.linear.parameters()
///     }
/// }
///
/// let weight = Tensor::full(0.1f32, (5, 8), &Device::Cpu)?;
/// let head = Smooth { linear: Linear::new(weight, None), patch_size: 2 };
/// let features = Tensor::ones((1, 8, 3, 4), DType::F32, &Device::Cpu)?;
/// let head: Box<dyn Head> = Box::new(head);
/// assert_eq!(head.forward_t(&features, false)?.dims(), [1, 5, 6, 8]);
/// # Ok::<(), denoise_heads::Error>(())
/// ```
pub trait Head: Debug + Send + Sync {
    /// Decodes a map of features, without the class token, to an image.
    ///
    /// `train` switches what differs between training and inference; nothing does in the heads of
    /// this crate.
    ///
    /// # Shapes
    /// - `features`: `(batch, embed_dim, rows, cols)`, one feature a patch
    /// - output: `(batch, bands, rows * patch_size, cols * patch_size)`
    ///
    /// # Errors
    /// [`Error::Features`](crate::Error::Features) when the shape is another one, and whatever the
    /// tensor operations report, different dtypes of features and weights for example.
    fn forward_t(&self, features: &Tensor, train: bool) -> Result<Tensor>;

    /// All tensors of the head, named below its path: `initial_conv.0.weight`.
    fn parameters(&self) -> Vec<Parameter>;
}

/// Builds one of the published heads from the tensors below `vb`.
///
/// Where `vb` makes new variables, weights and biases are drawn as PyTorch initialises its layers,
/// uniform between plus and minus `1 / sqrt(fan_in)`.
///
/// # Errors
/// When the config is not valid ([`HeadConfig::validate`]), or a tensor is missing or has another
/// shape.
pub fn build(config: &HeadConfig, vb: VarBuilder<'_>) -> Result<Box<dyn Head>> {
    Ok(match config.kind {
        HeadKind::Fc => Box::new(FcHead::new(config, vb)?),
        HeadKind::Conv => Box::new(ConvHead::new(config, vb)?),
        HeadKind::Residual => Box::new(ResidualHead::new(config, vb)?),
        HeadKind::Unet => Box::new(UnetHead::new(config, vb)?),
    })
}

/// Checks that `features` is `(batch, embed_dim, rows, cols)` with no empty side.
pub(crate) fn check_features(features: &Tensor, embed_dim: usize) -> Result<()> {
    match features.dims() {
        [_, d, _, _] if *d == embed_dim && features.elem_count() > 0 => Ok(()),
        got => Err(Error::Features { embed_dim, got: got.to_vec() }),
    }
}

/// Checks `features` and interpolates them to the pixels of the image.
pub(crate) fn upsample(features: &Tensor, embed_dim: usize) -> Result<Tensor> {
    check_features(features, embed_dim)?;
    Ok(grad_ops::upsample_bilinear(&features.contiguous()?, config::UPSAMPLING)?)
}
