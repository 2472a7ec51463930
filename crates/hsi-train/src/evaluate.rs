//! Scores of estimators over the samples of a data set.

use std::time::Instant;

use hsi_baselines::Denoiser;
use hsi_data::Dataset;
use hsi_metrics::Metrics;
use ndarray::{Array3, ArrayView3};

use crate::report::{Row, RowBuilder};
use crate::restore::Restorer;
use crate::samples::{Degradation, mix};
use crate::{Error, Result};

/// Something that estimates a clean image from a noisy one.
#[derive(Debug)]
#[non_exhaustive]
pub enum Estimator<'a> {
    /// The noisy image itself.
    Noisy,
    /// A classical method.
    Baseline(&'a dyn Denoiser),
    /// A trained model, and the name of its row.
    Model(&'a Restorer, String),
}

impl Estimator<'_> {
    /// Name of the row in reports.
    pub fn name(&self) -> &str {
        match self {
            Self::Noisy => "noisy",
            Self::Baseline(baseline) => baseline.name(),
            Self::Model(_, name) => name,
        }
    }

    /// Estimates the clean image, on the scale of the noisy one.
    ///
    /// # Errors
    /// When the method cannot take the image.
    pub fn estimate(&self, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        match self {
            Self::Noisy => Ok(noisy.to_owned()),
            Self::Baseline(baseline) => Ok(baseline.denoise(noisy)?),
            Self::Model(restorer, _) => restorer.denoise(noisy),
        }
    }
}

/// One sample of an evaluation, for pictures.
#[derive(Debug)]
pub struct Evaluated<'a> {
    /// Index of the sample in its data set.
    pub index: usize,
    /// The clean image on the [0, 1] scale.
    pub clean: ArrayView3<'a, f32>,
    /// The noisy image on the same scale.
    pub noisy: ArrayView3<'a, f32>,
    /// The estimate of each estimator, in their order, on the same scale.
    pub estimates: &'a [Array3<f32>],
}

/// Checks that images of this size are large enough for the windows of the metrics.
///
/// # Errors
/// [`Error::Metrics`] naming the metric that needs more pixels.
pub fn check_scorable(rows: usize, cols: usize) -> Result<()> {
    let plane = Array3::zeros((1, rows, cols));
    Metrics::compute(plane.view(), plane.view(), 1.0)?;
    Ok(())
}

/// Scores all estimators on the same noisy samples; a row each, in their order.
///
/// The noise of sample `i` is the one that validation and test samples of training with the same
/// seed have. `watch` is shown each sample.
///
/// # Errors
/// When there are no samples, they cannot be read or are too small for the metrics, or an estimator
/// cannot take them.
pub fn evaluate(
    dataset: &dyn Dataset,
    degradation: &Degradation,
    estimators: &[Estimator<'_>],
    watch: &mut dyn FnMut(&Evaluated<'_>) -> Result<()>,
) -> Result<Vec<Row>> {
    if dataset.is_empty() {
        return Err(Error::NoSamples("the data set to evaluate on is empty".to_owned()));
    }
    let (rows, cols) = dataset.size();
    check_scorable(rows, cols)?;
    let mut degradation = degradation.clone();
    degradation.seed = mix(degradation.seed, 0);
    let mut builders = vec![RowBuilder::default(); estimators.len()];
    for index in 0..dataset.len() {
        let cube = dataset.get(index)?;
        let degraded = degradation.degrade(cube.view(), index as u64)?;
        let input = degraded.input()?;
        let mut estimates = Vec::with_capacity(estimators.len());
        for (estimator, builder) in estimators.iter().zip(&mut builders) {
            let start = Instant::now();
            let estimate = estimator.estimate(input.view())?;
            let seconds = start.elapsed().as_secs_f64();
            let estimate = degraded.restore(estimate)?;
            builder.add(&Metrics::compute(degraded.clean.view(), estimate.view(), 1.0)?, seconds);
            estimates.push(estimate);
        }
        let (clean, noisy) = (degraded.clean.view(), degraded.noisy.view());
        watch(&Evaluated { index, clean, noisy, estimates: &estimates })?;
    }
    let rows = estimators.iter().zip(builders).map(|(estimator, builder)| {
        let mut row = builder.finish(estimator.name());
        if let Estimator::Model(restorer, _) = estimator {
            row.parameters = Some(restorer.count().total);
            row.stored_bytes = Some(restorer.count().stored_bytes);
        }
        row
    });
    Ok(rows.collect())
}
