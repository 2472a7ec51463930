//! Block matching and 3-D filtering of grey images.

mod block;
mod group;
mod stage;

use ndarray::{Array2, ArrayView2};

use crate::options::Setting;
use crate::{Error, Result};

/// Denoises a grey image with known noise by block matching and 3-D filtering (BM3D).
///
/// Blocks of 8 x 8 pixels that resemble each other are stacked and shrunk in a joint transform
/// domain, twice: a first pass thresholds the coefficients, a second weighs them by an empirical
/// Wiener filter whose pilot is the first estimate. The transforms are bior1.5 and the cosine
/// transform on the blocks, and Haar along a stack.
///
/// Values are taken to span about [0, 1], which is the scale of the match limits. Images of less
/// than 8 rows or columns are mirrored up to 8.
///
/// # Examples
/// ```
/// use hsi_baselines::Bm3d;
/// use ndarray::Array2;
///
/// // Noise of a standard deviation of 0.1 from a fixed sequence.
/// let mut state = 1_u32;
/// let noisy = Array2::from_shape_simple_fn((32, 32), || {
///     state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
///     0.5 + 0.1 * 12_f32.sqrt() * ((state >> 8) as f32 / (1 << 24) as f32 - 0.5)
/// });
/// let clean = Bm3d::default().denoise(noisy.view(), 0.1)?;
/// assert!(clean.iter().all(|x| (x - 0.5).abs() < 0.1));
/// # Ok::<(), hsi_baselines::Error>(())
/// ```
///
/// # References
/// K. Dabov, A. Foi, V. Katkovnik, K. Egiazarian, "Image denoising by sparse 3-D
/// transform-domain collaborative filtering", IEEE Transactions on Image Processing 16(8), 2007.
/// One change: the match limit of the first pass grows with the noise,
/// [`match_noise`](Self::match_noise).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bm3d {
    /// Distance between reference blocks in rows and columns, 1 to 8.
    pub step: usize,
    /// Reach of the search for similar blocks in rows and columns, at most 127.
    pub reach: usize,
    /// Coefficients below this multiple of sigma are set to zero in the first pass, at least 0.
    pub threshold: f32,
    /// Largest mean squared difference of similar blocks in the first pass, without noise.
    pub match_hard: f32,
    /// Multiple of the expected squared difference by noise alone, `2 sigma^2`, that is added to
    /// [`match_hard`](Self::match_hard).
    pub match_noise: f32,
    /// Largest mean squared difference of similar blocks in the second pass.
    pub match_wiener: f32,
    /// Most blocks of a stack in the first pass, a power of two up to 256.
    pub group_hard: usize,
    /// Most blocks of a stack in the second pass, a power of two up to 256.
    pub group_wiener: usize,
    /// Multiple of `sigma^2` that the Wiener filter takes for the power of the noise, at least 0.
    pub wiener_noise: f32,
    /// Parameter of the Kaiser window over a block, at least 0.
    pub kaiser: f32,
}

impl Default for Bm3d {
    /// Returns the values of the paper, with 3 for [`match_noise`](Self::match_noise).
    fn default() -> Self {
        Self {
            step: 3,
            reach: 19,
            threshold: 2.7,
            match_hard: 3000.0 / (255.0 * 255.0),
            match_noise: 3.0,
            match_wiener: 400.0 / (255.0 * 255.0),
            group_hard: 16,
            group_wiener: 32,
            wiener_noise: 1.0,
            kaiser: 2.0,
        }
    }
}

impl Bm3d {
    const METHOD: &'static str = "bm3d";

    /// Returns every parameter with its key.
    pub(crate) fn settings(&mut self) -> Vec<(&'static str, &mut dyn Setting)> {
        vec![
            ("step", &mut self.step),
            ("reach", &mut self.reach),
            ("threshold", &mut self.threshold),
            ("match_hard", &mut self.match_hard),
            ("match_noise", &mut self.match_noise),
            ("match_wiener", &mut self.match_wiener),
            ("group_hard", &mut self.group_hard),
            ("group_wiener", &mut self.group_wiener),
            ("wiener_noise", &mut self.wiener_noise),
            ("kaiser", &mut self.kaiser),
        ]
    }

