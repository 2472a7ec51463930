//! FastHyDe and FastHyIn: block matching on the images of a subspace.

mod eigenimages;
mod inpaint;

pub use inpaint::FastHyIn;

use ndarray::parallel::prelude::*;
use ndarray::{Array1, Array2, Array3, ArrayView3, Axis, s};

pub(crate) use eigenimages::denoise_images;

use crate::denoiser::{ensure_usable, finish, reshape};
use crate::frame::sigmas;
use crate::linalg::{apply, symmetric_eigen};
use crate::options::{Method, Setting};
use crate::{Bm3d, Denoiser, Error, NoiseEstimate, Result, Subspace, Variant};

/// Projects a cube on the subspace of its signal and denoises each image of the projection by
/// [`Bm3d`] (FastHyDe).
///
/// Bands are scaled to [0, 1]; the noise of each is estimated and, unless [`iid`](Self::iid) says
/// that it is the same in all, made 1; the subspace is that of [`hysime`](crate::hysime), cut to
/// [`dimension`](Self::dimension), at least one spectrum.
///
/// # Examples
/// ```
/// use hsi_baselines::{Denoiser, FastHyDe};
/// use ndarray::Array3;
///
/// let mut state = 1_u32;
/// let noisy = Array3::from_shape_fn((12, 24, 24), |(b, r, c)| {
///     state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
///     let noise = (state >> 8) as f32 / (1 << 24) as f32 - 0.5;
///     0.5 + 0.01 * (b * r + c) as f32 + 0.2 * noise
/// });
/// let clean = FastHyDe::default().denoise(noisy.view())?;
/// let roughness = |cube: &Array3<f32>| cube.outer_iter().map(|band| band.std(0.0)).sum::<f32>();
/// assert!(roughness(&clean) < roughness(&noisy));
/// # Ok::<(), hsi_baselines::Error>(())
/// ```
///
/// # References
/// L. Zhuang, J. Bioucas-Dias, "Fast Hyperspectral Image Denoising and Inpainting Based on Low-Rank
/// and Sparse Representations", IEEE JSTARS 11(3), 2018.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FastHyDe {
    /// Most dimensions of the subspace, at least 1.
    pub dimension: usize,
    /// Whether the noise is taken to be equally strong in all bands.
    pub iid: bool,
    /// Whether values are counts with Poisson noise: the square root transform of Anscombe is
    /// applied before, and undone after; negative values count as 0.
    pub poisson: bool,
    /// Whether each band is scaled to [0, 1] before and back after.
    pub normalise: bool,
    /// How the images of the subspace are denoised.
    pub bm3d: Bm3d,
}

impl Default for FastHyDe {
    /// Returns 10 dimensions, noise that differs between bands and is not Poisson, and scaling.
    fn default() -> Self {
        Self { dimension: 10, iid: false, poisson: false, normalise: true, bm3d: Bm3d::default() }
    }
}

impl FastHyDe {
    /// Checks the ranges of all parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        at_least_one(Self::NAME, "dimension", self.dimension)?;
        self.bm3d.validate()
    }

    /// Returns the scale of the noise of each band, and the signal subspace of the cube divided by
    /// it.
    fn model(&self, noise: &NoiseEstimate) -> Result<(Array1<f64>, Model)> {
        let scales = if self.iid {
            Array1::ones(noise.sigma.len())
        } else {
            noise.variance.mapv(|v| if v > 0.0 { v.sqrt() } else { 1.0 })
        };
        let noise = noise.rescaled(&scales.mapv(|x| 1.0 / x).to_vec())?;
        let subspace = Subspace::of(&noise, Variant::Corrected)?;
        let rank = self.dimension.min(subspace.dimension());
        let basis = if rank > 0 {
            subspace.basis.slice_move(s![.., ..rank])
        } else {
            // All seems to be noise: what is strongest is at least the mean spectrum.
            symmetric_eigen(noise.moments.view())?.vectors.slice_move(s![.., ..1])
        };
        let sigma = basis.map_axis(Axis(0), |vector| {
            vector.iter().zip(&noise.variance).map(|(e, v)| e * e * v).sum::<f64>().sqrt()
        });
        Ok((scales, Model { basis, sigma }))
    }

    /// Denoises the images of the subspace and puts the cube together.
    fn finish(
        &self,
        method: &'static str,
        mut images: Array2<f32>,
        model: &Model,
        scales: &Array1<f64>,
        frame: &Frame,
    ) -> Result<Array3<f32>> {
        let (_, rows, cols) = frame.dim;
        denoise_images(&self.bm3d, &mut images, (rows, cols), &model.sigma.to_vec())?;
        let synthesis = &model.basis * &scales.view().insert_axis(Axis(1));
        let mut matrix = apply(synthesis.view(), images.view())?;
        frame.undo(&mut matrix);
        finish(method, matrix, frame.dim)
    }
}

