//! From cubes to training samples: normalised, noised, batched.

use std::sync::Arc;

use candle_core::{Device, Tensor};
use hsi_data::{BandRange, Dataset, NormMode};
use hsi_noise::NoisePipeline;
use ndarray::{Array3, ArrayView3};

use crate::{Error, Result};

/// An input and what the model should make of it, both `[bands, rows, cols]` on the [0, 1] scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// What the model is given.
    pub input: Array3<f32>,
    /// What it is compared with.
    pub target: Array3<f32>,
}

/// Samples by index; the same index, epoch and seed give the same bytes on any thread.
pub trait SampleSource: Send + Sync {
    /// Number of samples.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes a sample. Sources for validation and test ignore the epoch.
    ///
    /// # Errors
    /// When the data cannot be read or do not fit.
    fn sample(&self, index: usize, epoch: usize) -> Result<Sample>;

    /// Name of a sample, for messages.
    fn name(&self, index: usize) -> String;
}

/// How clean cubes become noisy samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Degradation {
    /// The noise, on the [0, 1] scale.
    pub noise: NoisePipeline,
    /// How bands are brought to the [0, 1] scale.
    pub normalisation: NormMode,
    /// Addresses the noise together with the index of the sample.
    pub seed: u64,
}

impl Degradation {
    /// Brings a clean cube to the [0, 1] scale.
    ///
    /// `oracle` and `from-noisy` both use the range of each clean band here: noise levels are
    /// defined on that scale. They differ in what an estimator is given afterwards, see
    /// [`Self::degrade`].
    ///
    /// # Errors
    /// When the range does not fit the cube.
    pub fn clean(&self, cube: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        let range = match &self.normalisation {
            NormMode::Oracle | NormMode::FromNoisy => BandRange::of(cube),
            NormMode::Fixed { min, max } => BandRange::fixed(cube.dim().0, *min, *max)?,
        };
        Ok(range.normalize(cube)?)
    }

    /// Makes the clean and the noisy image, both on the scale of [`Self::clean`].
    ///
    /// With `from-noisy` the range of each noisy band comes with them, which is all that is known
    /// in real use: [`Degraded::input`] rescales by it, [`Degraded::restore`] undoes that.
    ///
    /// # Errors
    /// When the noise cannot be applied.
    pub fn degrade(&self, cube: ArrayView3<'_, f32>, index: u64) -> Result<Degraded> {
        let clean = self.clean(cube)?;
        let noisy = self.noise.apply(clean.view(), self.seed, index)?;
        let range = match self.normalisation {
            NormMode::FromNoisy => Some(BandRange::of(noisy.view())),
            _ => None,
        };
        Ok(Degraded { clean, noisy, range })
    }
}

/// A clean image, its noisy version, and what is known of the scale.
#[derive(Debug, Clone)]
pub struct Degraded {
    /// The clean image on the [0, 1] scale.
    pub clean: Array3<f32>,
    /// The noisy image on the same scale.
    pub noisy: Array3<f32>,
    /// The range of the noisy bands, where the estimator is to use it.
    pub range: Option<BandRange>,
}

impl Degraded {
    /// What an estimator is given: the noisy image, rescaled by its own range where that is the
    /// protocol.
    ///
    /// # Errors
    /// When the range does not fit.
    pub fn input(&self) -> Result<Array3<f32>> {
        match &self.range {
            Some(range) => Ok(range.normalize(self.noisy.view())?),
            None => Ok(self.noisy.clone()),
        }
    }

    /// Brings an estimate back to the scale of the clean image.
    ///
    /// # Errors
    /// When the range does not fit.
    pub fn restore(&self, mut estimate: Array3<f32>) -> Result<Array3<f32>> {
        if let Some(range) = &self.range {
            range.denormalize_in_place(estimate.view_mut())?;
        }
        Ok(estimate)
    }
}

/// Noisy and clean versions of the cubes of a data set.
#[derive(Clone)]
pub struct NoisySamples {
    dataset: Arc<dyn Dataset>,
    degradation: Degradation,
    /// Whether each epoch draws new noise (training) or all see the same (validation, test).
    pub fresh_noise: bool,
}

impl NoisySamples {
    /// Makes samples of the cubes of `dataset`.
    pub fn new(dataset: Arc<dyn Dataset>, degradation: Degradation, fresh_noise: bool) -> Self {
        Self { dataset, degradation, fresh_noise }
    }
}

impl SampleSource for NoisySamples {
    fn len(&self) -> usize {
        self.dataset.len()
    }

