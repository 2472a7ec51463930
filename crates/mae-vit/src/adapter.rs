//! The spectral adapter: convolutions along the bands that end in a fixed number of channels.

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder, init};
use grad_ops::Parameter;

use crate::{Error, Result};

/// What torch's `BatchNorm3d` adds to the variance.
const BATCH_NORM_EPS: f64 = 1e-5;

/// Kernel, stride and padding along the bands, and the channels that come out.
const LAYERS: [Layer; 3] = [
    Layer { name: "0", norm: "1", inputs: 1, outputs: 32, kernel: 7, stride: 5 },
    Layer { name: "3", norm: "4", inputs: 32, outputs: 64, kernel: 7, stride: 5 },
    Layer { name: "6", norm: "7", inputs: 64, outputs: 128, kernel: 5, stride: 3 },
];

/// Zeros that are put before the first and after the last band.
const PADDING: usize = 1;

/// The sizes of one convolution, and the names it and its norm have in the published weights.
#[derive(Debug, Clone, Copy)]
struct Layer {
    name: &'static str,
    norm: &'static str,
    inputs: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
}

impl Layer {
    /// Bands that come out for a number of bands; `None` when the kernel does not fit.
    fn bands(self, bands: usize) -> Option<usize> {
        let free = (bands + 2 * PADDING).checked_sub(self.kernel)?;
        Some(free / self.stride + 1)
    }
}

/// Turns any number of bands into 128 channels, one pixel at a time.
///
/// Three times a convolution along the bands (kernels 7, 7, 5; strides 5, 5, 3; padding 1),
/// batch norm and relu, then the mean over the bands that remain. 56,192 parameters. It is the
/// front end of the published SpectralEarth encoders, whose kernels are stored as `Conv3d`
/// weights `(out, in, k, 1, 1)`.
///
/// The batch norms always use their running statistics, in training too: the published
/// statistics are kept, and a batch of few scenes does not disturb them. Statistics that the
/// `VarBuilder` does not hold are mean 0 and variance 1.
#[derive(Debug, Clone)]
pub struct SpectralAdapter {
    bands: usize,
    layers: Vec<ConvNorm>,
}

impl SpectralAdapter {
    /// Channels that come out.
    pub const CHANNELS: usize = 128;

    /// Checks that a number of bands leaves at least one band after the three convolutions.
    ///
    /// # Errors
    /// [`Error::Config`] with the number of bands.
    pub fn check_bands(bands: usize) -> Result<()> {
        let left = LAYERS.iter().try_fold(bands, |bands, layer| layer.bands(bands));
        if left.is_some() {
            return Ok(());
        }
        let reason = format!("is too small for the spectral adapter: {bands} bands");
        Err(Error::Config { field: "in_channels", reason })
    }

    /// Builds the adapter from the tensors below `vb`.
    ///
    /// # Errors
    /// When there are too few bands, or a tensor is missing or has another shape.
    pub fn new(bands: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        Self::check_bands(bands)?;
        let layers = LAYERS.iter().map(|&layer| ConvNorm::new(layer, vb)).collect::<Result<_>>()?;
        Ok(Self { bands, layers })
    }

    /// Applies the adapter to every pixel.
    ///
    /// # Shapes
    /// - `images`: `(batch, band, row, col)`
    /// - output: `(batch, 128, row, col)`
    ///
    /// # Errors
    /// [`Error::Shape`] and [`Error::BandCount`] when the images are not the configured ones.
    pub fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let (batch, bands, rows, cols) = images.dims4().map_err(|_| Error::Shape {
            what: "images",
            expected: format!("(batch, {}, row, col)", self.bands),
            got: images.dims().to_vec(),
        })?;
        if bands != self.bands {
            return Err(Error::BandCount { expected: self.bands, got: bands });
        }
        let pixels = batch * rows * cols;
        let mut xs = images.permute((0, 2, 3, 1))?.reshape((pixels, bands, 1))?;
        for layer in &self.layers {
            xs = layer.forward(&xs)?;
        }
        let mean = xs.mean(1)?.reshape((batch, rows, cols, Self::CHANNELS))?;
        Ok(mean.permute((0, 3, 1, 2))?.contiguous()?)
    }

    /// All parameters, by their names below the adapter.
    pub fn parameters(&self) -> Vec<Parameter> {
        self.layers.iter().flat_map(ConvNorm::parameters).collect()
    }

    /// The running statistics, by their names below the adapter.
    pub fn buffers(&self) -> Vec<Parameter> {
        self.layers.iter().flat_map(ConvNorm::buffers).collect()
    }

    /// Names and shapes of all tensors below the adapter.
    pub(crate) fn expected() -> Vec<(String, Vec<usize>)> {
        let shapes = |layer: &Layer| {
            let Layer { name, norm, inputs, outputs, kernel, .. } = *layer;
            let of = |field: &str| (format!("{norm}.{field}"), vec![outputs]);
            [
                (format!("{name}.weight"), vec![outputs, inputs, kernel, 1, 1]),
                (format!("{name}.bias"), vec![outputs]),
                of("weight"),
                of("bias"),
                of("running_mean"),
                of("running_var"),
            ]
        };
        LAYERS.iter().flat_map(shapes).collect()
    }
}

