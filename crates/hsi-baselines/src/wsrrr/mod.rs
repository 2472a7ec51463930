//! WSRRR: wavelet-based sparse reduced-rank regression.

mod block;
mod sweep;

use std::ops::Range;

use ndarray::parallel::prelude::*;
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, CowArray, s};

use crate::denoiser::{as_matrix, ensure_usable, finish};
use crate::forpdn::limits_of_hyde;
use crate::frame::{divisors, median_deviation, on_varying_bands};
use crate::linalg::{apply, gram, procrustes, symmetric_eigen};
use crate::options::{Method, Setting, between, within};
use crate::shrink::SureGrid;
use crate::wavelet::{Wavelet, WaveletTransform};
use crate::{Denoiser, Error, Result, Variant};
use sweep::{Real, Sweep};

/// Finds few images with sparse wavelet coefficients, and orthonormal spectra, whose product is the
/// whitened cube.
///
/// The noise of every band is estimated from its finest wavelet coefficients. The thresholds, one
/// for each image and level, are those of the least estimated risk (SURE) at the start; then
/// shrinkage and the spectra (an orthogonal Procrustes problem) alternate. Constant bands come back
/// as they are.
///
/// # References
/// B. Rasti, J. Sveinsson, M. Ulfarsson, "Wavelet-Based Sparse Reduced-Rank Regression for
/// Hyperspectral Image Restoration", IEEE TGRS 52(10), 2014. HyDe 0.4.3 ([`Variant::Hyde`]) starts
/// from columns of the transposed singular vectors, whose values depend on the arbitrary signs of a
/// decomposition, takes one component more, and uses limits of the levels that fit a transform
/// without border; [`denoise_from`](Self::denoise_from) repeats it from a known start.
///
/// # Examples
/// ```
/// use hsi_baselines::{Denoiser, Wsrrr};
/// use ndarray::Array3;
///
/// let cube = Array3::from_shape_fn((8, 20, 20), |(b, r, c)| {
///     let noise = ((b * 7 + r * 13 + c * 29) % 17) as f32 / 17.0 - 0.5;
///     (r + c) as f32 * 0.05 + b as f32 * 0.1 + 0.1 * noise
/// });
/// let method = Wsrrr { rank: 2, ..Wsrrr::default() };
/// assert_eq!(method.denoise(cube.view())?.dim(), (8, 20, 20));
/// # Ok::<(), hsi_baselines::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wsrrr {
    /// Number of components, 1 to 10,000; more than there are bands makes no difference.
    pub rank: usize,
    /// Levels of the wavelet transform, 1 to 10.
    pub levels: usize,
    /// Vanishing moments of the Daubechies wavelet, 1 to 10.
    pub wavelet: usize,
    /// Number of thresholds that are tried, at least 2, up to the universal one; in
    /// [`Variant::Hyde`] up to the root of its logarithm. Unset it is 32, in `Hyde` 15.
    pub thresholds: Option<usize>,
    /// Most alternations, 1 to 100,000.
    pub iterations: usize,
    /// Largest change of a spectrum at which alternations stop, at least 0; not in
    /// [`Variant::Hyde`].
    pub tolerance: f64,
    /// Which form of the method.
    pub variant: Variant,
}

impl Default for Wsrrr {
    fn default() -> Self {
        Self {
            rank: 10,
            levels: 3,
            wavelet: 5,
            thresholds: None,
            iterations: 200,
            tolerance: 1e-6,
            variant: Variant::default(),
        }
    }
}

/// A cube in the wavelet domain.
struct Whitened<T> {
    transform: WaveletTransform,
    /// Standard deviations of the noise of the bands.
    omega: Vec<f64>,
    /// Coefficients over the deviation of their band: `[bands, coefficients]`.
    coefficients: Array2<T>,
    /// Coefficients that share a threshold.
    groups: Vec<Range<usize>>,
}

