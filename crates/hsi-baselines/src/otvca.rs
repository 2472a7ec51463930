//! OTVCA: orthogonal total variation component analysis.

use ndarray::parallel::prelude::*;
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, CowArray};

use crate::denoiser::{as_matrix, ensure_usable, finish, into_images};
use crate::frame::on_varying_bands;
use crate::linalg::{apply, cross, gram, procrustes, symmetric_eigen};
use crate::options::{Method, Setting, between, within};
use crate::tv::Smoother;
use crate::{Denoiser, Error, Result, SplitBregman, Variant};

/// Finds few images of small total variation, and orthonormal spectra, whose product is the cube.
///
/// Alternates between the images, smoothed by [`SplitBregman`], and the spectra (an orthogonal
/// Procrustes problem). The weight of the total variation suits cubes in [0, 1]. Constant bands
/// come back as they are.
///
/// # References
/// B. Rasti, M. Ulfarsson, J. Sveinsson, "Hyperspectral Feature Extraction Using Total Variation
/// Component Analysis", IEEE TGRS 54(12), 2016. HyDe 0.4.3 stops the inner iterations at a change of
/// 0.1, mostly after one: [`Variant::Hyde`].
///
/// # Examples
/// ```
/// use hsi_baselines::{Denoiser, Otvca};
/// use ndarray::Array3;
///
/// let cube = Array3::from_shape_fn((8, 20, 20), |(b, r, c)| {
///     let noise = ((b * 7 + r * 13 + c * 29) % 17) as f32 / 17.0 - 0.5;
///     (r + c) as f32 * 0.02 + b as f32 * 0.02 + 0.1 * noise
/// });
/// let features = Otvca { features: 2, ..Otvca::default() }.decompose(cube.view())?;
/// assert_eq!((features.images.dim(), features.spectra.dim()), ((2, 20, 20), (8, 2)));
/// # Ok::<(), hsi_baselines::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Otvca {
    /// Number of images, 1 to 10,000; more than there are bands or pixels makes no difference.
    pub features: usize,
    /// Alternations, 1 to 100,000.
    pub iterations: usize,
    /// Weight of the total variation, between 1e-6 and 1e6.
    pub weight: f64,
    /// Root mean square of the change at which the inner iterations stop; unset it is 1e-3, and 0.1
    /// in [`Variant::Hyde`].
    pub tolerance: Option<f64>,
    /// Most inner iterations, 1 to 100,000.
    pub max_inner: usize,
    /// Whether every band is first brought to [0, 1], and back in the end.
    pub normalize: bool,
    /// Which form of the method.
    pub variant: Variant,
}

impl Default for Otvca {
    fn default() -> Self {
        Self {
            features: 6,
            iterations: 10,
            weight: 0.01,
            tolerance: None,
            max_inner: 100,
            normalize: false,
            variant: Variant::default(),
        }
    }
}

/// Images and spectra whose product is a denoised cube.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// Images of small total variation: `[features, rows, cols]`.
    pub images: Array3<f32>,
    /// Orthonormal spectra as columns: `[bands, features]`.
    pub spectra: Array2<f64>,
}

impl Otvca {
    /// Checks the ranges of all parameters.
    ///
    /// # Errors
    /// [`Error::Range`](crate::Error::Range) names the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        between(Self::NAME, "features", self.features, 1, 10_000)?;
        between(Self::NAME, "iterations", self.iterations, 1, 100_000)?;
        within(Self::NAME, "weight", self.weight, 1e-6, 1e6)?;
        between(Self::NAME, "max-inner", self.max_inner, 1, 100_000)?;
        within(Self::NAME, "tolerance", self.tolerance.unwrap_or(0.0), 0.0, f64::MAX)
    }

    /// Returns the images and spectra of a cube; `normalize` is not looked at.
    ///
    /// # Shapes
    /// `noisy`: `[bands, rows, cols]`.
    ///
    /// # Errors
    /// As [`denoise`](Denoiser::denoise).
    pub fn decompose(&self, noisy: ArrayView3<'_, f32>) -> Result<Features> {
        self.validate()?;
        ensure_usable(noisy)?;
        let (bands, rows, cols) = noisy.dim();
        let noisy = noisy.as_standard_layout();
        let matrix = as_matrix(&noisy)?;
        let count = self.features.min(bands).min(rows * cols);
        let eigen = symmetric_eigen(gram(matrix).view())?;
        let mut spectra = eigen.vectors.slice(ndarray::s![.., ..count]).to_owned();
        let tolerance = match self.variant {
            Variant::Corrected => 1e-3,
            Variant::Hyde => 0.1,
        };
        let options = SplitBregman {
            weight: 1.0 / self.weight,
            tolerance: self.tolerance.unwrap_or(tolerance),
            max_iterations: self.max_inner,
        };
        let mut smoother = Smoother::new(options, (count, rows, cols));
        let mut images = Array3::zeros((count, rows, cols));
        for _ in 0..self.iterations {
            let components = into_images(apply(spectra.t(), matrix)?, (rows, cols))?;
            ensure_usable(components.view()).map_err(|_| Error::Overflow { method: Self::NAME })?;
            smoother.run(components.view(), images.view_mut())?;
            spectra = procrustes(cross(matrix, as_matrix(&images)?)?.view())?;
        }
        Ok(Features { images, spectra })
    }

    fn denoise_varying(&self, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        if !self.normalize {
            return self.rebuild(noisy);
        }
        let ranges: Vec<(f32, f32)> = noisy.axis_iter(Axis(0)).map(range).collect();
        let mut unit = noisy.as_standard_layout().into_owned();
        let bands = unit.axis_iter_mut(Axis(0)).into_par_iter().zip(&ranges);
        bands.for_each(|(mut band, &(least, span))| band.mapv_inplace(|x| (x - least) / span));
        let mut result = self.rebuild(unit.view())?;
        let bands = result.axis_iter_mut(Axis(0)).into_par_iter().zip(&ranges);
        bands.for_each(|(mut band, &(least, span))| band.mapv_inplace(|x| x * span + least));
        crate::denoiser::finish_cube(Self::NAME, result)
    }

    fn rebuild(&self, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        let Features { images, spectra } = self.decompose(noisy)?;
        let images = CowArray::from(images);
        finish(Self::NAME, apply(spectra.view(), as_matrix(&images)?)?, noisy.dim())
    }
}

/// Returns the least value and the range of a band.
fn range(band: ArrayView2<'_, f32>) -> (f32, f32) {
    let least = band.fold(f32::INFINITY, |least, &x| least.min(x));
    let most = band.fold(f32::NEG_INFINITY, |most, &x| most.max(x));
    (least, most - least)
}

impl Method for Otvca {
    const NAME: &'static str = "otvca";
    const ABOUT: &'static str = "few images of small total variation and orthonormal spectra";

    fn settings(&mut self) -> Vec<(&'static str, &mut dyn Setting)> {
        vec![
            ("features", &mut self.features),
            ("iterations", &mut self.iterations),
            ("weight", &mut self.weight),
            ("tolerance", &mut self.tolerance),
            ("max-inner", &mut self.max_inner),
            ("normalize", &mut self.normalize),
            ("variant", &mut self.variant),
        ]
    }

    fn check(&self) -> Result<()> {
        self.validate()
    }
}

impl Denoiser for Otvca {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn denoise(&self, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        self.validate()?;
        ensure_usable(noisy)?;
        on_varying_bands(noisy, |noisy| self.denoise_varying(noisy))
    }
}
