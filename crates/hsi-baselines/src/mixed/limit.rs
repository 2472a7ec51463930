//! The range that clipping tells of.

use ndarray::parallel::prelude::*;
use ndarray::{Array3, ArrayView3, Axis};

use super::clipping::detect;
use crate::denoiser::ensure_usable;
use crate::options::{Method, Setting};
use crate::{Denoiser, Error, Result};

/// Limits an estimate, as the last stage of a chain, to the bounds at which the noisy cube was
/// clipped, as [`Destripe`](crate::Destripe) finds them; without bounds nothing changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limit;

impl Method for Limit {
    const NAME: &'static str = "limit";
    const ABOUT: &'static str = "limits an estimate to the bounds of a clipped cube";
    const STAGE: bool = true;

    fn settings(&mut self) -> Vec<(&'static str, &mut dyn Setting)> {
        Vec::new()
    }

    fn check(&self) -> Result<()> {
        Ok(())
    }
}

impl Denoiser for Limit {
    fn name(&self) -> &str {
        Self::NAME
    }

    /// Returns the cube as it is: it lies within its own bounds.
    fn denoise(&self, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        ensure_usable(noisy)?;
        Ok(noisy.as_standard_layout().into_owned())
    }

    fn refine(
        &self,
        estimate: ArrayView3<'_, f32>,
        noisy: ArrayView3<'_, f32>,
    ) -> Result<Array3<f32>> {
        if estimate.dim() != noisy.dim() {
            let (expected, got) = (noisy.shape().to_vec(), estimate.shape().to_vec());
            return Err(Error::Shape { expected, got });
        }
        let mut limited = estimate.as_standard_layout().into_owned();
        let bands = limited.axis_iter_mut(Axis(0)).into_par_iter();
        bands.zip(detect(noisy)).for_each(|(mut band, bounds)| {
            band.mapv_inplace(|x| bounds.limit(x));
        });
        Ok(limited)
    }
}