    /// Checks the ranges of all parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        let ensure = |ok: bool, parameter, expected, got: f64| {
            let method = Self::METHOD;
            if ok { Ok(()) } else { Err(Error::Parameter { method, parameter, expected, got }) }
        };
        ensure((1..=8).contains(&self.step), "step", "between 1 and 8", self.step as f64)?;
        ensure(self.reach <= 127, "reach", "at most 127", self.reach as f64)?;
        for (parameter, got) in
            [("group_hard", self.group_hard), ("group_wiener", self.group_wiener)]
        {
            let ok = got.is_power_of_two() && got <= 256;
            ensure(ok, parameter, "a power of two up to 256", got as f64)?;
        }
        for (parameter, got) in [
            ("threshold", self.threshold),
            ("match_hard", self.match_hard),
            ("match_noise", self.match_noise),
            ("match_wiener", self.match_wiener),
            ("wiener_noise", self.wiener_noise),
            ("kaiser", self.kaiser),
        ] {
            // The bound keeps squares and the Bessel function of the window finite.
            let ok = (0.0..=50.0).contains(&got);
            ensure(ok, parameter, "between 0 and 50", f64::from(got))?;
        }
        Ok(())
    }

    /// Returns the estimate of both passes.
    ///
    /// # Shapes
    /// `noisy` and the result: `[rows, cols]`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a `sigma` that is negative or not finite and as
    /// [`validate`](Self::validate); [`Error::Empty`] and [`Error::NonFinite`] for an image
    /// without values or with values that are not finite, which are reported as those of band 0.
    pub fn denoise(&self, noisy: ArrayView2<'_, f32>, sigma: f32) -> Result<Array2<f32>> {
        let pilot = self.hard_threshold(noisy, sigma)?;
        self.wiener(noisy, pilot.view(), sigma)
    }

    /// Returns the estimate of the first pass.
    ///
    /// # Shapes
    /// `noisy` and the result: `[rows, cols]`.
    ///
    /// # Errors
    /// As [`denoise`](Self::denoise).
    pub fn hard_threshold(&self, noisy: ArrayView2<'_, f32>, sigma: f32) -> Result<Array2<f32>> {
        self.ensure(noisy, sigma)?;
        Ok(if sigma == 0.0 { noisy.to_owned() } else { stage::hard(self, noisy, sigma) })
    }

    /// Returns the estimate of the second pass.
    ///
    /// # Shapes
    /// `noisy`, `pilot` and the result: `[rows, cols]`.
    ///
    /// # Errors
    /// As [`denoise`](Self::denoise), for both images; [`Error::Shape`] where they differ in
    /// shape.
    pub fn wiener(
        &self,
        noisy: ArrayView2<'_, f32>,
        pilot: ArrayView2<'_, f32>,
        sigma: f32,
    ) -> Result<Array2<f32>> {
        self.ensure(noisy, sigma)?;
        if noisy.dim() != pilot.dim() {
            let (expected, got) = (noisy.shape().to_vec(), pilot.shape().to_vec());
            return Err(Error::Shape { expected, got });
        }
        self.ensure(pilot, sigma)?;
        Ok(if sigma == 0.0 { noisy.to_owned() } else { stage::wiener(self, noisy, pilot, sigma) })
    }

    fn ensure(&self, image: ArrayView2<'_, f32>, sigma: f32) -> Result<()> {
        self.validate()?;
        if !(sigma >= 0.0 && sigma.is_finite()) {
            let (method, parameter, got) = (Self::METHOD, "sigma", f64::from(sigma));
            let expected = "a finite number of at least 0";
            return Err(Error::Parameter { method, parameter, expected, got });
        }
        crate::denoiser::ensure_usable(image.insert_axis(ndarray::Axis(0)))
    }
}