/// A convolution along the bands, batch norm with fixed statistics, relu.
#[derive(Debug, Clone)]
struct ConvNorm {
    layer: Layer,
    weight: Tensor,
    bias: Tensor,
    scale: Tensor,
    shift: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
}

impl ConvNorm {
    fn new(layer: Layer, vb: &VarBuilder<'_>) -> Result<Self> {
        let Layer { name, norm, inputs, outputs, kernel, .. } = layer;
        let (conv, norm) = (vb.pp(name), vb.pp(norm));
        let bound = 1.0 / ((inputs * kernel) as f64).sqrt();
        let uniform = Init::Uniform { lo: -bound, up: bound };
        let statistic = |name, start: Init| -> Result<Tensor> {
            if norm.contains_tensor(name) {
                return Ok(norm.get(outputs, name)?.detach());
            }
            Ok(start.var(outputs, norm.dtype(), norm.device())?.as_tensor().detach())
        };
        Ok(Self {
            layer,
            weight: conv.get_with_hints(
                (outputs, inputs, kernel, 1, 1),
                "weight",
                init::DEFAULT_KAIMING_UNIFORM,
            )?,
            bias: conv.get_with_hints(outputs, "bias", uniform)?,
            scale: norm.get_with_hints(outputs, "weight", init::ONE)?,
            shift: norm.get_with_hints(outputs, "bias", init::ZERO)?,
            running_mean: statistic("running_mean", init::ZERO)?,
            running_var: statistic("running_var", init::ONE)?,
        })
    }

    /// `(pixels, bands, inputs)` to `(pixels, fewer bands, outputs)`.
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let Layer { inputs, outputs, kernel, stride, .. } = self.layer;
        let (pixels, bands, _) = xs.dims3()?;
        let left =
            self.layer.bands(bands).ok_or(Error::BandCount { expected: kernel, got: bands })?;
        let windows: Vec<u32> =
            (0..left).flat_map(|i| (0..kernel).map(move |k| (i * stride + k) as u32)).collect();
        let windows = Tensor::from_vec(windows, left * kernel, xs.device())?;
        let padded = xs.pad_with_zeros(1, PADDING, PADDING)?;
        let unfolded =
            padded.index_select(&windows, 1)?.reshape((pixels, left, kernel * inputs))?;
        let (weight, bias) = self.folded()?;
        let flat = weight.reshape((outputs, inputs, kernel))?.transpose(1, 2)?;
        let flat = flat.reshape((outputs, kernel * inputs))?;
        Ok(grad_ops::relu(&grad_ops::linear(&unfolded, &flat, Some(&bias))?)?)
    }

    /// Weight and bias of the convolution with the norm multiplied in.
    fn folded(&self) -> Result<(Tensor, Tensor)> {
        let deviation = (&self.running_var + BATCH_NORM_EPS)?.sqrt()?;
        let factor = (&self.scale / &deviation)?;
        let weight = self.weight.broadcast_mul(&factor.reshape(((), 1, 1, 1, 1))?)?;
        let bias = (((&self.bias - &self.running_mean)? * factor)? + &self.shift)?;
        Ok((weight, bias))
    }

    fn parameters(&self) -> Vec<Parameter> {
        let Layer { name, norm, .. } = self.layer;
        vec![
            Parameter::dense(format!("{name}.weight"), &self.weight),
            Parameter::dense(format!("{name}.bias"), &self.bias),
            Parameter::dense(format!("{norm}.weight"), &self.scale),
            Parameter::dense(format!("{norm}.bias"), &self.shift),
        ]
    }

    fn buffers(&self) -> Vec<Parameter> {
        let norm = self.layer.norm;
        vec![
            Parameter::dense(format!("{norm}.running_mean"), &self.running_mean),
            Parameter::dense(format!("{norm}.running_var"), &self.running_var),
        ]
    }
}
