//! Stripes and clipping, taken away before a method that knows of neither.

mod clipping;
mod limit;
mod moments;
mod separate;
mod smooth;
mod stripes;

pub use limit::Limit;
pub use separate::Separation;

use ndarray::{Array3, ArrayView3};

use crate::options::{Method, Setting};
use crate::{Denoiser, Error, Result};

/// What is looked for.
pub(crate) struct Options {
    stripes: bool,
    unclip: bool,
    iterations: usize,
    tolerance: f64,
    threshold: f64,
}

impl Options {
    fn validate(&self, method: &'static str) -> Result<()> {
        let ensure = |ok: bool, parameter, expected, got: f64| {
            if ok { Ok(()) } else { Err(Error::Parameter { method, parameter, expected, got }) }
        };
        let ok = (1..=1000).contains(&self.iterations);
        ensure(ok, "iterations", "between 1 and 1000", self.iterations as f64)?;
        let ok = (0.0..=1.0).contains(&self.tolerance);
        ensure(ok, "tolerance", "between 0 and 1", self.tolerance)?;
        let ok = (1.0..=1e6).contains(&self.threshold);
        ensure(ok, "threshold", "between 1 and 1e6", self.threshold)
    }
}

/// Takes stripes off a cube, and undoes the bias of clipping, before another method denoises it.
///
/// The model is `y = clip(x + s + n)`: a scene `x` that lies in a subspace of few spectra, an
/// offset `s` for each band and column, 0 for columns without stripes, and normal noise `n` with
/// its own level in each band. The four are estimated in turn, as in the expectation maximisation
/// of a censored regression: what a clipped value was is replaced by its expectation, columns are
/// told to have stripes by the mean spectrum that they have outside of the subspace, offsets are
/// shrunk by how sure they are, and the scene is a low-rank estimate shrunk in the wavelet domain.
///
/// The result keeps its noise. Values at a bound are those that many pixels of a band have exactly
/// as its least or largest one; a cube without them and without stripes is returned as it is. In a
/// cube of few bands stripes cannot be told from the scene and are left.
///
/// # Examples
/// ```
/// use hsi_baselines::{Denoiser, Destripe};
/// use ndarray::Array3;
///
/// let scene = Array3::from_shape_fn((24, 20, 20), |(b, r, c)| {
///     let noise = ((b * 7919 + r * 104_729 + c * 1_299_709) % 1009) as f32 / 1009.0 - 0.5;
///     (b * r) as f32 * 0.002 + 0.05 * noise
/// });
/// let mut striped = scene.clone();
/// for (b, mut band) in striped.outer_iter_mut().enumerate() {
///     let offset = if b % 3 == 0 { 0.2 } else { -0.1 };
///     band.column_mut(7).mapv_inplace(|x| x + offset);
/// }
/// let destriped = Destripe::default().denoise(striped.view())?;
/// let error = |cube: &Array3<f32>| (cube - &scene).mapv(f32::abs).sum();
/// assert!(error(&destriped) < 0.3 * error(&striped));
/// # Ok::<(), hsi_baselines::Error>(())
/// ```
///
/// # References
/// The parts are known, their combination is this project's. J. Tobin, "Estimation of Relationships
/// for Limited Dependent Variables", Econometrica 26(1), 1958. A. Dempster, N. Laird, D. Rubin,
/// "Maximum Likelihood from Incomplete Data via the EM Algorithm", Journal of the Royal Statistical
/// Society B 39(1), 1977.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Destripe {
    /// Whether stripes run along rows instead of columns.
    pub rows: bool,
    /// Whether clipped values are replaced by what is expected of them.
    pub unclip: bool,
    /// Most estimates of the scene, 1 to 1000.
    pub iterations: usize,
    /// Change of the scene, in standard deviations of the noise, below which it is taken as found;
    /// 0 to 1.
    pub tolerance: f64,
    /// How much more energy than a quiet one a line needs to count as striped, at least 1.
    pub threshold: f64,
}

impl Default for Destripe {
    fn default() -> Self {
        Self { rows: false, unclip: true, iterations: 12, tolerance: 0.01, threshold: 2.5 }
    }
}

impl Destripe {
    fn options(&self) -> Options {
        let &Self { unclip, iterations, tolerance, threshold, .. } = self;
        Options { stripes: true, unclip, iterations, tolerance, threshold }
    }

    /// Checks the ranges of all parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        self.options().validate(Self::NAME)
    }

    /// Returns the cube without stripes together with all that was found.
    ///
    /// # Shapes
    /// `noisy`: `[bands, rows, cols]`.
    ///
    /// # Errors
    /// As [`Denoiser::denoise`].
    pub fn separate(&self, noisy: ArrayView3<'_, f32>) -> Result<Separation> {
        self.validate()?;
        if !self.rows {
            return separate::separate(Self::NAME, noisy, &self.options());
        }
        let turned = noisy.permuted_axes([0, 2, 1]);
        let mut found = separate::separate(Self::NAME, turned, &self.options())?;
        found.cube = found.cube.permuted_axes([0, 2, 1]).as_standard_layout().into_owned();
        Ok(found)
    }
}

impl Method for Destripe {
    const NAME: &'static str = "destripe";
    const ABOUT: &'static str = "takes stripes off and undoes the bias of clipping";
    const STAGE: bool = true;

    fn settings(&mut self) -> Vec<(&'static str, &mut dyn Setting)> {
        vec![
            ("rows", &mut self.rows),
            ("unclip", &mut self.unclip),
            ("iterations", &mut self.iterations),
            ("tolerance", &mut self.tolerance),
            ("threshold", &mut self.threshold),
        ]
    }

    fn check(&self) -> Result<()> {
        self.validate()
    }
}

impl Denoiser for Destripe {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn denoise(&self, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        Ok(self.separate(noisy)?.cube)
    }
}

/// Undoes the bias of clipping before another method denoises a cube: [`Destripe`] that looks for
/// no stripes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unclip {
    /// Most estimates of the scene, 1 to 1000.
    pub iterations: usize,
    /// Change of the scene, in standard deviations of the noise, below which it is taken as found;
    /// 0 to 1.
    pub tolerance: f64,
}

impl Default for Unclip {
    fn default() -> Self {
        let Destripe { iterations, tolerance, .. } = Destripe::default();
        Self { iterations, tolerance }
    }
}

impl Unclip {
    fn options(&self) -> Options {
        let &Self { iterations, tolerance } = self;
        let Destripe { threshold, .. } = Destripe::default();
        Options { stripes: false, unclip: true, iterations, tolerance, threshold }
    }

    /// Checks the ranges of all parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        self.options().validate(Self::NAME)
    }
}

impl Method for Unclip {
    const NAME: &'static str = "unclip";
    const ABOUT: &'static str = "undoes the bias of clipping";
    const STAGE: bool = true;

    fn settings(&mut self) -> Vec<(&'static str, &mut dyn Setting)> {
        vec![("iterations", &mut self.iterations), ("tolerance", &mut self.tolerance)]
    }

    fn check(&self) -> Result<()> {
        self.validate()
    }
}

impl Denoiser for Unclip {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn denoise(&self, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        self.validate()?;
        Ok(separate::separate(Self::NAME, noisy, &self.options())?.cube)
    }
}