impl Method for FastHyDe {
    const NAME: &'static str = "fasthyde";
    const ABOUT: &'static str = "subspace whose images are denoised by BM3D";

    fn settings(&mut self) -> Vec<(&'static str, &mut dyn Setting)> {
        let Self { dimension, iid, poisson, normalise, bm3d } = self;
        let mut settings: Vec<(&'static str, &mut dyn Setting)> = vec![
            ("dimension", dimension),
            ("iid", iid),
            ("poisson", poisson),
            ("normalise", normalise),
        ];
        settings.extend(bm3d.settings());
        settings
    }

    fn check(&self) -> Result<()> {
        self.validate()
    }
}

impl Denoiser for FastHyDe {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn denoise(&self, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        self.validate()?;
        ensure_usable(noisy)?;
        let (matrix, frame) = Frame::apply(noisy, self.poisson, self.normalise)?;
        let noise =
            with_spatial_noise(NoiseEstimate::from_pixels(matrix.view())?, &matrix, frame.dim)?;
        let (scales, model) = self.model(&noise)?;
        let images = apply(model.analysis(&scales).view(), matrix.view())?;
        drop(matrix);
        self.finish(Self::NAME, images, &model, &scales, &frame)
    }
}

/// The subspace of a cube whose noise has been made equally strong.
struct Model {
    /// Orthonormal spectra as columns: `[bands, dimension]`.
    basis: Array2<f64>,
    /// Noise of the image of each.
    sigma: Array1<f64>,
}

impl Model {
    /// Returns the map from spectra to coordinates in the subspace.
    fn analysis(&self, scales: &Array1<f64>) -> Array2<f64> {
        &self.basis.t() / scales
    }
}

/// How the values of a cube were made comparable.
#[derive(Debug)]
pub(crate) struct Frame {
    dim: (usize, usize, usize),
    poisson: bool,
    /// Least value and range of each band, if it was scaled.
    ranges: Option<Vec<(f32, f32)>>,
}

impl Frame {
    /// Returns the transformed cube as bands x pixels; values that are not finite are passed over
    /// and stay what they are.
    pub(crate) fn apply(
        cube: ArrayView3<'_, f32>,
        poisson: bool,
        normalise: bool,
    ) -> Result<(Array2<f32>, Self)> {
        let dim @ (bands, rows, cols) = cube.dim();
        let cube = cube.as_standard_layout().into_owned();
        let mut matrix = reshape(cube, (bands, rows * cols))?;
        if poisson {
            matrix.par_mapv_inplace(|x| 2.0 * (x.max(0.0) + 0.375).sqrt());
        }
        let ranges = normalise.then(|| {
            let bands = matrix.axis_iter_mut(Axis(0)).into_par_iter();
            bands
                .map(|mut band| {
                    let finite = || band.iter().copied().filter(|x| x.is_finite());
                    let min = finite().fold(f32::INFINITY, f32::min);
                    let range = finite().fold(f32::NEG_INFINITY, f32::max) - min;
                    // A constant band is shifted alone; so is one whose range overflows.
                    let range = if range > 0.0 && range.is_finite() { range } else { 1.0 };
                    let min = if min.is_finite() { min } else { 0.0 };
                    band.mapv_inplace(|x| (x - min) / range);
                    (min, range)
                })
                .collect()
        });
        Ok((matrix, Self { dim, poisson, ranges }))
    }

    /// Transforms a matrix back.
    pub(crate) fn undo(&self, matrix: &mut Array2<f32>) {
        if let Some(ranges) = &self.ranges {
            let bands = matrix.axis_iter_mut(Axis(0)).into_par_iter();
            bands.zip(ranges).for_each(|(mut band, &(min, range))| {
                band.mapv_inplace(|x| x * range + min);
            });
        }
        if self.poisson {
            matrix.par_mapv_inplace(|x| (x.max(0.0) / 2.0).powi(2) - 0.375);
        }
    }
}

/// Checks a count.
pub(crate) fn at_least_one(
    method: &'static str,
    parameter: &'static str,
    got: usize,
) -> Result<()> {
    let expected = "at least 1";
    let error = Error::Parameter { method, parameter, expected, got: got as f64 };
    if got >= 1 { Ok(()) } else { Err(error) }
}

/// Corrects the noise of a cube of one band, for which there is no other to predict it from.
fn with_spatial_noise(
    mut noise: NoiseEstimate,
    matrix: &Array2<f32>,
    dim: (usize, usize, usize),
) -> Result<NoiseEstimate> {
    if dim.0 == 1 {
        let cube = reshape(matrix.view(), dim)?;
        let sigma = sigmas(&noise, cube)?[0];
        noise.variance[0] = sigma * sigma;
    }
    Ok(noise)
}
