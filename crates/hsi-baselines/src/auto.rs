//! The chain to begin with.

use ndarray::{Array3, ArrayView3};

use crate::options::{Method, Setting};
use crate::{Denoiser, Destripe, FastHyDe, Limit, Result};

/// The best chain for noise that is not known: [`Destripe`], [`FastHyDe`], [`Limit`].
///
/// On a cube without stripes and clipped values it is FastHyDe.
///
/// # Examples
/// ```
/// use hsi_baselines::{Auto, Denoiser, by_name};
/// use ndarray::Array3;
///
/// let noisy = Array3::from_shape_fn((9, 16, 16), |(b, r, c)| {
///     (0.05 * (b + r) as f32 + ((r * 7 + c * 5 + b * 3) % 11) as f32 * 0.02).clamp(0.1, 0.9)
/// });
/// let chain = by_name("destripe+fasthyde+limit")?;
/// assert_eq!(Auto::default().denoise(noisy.view())?, chain.denoise(noisy.view())?);
/// # Ok::<(), hsi_baselines::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Auto {
    /// The first stage.
    pub destripe: Destripe,
    /// The method.
    pub method: FastHyDe,
}

impl Auto {
    /// Checks the ranges of all parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`](crate::Error::Parameter) names the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        self.destripe.validate()?;
        self.method.validate()
    }
}

impl Method for Auto {
    const NAME: &'static str = "auto";
    const ABOUT: &'static str = "the best chain: destripe+fasthyde+limit";

    fn settings(&mut self) -> Vec<(&'static str, &mut dyn Setting)> {
        Vec::new()
    }

    fn check(&self) -> Result<()> {
        self.validate()
    }
}

impl Denoiser for Auto {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn denoise(&self, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        let prepared = self.destripe.denoise(noisy)?;
        let estimate = self.method.denoise(prepared.view())?;
        drop(prepared);
        Limit.refine(estimate.view(), noisy)
    }
}
