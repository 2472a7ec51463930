//! Denoising of scenes of any size, tile by tile.

use candle_core::{DType, Device, Tensor};
use hsi_data::{BandRange, Blender, Tile, Tiling};
use ndarray::{Array3, ArrayView3, Axis};

use crate::checkpoint::{self, Checkpoint, Kind, Restored};
use crate::model::DenoisingModel;
use crate::params::ParamCount;
use crate::{Error, Result};

/// A trained model, ready to be used on cubes of any size.
#[derive(Debug)]
pub struct Restorer {
    model: DenoisingModel,
    count: ParamCount,
    dtype: DType,
    device: Device,
    /// Tiles that go through the model at once.
    pub batch: usize,
    /// Pixels by which neighbouring tiles overlap.
    pub overlap: usize,
}

impl Restorer {
    /// Wraps a model; tiles overlap by a quarter of their side.
    pub fn new(model: DenoisingModel, count: ParamCount, dtype: DType, device: &Device) -> Self {
        let overlap = model.config().encoder.image_size / 4;
        Self { model, count, dtype, device: device.clone(), batch: 1, overlap }
    }

    /// Loads a checkpoint: a folder `best` or `last`, the folder of a run, or a model in one file.
    ///
    /// # Errors
    /// When there is no such checkpoint, or its tensors do not fit its configuration.
    pub fn load(path: &std::path::Path, device: &Device) -> Result<(Self, Checkpoint)> {
        Self::load_over(path, None, device)
    }

    /// As [`Restorer::load`], with the pretrained encoder below the adapters at another place than
    /// it was in training.
    ///
    /// # Errors
    /// As [`Restorer::load`], and [`Error::BaseWeights`] when it is another encoder.
    pub fn load_over(
        path: &std::path::Path,
        weights: Option<&std::path::Path>,
        device: &Device,
    ) -> Result<(Self, Checkpoint)> {
        let checkpoint = checkpoint::open(path, Kind::Denoiser, false)?.over(weights);
        let Restored { model, params } = checkpoint.build(device)?;
        Ok((Self::new(model, params.count(), DType::F32, device), checkpoint))
    }

    /// The model.
    pub fn model(&self) -> &DenoisingModel {
        &self.model
    }

    /// Parameters of the model.
    pub fn count(&self) -> ParamCount {
        self.count
    }

    /// Bands that the model takes.
    pub fn bands(&self) -> usize {
        self.model.config().encoder.in_channels
    }

    /// Denoises a cube on the [0, 1] scale.
    ///
    /// # Shapes
    /// - `noisy`, output: `[bands, rows, cols]`
    ///
    /// # Errors
    /// [`Error::Bands`] when the cube has other bands than the model.
    pub fn denoise(&self, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        let range = BandRange::fixed(noisy.dim().0, 0.0, 1.0)?;
        self.denoise_in_range(noisy, &range, &mut |_, _| ())
    }

    /// Denoises a cube of which each band is brought to the [0, 1] scale by its range and back.
    ///
    /// Besides input and output only a batch of tiles is held. `progress` is told the tiles done
    /// and their number.
    ///
    /// # Errors
    /// [`Error::Bands`] when the cube has other bands than the model.
    pub fn denoise_in_range(
        &self,
        noisy: ArrayView3<'_, f32>,
        range: &BandRange,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Array3<f32>> {
        let (bands, rows, cols) = noisy.dim();
        if bands != self.bands() {
            let (expected, what) = (self.bands(), "the cube".to_owned());
            return Err(Error::Bands { what, expected, got: bands });
        }
        let side = self.model.config().encoder.image_size;
        // An image that one tile covers is not worth an overlap.
        let overlap = if rows <= side && cols <= side { 0 } else { self.overlap.min(side - 1) };
        let tiling = Tiling::new(rows, cols, side, overlap)?;
        let mut blender = Blender::new(bands, rows, cols);
        let (mut done, total) = (0, tiling.tiles().len());
        for tiles in tiling.tiles().chunks(self.batch.max(1)) {
            let estimates = self.denoise_tiles(&tiling, tiles, noisy, range)?;
            for (tile, estimate) in tiles.iter().zip(estimates) {
                blender.add(tile, estimate.view())?;
            }
            done += tiles.len();
            progress(done, total);
        }
        Ok(blender.finish()?)
    }

    fn denoise_tiles(
        &self,
        tiling: &Tiling,
        tiles: &[Tile],
        noisy: ArrayView3<'_, f32>,
        range: &BandRange,
    ) -> Result<Vec<Array3<f32>>> {
        let mut values: Vec<f32> = Vec::new();
        let mut shape = (0, 0, 0);
        for tile in tiles {
            let mut samples = tiling.extract(noisy, tile)?;
            range.normalize_in_place(samples.view_mut())?;
            shape = samples.dim();
            values.extend(samples.iter());
        }
        let shape = (tiles.len(), shape.0, shape.1, shape.2);
        let batch = Tensor::from_vec(values, shape, &self.device)?.to_dtype(self.dtype)?;
        let estimate = self.model.forward_t(&batch, false)?.to_dtype(DType::F32)?;
        let estimate = estimate.flatten_all()?.to_vec1::<f32>()?;
        let estimate = ndarray::Array4::from_shape_vec(shape, estimate)
            .map_err(|e| candle_core::Error::wrap(e).context("the model changed the shape"))?;
        let mut images = Vec::with_capacity(tiles.len());
        for image in estimate.axis_iter(Axis(0)) {
            let mut image = image.to_owned();
            range.denormalize_in_place(image.view_mut())?;
            images.push(image);
        }
        Ok(images)
    }
}
