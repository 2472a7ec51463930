//! HyMiNoR: HyRes, then spectra flattened in the L1 norm.

use ndarray::{Array3, ArrayView3};

use crate::denoiser::{as_matrix, finish};
use crate::options::{Method, Setting};
use crate::{Denoiser, Hyres, Result, SpectralTv};

/// Denoises a cube by [`Hyres`] and takes sparse noise off its spectra by [`SpectralTv`].
///
/// The weights are made for values in [0, 1]. With the default weight the second step flattens
/// spectra, which helps against mixed noise and harms where the noise is normal.
///
/// # References
/// B. Rasti, P. Ghamisi, J. Benediktsson, "Hyperspectral Mixed Gaussian and Sparse Noise
/// Reduction", IEEE GRSL 17(3), 2020.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HyMiNoR {
    /// The first step.
    pub hyres: Hyres,
    /// The second step.
    pub flattening: SpectralTv,
}

impl HyMiNoR {
    /// Checks the ranges of all parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`](crate::Error::Parameter) or [`Error::Range`](crate::Error::Range) names
    /// the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        self.hyres.validate()?;
        self.flattening.validate()
    }
}

impl Method for HyMiNoR {
    const NAME: &'static str = "hyminor";
    const ABOUT: &'static str = "hyres, then spectra flattened in the L1 norm";

    fn settings(&mut self) -> Vec<(&'static str, &mut dyn Setting)> {
        let mut settings = self.flattening.settings();
        settings.extend(self.hyres.settings());
        settings
    }

    fn check(&self) -> Result<()> {
        self.validate()
    }
}

impl Denoiser for HyMiNoR {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn denoise(&self, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        self.validate()?;
        let first = ndarray::CowArray::from(self.hyres.denoise(noisy)?);
        finish(Self::NAME, self.flattening.apply(as_matrix(&first)?)?, noisy.dim())
    }
}
