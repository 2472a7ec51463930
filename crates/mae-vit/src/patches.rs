//! Images as patches, in the two pixel orders that are in use, and the patch embedding.

use candle_core::Tensor;
use candle_nn::init::{FanInOut, NonLinearity, NormalOrUniform};
use candle_nn::{Init, VarBuilder, init};
use grad_ops::Parameter;

use crate::{Error, Result, VitConfig};

/// Cuts images into patches with the pixel order row, column, band: the band runs fastest.
///
/// This is the order of the prediction of a [`MaskedAutoencoder`](crate::MaskedAutoencoder).
///
/// # Shapes
/// - `images`: `(batch, band, row, col)`
/// - output: `(batch, patches, patch_size * patch_size * band)`
///
/// # Errors
/// [`Error::Shape`] and [`Error::NotDivisible`] when the images cannot be cut.
pub fn patchify(images: &Tensor, patch_size: usize) -> Result<Tensor> {
    let (batch, bands, (rows, cols)) = grid_of(images, patch_size)?;
    let p = patch_size;
    let cut = images.reshape(&[batch, bands, rows, p, cols, p])?;
    let ordered = cut.permute([0, 2, 4, 3, 5, 1].as_slice())?;
    Ok(ordered.reshape((batch, rows * cols, p * p * bands))?)
}

/// Puts patches back together: the inverse of [`patchify`].
///
/// # Shapes
/// - `patches`: `(batch, grid.0 * grid.1, patch_size * patch_size * band)`
/// - output: `(batch, band, grid.0 * patch_size, grid.1 * patch_size)`
///
/// # Errors
/// [`Error::Shape`] when the sizes do not fit.
pub fn unpatchify(patches: &Tensor, patch_size: usize, grid: (usize, usize)) -> Result<Tensor> {
    let p = patch_size;
    let (rows, cols) = grid;
    let wrong = || Error::Shape {
        what: "patches",
        expected: format!("(batch, {rows} * {cols}, {p} * {p} * band)"),
        got: patches.dims().to_vec(),
    };
    let (batch, count, size) = patches.dims3().map_err(|_| wrong())?;
    if p == 0 || count != rows * cols || count == 0 || !size.is_multiple_of(p * p) {
        return Err(wrong());
    }
    let bands = size / (p * p);
    let cut = patches.reshape(&[batch, rows, cols, p, p, bands])?;
    let ordered = cut.permute([0, 5, 1, 3, 2, 4].as_slice())?;
    Ok(ordered.reshape((batch, bands, rows * p, cols * p))?)
}

/// Batch, bands, and rows and columns of patches of images.
fn grid_of(images: &Tensor, patch: usize) -> Result<(usize, usize, (usize, usize))> {
    let (batch, bands, rows, cols) = images.dims4().map_err(|_| Error::Shape {
        what: "images",
        expected: "(batch, band, row, col)".to_owned(),
        got: images.dims().to_vec(),
    })?;
    let whole = |size: usize| patch > 0 && size > 0 && size.is_multiple_of(patch);
    if !(whole(rows) && whole(cols)) {
        return Err(Error::NotDivisible { rows, cols, patch });
    }
    Ok((batch, bands, (rows / patch, cols / patch)))
}

/// The patch embedding: a convolution whose kernel and stride are the patch, as one matmul.
#[derive(Debug, Clone)]
pub(crate) struct PatchEmbed {
    weight: Tensor,
    bias: Tensor,
    patch_size: usize,
    image_size: usize,
}

impl PatchEmbed {
    pub(crate) fn new(config: &VitConfig, vb: &VarBuilder<'_>) -> Result<Self> {
        let (p, channels) = (config.patch_size, config.patch_channels());
        let kaiming = Init::Kaiming {
            dist: NormalOrUniform::Normal,
            fan: FanInOut::FanOut,
            non_linearity: NonLinearity::ReLU,
        };
        let vb = vb.pp("proj");
        Ok(Self {
            weight: vb.get_with_hints((config.dim, channels, p, p), "weight", kaiming)?,
            bias: vb.get_with_hints(config.dim, "bias", init::ZERO)?,
            patch_size: p,
            image_size: config.image_size,
        })
    }

    /// Checks the size of images (before any front end) against the configuration.
    pub(crate) fn check(&self, images: &Tensor, bands: usize) -> Result<()> {
        let (_, got, _) = grid_of(images, self.patch_size)?;
        if got != bands {
            return Err(Error::BandCount { expected: bands, got });
        }
        let (rows, cols) = (images.dim(2)?, images.dim(3)?);
        if (rows, cols) != (self.image_size, self.image_size) {
            return Err(Error::ImageSize { expected: self.image_size, rows, cols });
        }
        Ok(())
    }

    /// `(batch, channel, row, col)` to `(batch, patches, channel * patch_size * patch_size)`.
    pub(crate) fn unfold(&self, images: &Tensor) -> Result<Tensor> {
        let (batch, channels, (rows, cols)) = grid_of(images, self.patch_size)?;
        let p = self.patch_size;
        let cut = images.reshape(&[batch, channels, rows, p, cols, p])?;
        let ordered = cut.permute([0, 2, 4, 1, 3, 5].as_slice())?;
        Ok(ordered.reshape((batch, rows * cols, channels * p * p))?)
    }

    /// Unfolded patches to `(.., dim)`.
    pub(crate) fn project(&self, patches: &Tensor) -> Result<Tensor> {
        let weight = self.weight.flatten_from(1)?;
        Ok(grad_ops::linear(patches, &weight, Some(&self.bias))?)
    }

    pub(crate) fn parameters(&self) -> Vec<Parameter> {
        vec![
            Parameter::dense("proj.weight", &self.weight),
            Parameter::dense("proj.bias", &self.bias),
        ]
    }
}