    fn sample(&self, index: usize, epoch: usize) -> Result<Sample> {
        let cube = self.dataset.get(index)?;
        let epoch = if self.fresh_noise { epoch as u64 + 1 } else { 0 };
        let mut degradation = self.degradation.clone();
        degradation.seed = mix(degradation.seed, epoch);
        let degraded = degradation.degrade(cube.view(), index as u64)?;
        match &degraded.range {
            None => Ok(Sample { input: degraded.noisy, target: degraded.clean }),
            Some(range) => Ok(Sample {
                input: range.normalize(degraded.noisy.view())?,
                target: range.normalize(degraded.clean.view())?,
            }),
        }
    }

    fn name(&self, index: usize) -> String {
        self.dataset.name(index)
    }
}

/// The cubes of a data set, normalised, as input and target.
#[derive(Clone)]
pub struct CleanSamples {
    dataset: Arc<dyn Dataset>,
    normalisation: NormMode,
}

impl CleanSamples {
    /// Makes samples of the cubes of `dataset`.
    pub fn new(dataset: Arc<dyn Dataset>, normalisation: NormMode) -> Self {
        Self { dataset, normalisation }
    }
}

impl SampleSource for CleanSamples {
    fn len(&self) -> usize {
        self.dataset.len()
    }

    fn sample(&self, index: usize, _epoch: usize) -> Result<Sample> {
        let cube = self.dataset.get(index)?;
        let normalisation = self.normalisation;
        let plain = Degradation { noise: NoisePipeline::none(), normalisation, seed: 0 };
        let image = plain.clean(cube.view())?;
        Ok(Sample { input: image.clone(), target: image })
    }

    fn name(&self, index: usize) -> String {
        self.dataset.name(index)
    }
}

/// Samples as tensors.
#[derive(Debug, Clone)]
pub struct Batch {
    /// `(batch, band, row, col)`.
    pub input: Tensor,
    /// `(batch, band, row, col)`.
    pub target: Tensor,
    /// Which samples these are.
    pub indices: Vec<usize>,
    /// Epoch, from 0.
    pub epoch: usize,
    /// Number of the micro-batch since training began, from 1; 0 outside of training. The address
    /// of what a forward pass of training draws.
    pub moment: u64,
}

/// Samples side by side in memory, before they become tensors on some device.
#[derive(Debug, Clone)]
pub(crate) struct HostBatch {
    input: Vec<f32>,
    target: Vec<f32>,
    shape: (usize, usize, usize, usize),
    indices: Vec<usize>,
    epoch: usize,
}

impl HostBatch {
    /// Makes the samples and puts them together.
    pub(crate) fn make(
        source: &dyn SampleSource,
        indices: Vec<usize>,
        epoch: usize,
    ) -> Result<Self> {
        let (mut input, mut target) = (Vec::new(), Vec::new());
        let mut shape = (indices.len(), 0, 0, 0);
        for (i, &index) in indices.iter().enumerate() {
            let sample = source.sample(index, epoch)?;
            let (bands, rows, cols) = sample.input.dim();
            if i == 0 {
                shape = (indices.len(), bands, rows, cols);
                input.reserve_exact(indices.len() * sample.input.len());
                target.reserve_exact(indices.len() * sample.target.len());
            } else if (bands, rows, cols) != (shape.1, shape.2, shape.3) {
                return Err(Error::Setting {
                    name: "samples of a batch",
                    expected: format!("{} x {} x {}", shape.1, shape.2, shape.3),
                    got: format!("{bands} x {rows} x {cols} in {}", source.name(index)),
                });
            }
            input.extend(sample.input.iter());
            target.extend(sample.target.iter());
        }
        Ok(Self { input, target, shape, indices, epoch })
    }

    /// Bytes of the samples.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<f32>() * (self.input.len() + self.target.len())
    }

    /// Makes tensors of them, for the forward pass at this moment.
    pub(crate) fn into_batch(
        self,
        dtype: candle_core::DType,
        device: &Device,
        moment: u64,
    ) -> Result<Batch> {
        let tensor = |values: Vec<f32>| -> Result<Tensor> {
            Ok(Tensor::from_vec(values, self.shape, device)?.to_dtype(dtype)?)
        };
        Ok(Batch {
            input: tensor(self.input)?,
            target: tensor(self.target)?,
            indices: self.indices,
            epoch: self.epoch,
            moment,
        })
    }
}

/// Mixes two numbers into one address (the finaliser of SplitMix64).
pub(crate) fn mix(a: u64, b: u64) -> u64 {
    let mut z = a.wrapping_add(b.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