impl Wsrrr {
    /// Checks the ranges of all parameters.
    ///
    /// # Errors
    /// [`Error::Range`] or [`Error::Parameter`] names the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        between(Self::NAME, "rank", self.rank, 1, 10_000)?;
        between(Self::NAME, "levels", self.levels, 1, 10)?;
        Wavelet::daubechies(self.wavelet)?;
        if let Some(thresholds) = self.thresholds {
            between(Self::NAME, "thresholds", thresholds, 2, 10_000)?;
        }
        between(Self::NAME, "iterations", self.iterations, 1, 100_000)?;
        within(Self::NAME, "tolerance", self.tolerance, 0.0, f64::MAX)
    }

    /// Denoises a cube from spectra to start with.
    ///
    /// # Shapes
    /// `noisy` and the result: `[bands, rows, cols]`; `start`: orthonormal columns `[bands, rank]`,
    /// for the whitened cube.
    ///
    /// # Errors
    /// As [`denoise`](Denoiser::denoise), and [`Error::Shape`] for a start of another number of
    /// bands.
    pub fn denoise_from(
        &self,
        noisy: ArrayView3<'_, f32>,
        start: ArrayView2<'_, f64>,
    ) -> Result<Array3<f32>> {
        self.validate()?;
        ensure_usable(noisy)?;
        let bands = noisy.dim().0;
        if start.nrows() != bands || start.ncols() > bands {
            let expected = vec![bands, start.ncols().min(bands)];
            return Err(Error::Shape { expected, got: start.shape().to_vec() });
        }
        let noisy = noisy.as_standard_layout();
        self.regress(noisy.view(), |_| Ok(start.to_owned()))
    }

    /// Returns the standard deviation of the noise of every band that the method works with.
    ///
    /// # Shapes
    /// `noisy`: `[bands, rows, cols]`.
    ///
    /// # Errors
    /// As [`denoise`](Denoiser::denoise).
    pub fn noise_levels(&self, noisy: ArrayView3<'_, f32>) -> Result<Vec<f64>> {
        self.validate()?;
        ensure_usable(noisy)?;
        Ok(self.whiten::<f32>(noisy)?.omega)
    }

    fn denoise_varying(&self, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        let noisy = noisy.as_standard_layout();
        self.regress(noisy.view(), |omega| {
            let mut moments = gram(as_matrix(&noisy)?);
            for ((i, j), value) in moments.indexed_iter_mut() {
                *value /= omega[i] * omega[j];
            }
            let vectors = symmetric_eigen(moments.view())?.vectors;
            let most = omega.len();
            Ok(match self.variant {
                Variant::Corrected => vectors.slice(s![.., ..self.rank.min(most)]).to_owned(),
                Variant::Hyde => vectors.t().slice(s![.., ..(self.rank + 1).min(most)]).to_owned(),
            })
        })
    }

    /// Alternates from the spectra that `start` gives for the noise levels of the bands.
    ///
    /// From its start HyDe does not converge in its 200 alternations, so that rounding errors grow:
    /// that variant is computed in f64.
    fn regress(
        &self,
        noisy: ArrayView3<'_, f32>,
        start: impl FnOnce(&[f64]) -> Result<Array2<f64>>,
    ) -> Result<Array3<f32>> {
        match self.variant {
            Variant::Corrected => self.regress_in(noisy, self.whiten::<f32>(noisy)?, start),
            Variant::Hyde => {
                let wide = noisy.mapv(f64::from);
                self.regress_in(noisy, self.whiten(wide.view())?, start)
            }
        }
    }

    fn whiten<T: Real>(&self, noisy: ArrayView3<'_, T>) -> Result<Whitened<T>> {
        let (_, rows, cols) = noisy.dim();
        let wavelet = Wavelet::daubechies(self.wavelet)?;
        let transform = WaveletTransform::new(wavelet, self.levels, (rows, cols))?;
        let groups = match self.variant {
            Variant::Corrected => transform.groups(),
            Variant::Hyde => limits_of_hyde(&transform),
        };
        // The noise is that of the finest level, or what HyDe takes for it.
        let finest = groups.last().map_or(0, |range| range.start);
        let mut coefficients = transform.forward(noisy)?;
        let deviations: Vec<f64> = coefficients
            .axis_iter(Axis(0))
            .into_par_iter()
            .map(|band| median_deviation(band.slice(s![finest..]).iter().map(|&x| x.into())))
            .collect();
        let omega = divisors(deviations);
        coefficients.axis_iter_mut(Axis(0)).into_par_iter().zip(&omega).for_each(
            |(mut band, omega)| {
                let factor = T::round_from(1.0 / omega);
                band.mapv_inplace(|x| x * factor);
            },
        );
        Ok(Whitened { transform, omega, coefficients, groups })
    }

    /// Returns the threshold of every component and group.
    fn thresholds<T: Real>(
        &self,
        components: ArrayView2<'_, T>,
        groups: &[Range<usize>],
    ) -> Array2<T> {
        let mut chosen = Array2::zeros((components.nrows(), groups.len()));
        let pairs =
            components.axis_iter(Axis(0)).into_par_iter().zip(chosen.axis_iter_mut(Axis(0)));
        pairs.for_each(|(component, mut chosen)| {
            for (threshold, range) in chosen.iter_mut().zip(groups) {
                let values = component.slice(s![range.clone()]).to_vec();
                let grid = match self.variant {
                    Variant::Corrected => {
                        SureGrid::universal(self.thresholds.unwrap_or(32), values.len())
                    }
                    Variant::Hyde => SureGrid::short(self.thresholds.unwrap_or(15)),
                };
                *threshold = T::round_from(grid.choose(&values).threshold);
            }
        });
        chosen
    }

    fn regress_in<T: Real>(
        &self,
        noisy: ArrayView3<'_, f32>,
        whitened: Whitened<T>,
        start: impl FnOnce(&[f64]) -> Result<Array2<f64>>,
    ) -> Result<Array3<f32>> {
        let Whitened { transform, omega, coefficients, groups } = whitened;
        let mut spectra = start(&omega)?;
        let mut sweep = Sweep::new(coefficients.view(), spectra.ncols(), &groups);
        drop(coefficients);
        sweep.run(&spectra, &Array2::zeros((spectra.ncols(), groups.len())));
        let mut thresholds = self.thresholds(sweep.components().view(), &groups);
        sweep.forget();
        for iteration in 0..self.iterations {
            let cross = sweep.run(&spectra, &thresholds);
            if iteration == 0 && self.variant == Variant::Hyde && groups.len() > 1 {
                // HyDe stores the threshold of the coarsest details in the place of the first.
                let coarsest = thresholds.column(1).to_owned();
                thresholds.column_mut(0).assign(&coarsest);
                sweep.forget();
            }
            let next = procrustes(cross.view())?;
            let change = (&next - &spectra).fold(0.0, |max: f64, x| max.max(x.abs()));
            sweep.moved(&distances(&next, &spectra));
            spectra = next;
            if self.variant == Variant::Corrected && change < self.tolerance {
                break;
            }
        }
        let components = sweep.components();
        drop(sweep);
        let images = transform.inverse(components.view())?;
        let images = CowArray::from(images.mapv(|x| x.into() as f32));
        let scale = ndarray::aview1(&omega).insert_axis(Axis(1));
        finish(Self::NAME, apply((&spectra * &scale).view(), as_matrix(&images)?)?, noisy.dim())
    }
}

/// Returns the distance of every column of one matrix from that of the other.
fn distances(a: &Array2<f64>, b: &Array2<f64>) -> Vec<f64> {
    (a - b).columns().into_iter().map(|column| column.dot(&column).sqrt()).collect()
}

impl Method for Wsrrr {
    const NAME: &'static str = "wsrrr";
    const ABOUT: &'static str = "few images of sparse wavelets and orthonormal spectra";

    fn settings(&mut self) -> Vec<(&'static str, &mut dyn Setting)> {
        vec![
            ("rank", &mut self.rank),
            ("levels", &mut self.levels),
            ("wavelet", &mut self.wavelet),
            ("thresholds", &mut self.thresholds),
            ("iterations", &mut self.iterations),
            ("tolerance", &mut self.tolerance),
            ("variant", &mut self.variant),
        ]
    }

    fn check(&self) -> Result<()> {
        self.validate()
    }
}

impl Denoiser for Wsrrr {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn denoise(&self, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        self.validate()?;
        ensure_usable(noisy)?;
        on_varying_bands(noisy, |noisy| self.denoise_varying(noisy))
    }
}
