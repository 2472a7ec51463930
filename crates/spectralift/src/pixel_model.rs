//! Maps of a pixel's multispectral values to its spectrum.

use ndarray::parallel::prelude::*;
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, ArrayViewMut2, Axis, s};

use crate::{AffineMap, Error, Result, SpectralNet};

/// Pixels that are predicted at a time unless asked otherwise: a multiple of the network's blocks.
const PIXELS: usize = 4096;

/// The map of a pixel's multispectral values to its spectrum: an affine map, the mean of networks,
/// or their sum.
#[derive(Clone, Debug, PartialEq)]
pub struct PixelModel {
    affine: Option<AffineMap>,
    nets: Vec<SpectralNet>,
    bands: (usize, usize),
}

impl PixelModel {
    /// An affine map and the mean of networks that is added to it.
    ///
    /// # Errors
    /// [`Error::BandCount`] if they do not have the same bands, [`Error::Setting`] if there is
    /// neither map nor network.
    pub fn new(affine: Option<AffineMap>, nets: Vec<SpectralNet>) -> Result<Self> {
        let of_net = |net: &SpectralNet| (net.layout.inputs, net.layout.outputs);
        let sizes = affine.iter().map(|map| map.weight().dim()).chain(nets.iter().map(of_net));
        let mut bands = None;
        for size in sizes {
            let (expected, got) = (*bands.get_or_insert(size), size);
            if expected.0 != got.0 {
                let (expected, got) = (expected.0, got.0);
                return Err(Error::BandCount { what: "the input of a network", expected, got });
            }
            if expected.1 != got.1 {
                let (expected, got) = (expected.1, got.1);
                return Err(Error::BandCount { what: "the output of a network", expected, got });
            }
        }
        let bands = bands.ok_or_else(|| Error::setting("members", "at least 1", nets.len()))?;
        Ok(Self { affine, nets, bands })
    }

    /// Bands of the multispectral image.
    pub fn msi_bands(&self) -> usize {
        self.bands.0
    }

    /// Bands of the result.
    pub fn hsi_bands(&self) -> usize {
        self.bands.1
    }

    /// The affine map, if there is one.
    pub fn affine(&self) -> Option<&AffineMap> {
        self.affine.as_ref()
    }

    /// The networks.
    pub fn nets(&self) -> &[SpectralNet] {
        &self.nets
    }

    /// Numbers that were fitted.
    pub fn parameters(&self) -> usize {
        self.affine.as_ref().map_or(0, AffineMap::parameters)
            + self.nets.iter().map(SpectralNet::parameters).sum::<usize>()
    }

    /// Multiplications and additions for so many pixels; networks as [`SpectralNet::flops`].
    pub fn flops(&self, pixels: usize) -> u64 {
        let (inputs, outputs) = self.bands;
        let affine = self.affine.as_ref().map_or(0, |_| 2 * (inputs * outputs * pixels) as u64);
        affine + self.nets.iter().map(|net| net.flops(pixels)).sum::<u64>()
    }

    /// The spectra of pixels, not clamped.
    ///
    /// # Shapes
    /// - `xs`: `[pixels, multispectral bands]`
    /// - output: `[pixels, bands]`
    ///
    /// # Errors
    /// [`Error::BandCount`] if the pixels have another number of values.
    pub fn apply(&self, xs: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        let mut sum: Option<Array2<f32>> = None;
        for net in &self.nets {
            let ys = net.apply(xs)?;
            match &mut sum {
                Some(sum) => *sum += &ys,
                None => sum = Some(ys),
            }
        }
        if let Some(sum) = sum.as_mut().filter(|_| self.nets.len() > 1) {
            *sum /= self.nets.len() as f32;
        }
        match (&self.affine, sum) {
            (Some(map), Some(sum)) => Ok(map.apply(xs)? + sum),
            (Some(map), None) => map.apply(xs),
            (None, Some(sum)) => Ok(sum),
            (None, None) => Ok(Array2::zeros((xs.nrows(), self.bands.1))),
        }
    }

    /// The cube of a multispectral image, clamped to [0, 1]. The size of the pieces in which it
    /// is computed, in pixels, does not change the result.
    ///
    /// # Shapes
    /// - `hr_msi`: `[multispectral bands, rows, cols]`
    /// - output: `[bands, rows, cols]`
    ///
    /// # Errors
    /// [`Error::BandCount`] if the image has another number of bands, [`Error::Setting`] for
    /// pieces without pixels.
    pub fn predict(
        &self,
        hr_msi: ArrayView3<'_, f32>,
        batch: Option<usize>,
    ) -> Result<Array3<f32>> {
        in_pieces(hr_msi, self.bands.1, batch, |_, xs| self.apply(xs))
    }
}

/// Computes a cube piece by piece: `spectra(first pixel, values [pixels, bands])` gives
/// `[pixels, out_bands]`, which are clamped to [0, 1].
pub(crate) fn in_pieces(
    image: ArrayView3<'_, f32>,
    out_bands: usize,
    batch: Option<usize>,
    mut spectra: impl FnMut(usize, ArrayView2<'_, f32>) -> Result<Array2<f32>>,
) -> Result<Array3<f32>> {
    let batch = batch.unwrap_or(PIXELS);
    if batch == 0 {
        return Err(Error::setting("inference_batch_size", "at least 1", batch));
    }
    let (bands, rows, cols) = image.dim();
    let pixels = rows * cols;
    let image = image.as_standard_layout();
    let mut out = Array2::<f32>::zeros((out_bands, pixels));
    if let Ok(flat) = image.view().into_shape_with_order((bands, pixels)) {
        for start in (0..pixels).step_by(batch) {
            let end = pixels.min(start.saturating_add(batch));
            let xs = flat.slice(s![.., start..end]).t().as_standard_layout().into_owned();
            let ys = spectra(start, xs.view())?;
            transpose_clamped(out.slice_mut(s![.., start..end]), ys.view());
        }
    }
    let shape = (out_bands, rows, cols);
    out.into_shape_with_order(shape).map_err(|_| Error::Shape {
        what: "the result",
        expected: format!("{shape:?}"),
        got: vec![out_bands, pixels],
    })
}

fn transpose_clamped(mut to: ArrayViewMut2<'_, f32>, from: ArrayView2<'_, f32>) {
    let bands = to.axis_iter_mut(Axis(0)).into_par_iter().zip(from.axis_iter(Axis(1)));
    bands.with_min_len(8).for_each(|(mut to, from)| {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = from.clamp(0.0, 1.0));
    });
}
