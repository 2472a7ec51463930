//! HyRes: sparse and low-rank modelling without parameters to tune.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, s};
use rayon::prelude::*;

use crate::denoiser::{as_matrix, ensure_usable, finish, into_images};
use crate::frame::{Extension, crop, on_varying_bands, pad, sigmas};
use crate::linalg::{apply, gram, symmetric_eigen};
use crate::options::{Method, Setting};
use crate::shrink::{SureGrid, soft};
use crate::wavelet::{Wavelet, WaveletTransform};
use crate::{Denoiser, NoiseEstimate, Result, Variant};

/// Principal components that are transformed at once.
const CHUNK: usize = 8;

/// Shrinks the wavelet coefficients of the leading principal components of the whitened cube.
///
/// The noise of every band is estimated; of the components of the whitened cube those are kept
/// whose estimated risk still rises, each with the threshold of the least risk (SURE). Values may
/// have any scale. Constant bands come back as they are.
///
/// [`Variant::Hyde`] keeps the same components without any threshold, by another rule for their
/// number, as HyDe 0.4.3 does: a truncated decomposition of the whitened cube.
///
/// # References
/// B. Rasti, M. Ulfarsson, P. Ghamisi, "Automatic Hyperspectral Image Restoration Using Sparse and
/// Low-Rank Modeling", IEEE GRSL 14(12), 2017.
///
/// # Examples
/// ```
/// use hsi_baselines::{Denoiser, Hyres};
/// use ndarray::Array3;
///
/// let cube = Array3::from_shape_fn((8, 20, 20), |(b, r, c)| {
///     let noise = ((b * 7 + r * 13 + c * 29) % 17) as f32 / 17.0 - 0.5;
///     (r + c) as f32 * 0.05 + b as f32 * 0.1 + 0.1 * noise
/// });
/// assert_eq!(Hyres::default().denoise(cube.view())?.dim(), (8, 20, 20));
/// # Ok::<(), hsi_baselines::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hyres {
    /// Levels of the wavelet transform, at most 10; the image is padded to a multiple of `2^levels`.
    pub levels: usize,
    /// Vanishing moments of the Daubechies wavelet, 1 to 10.
    pub wavelet: usize,
    /// Number of thresholds that are tried, at least 2, from 0 to the root of its logarithm.
    pub thresholds: usize,
    /// Fewest components that are kept, less one.
    pub min_iterations: usize,
    /// Which form of the method.
    pub variant: Variant,
}

impl Default for Hyres {
    fn default() -> Self {
        let variant = Variant::default();
        Self { levels: 5, wavelet: 5, thresholds: 15, min_iterations: 2, variant }
    }
}

impl Hyres {
    /// Checks the ranges of all parameters.
    ///
    /// # Errors
    /// [`Error::Range`](crate::Error::Range) or [`Error::Parameter`](crate::Error::Parameter) names the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        crate::options::between(Self::NAME, "levels", self.levels, 0, 10)?;
        Wavelet::daubechies(self.wavelet)?;
        SureGrid::short(self.thresholds).validate()
    }

    fn denoise_varying(&self, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        let dim = noisy.dim();
        let (_, rows, cols) = dim;
        let noisy = noisy.as_standard_layout();
        let noise = NoiseEstimate::from_pixels(as_matrix(&noisy)?)?;
        let sigma = sigmas(&noise, noisy.view())?;
        let (size, extension) = self.padded_size(rows, cols);
        let padded = pad(noisy.view(), size, extension);
        let mut moments =
            if size == (rows, cols) { noise.moments } else { gram(as_matrix(&padded)?) };
        for ((i, j), value) in moments.indexed_iter_mut() {
            *value /= sigma[i] * sigma[j];
        }
        let spectra = symmetric_eigen(moments.view())?.vectors;
        // A component is a weighted sum of bands, and bands are weighted sums of components.
        let analysis = Array2::from_shape_fn(spectra.dim(), |(i, b)| spectra[[b, i]] / sigma[b]);
        let synthesis = Array2::from_shape_fn(spectra.dim(), |(b, i)| spectra[[b, i]] * sigma[b]);
        let size = match self.variant {
            Variant::Corrected => size,
            // HyDe reads the rows of a component as columns.
            Variant::Hyde => (size.1, size.0),
        };
        let transform =
            WaveletTransform::new(Wavelet::daubechies(self.wavelet)?, self.levels, size)?;
        let grid = SureGrid::short(self.thresholds);
        let components = |range: std::ops::Range<usize>| -> Result<Array2<f32>> {
            let images = apply(analysis.slice(s![range, ..]), as_matrix(&padded)?)?;
            transform.forward(into_images(images, size)?.view())
        };
        if self.variant == Variant::Hyde {
            let rank = self.rank_of_hyde(&grid, spectra.ncols(), components)?;
            let map = synthesis.slice(s![.., ..rank]).dot(&analysis.slice(s![..rank, ..]));
            return finish(Self::NAME, apply(map.view(), as_matrix(&noisy)?)?, dim);
        }
        let kept = self.shrunk_components(&grid, spectra.ncols(), components)?;
        let rank = kept.nrows();
        let images = transform.inverse(kept.view())?;
        drop(kept);
        let images = ndarray::CowArray::from(crop(images, (rows, cols)));
        let denoised = apply(synthesis.slice(s![.., ..rank]), as_matrix(&images)?)?;
        finish(Self::NAME, denoised, dim)
    }

    /// Returns the size that is transformed.
    fn padded_size(&self, rows: usize, cols: usize) -> ((usize, usize), Extension) {
        let step = 1 << self.levels;
        match self.variant {
            Variant::Corrected => {
                let size = (rows.next_multiple_of(step), cols.next_multiple_of(step));
                (size, Extension::Symmetric)
            }
            // HyDe looks at the rows only, and then adds columns even where there are enough.
            Variant::Hyde if rows.is_multiple_of(step) => ((rows, cols), Extension::Reflect),
            Variant::Hyde => {
                ((rows.next_multiple_of(step), (cols / step + 1) * step), Extension::Reflect)
            }
        }
    }

    /// Returns the thresholded coefficients of the components that are kept.
    ///
    /// Components come in descending order of energy, and the risk of one (negative where there is
    /// signal) rises as long as the next holds less signal.
    fn shrunk_components(
        &self,
        grid: &SureGrid,
        bands: usize,
        components: impl Fn(std::ops::Range<usize>) -> Result<Array2<f32>>,
    ) -> Result<Array2<f32>> {
        let least = |risks: &[f64]| risks.iter().copied().fold(f64::INFINITY, f64::min);
        let mut chunks = Vec::new();
        let mut last: Option<Vec<f64>> = None;
        let mut rank = bands;
        for start in (0..bands).step_by(CHUNK) {
            let mut chunk = components(start..bands.min(start + CHUNK))?;
            let risks = risks(grid, chunk.view());
            for (index, risks) in risks.iter().enumerate() {
                if let Some(last) = last.as_ref().filter(|_| start + index > self.min_iterations) {
                    let rises = risks.iter().zip(last).all(|(now, before)| now > before);
                    if !rises || least(risks) <= least(last) {
                        rank = start + index;
                        break;
                    }
                }
                let threshold = grid.least(risks).threshold as f32;
                chunk.row_mut(index).mapv_inplace(|x| soft(x, threshold));
                last = Some(risks.clone());
            }
            chunks.push(chunk);
            if rank < bands {
                break;
            }
        }
        let views: Vec<_> = chunks.iter().map(|chunk| chunk.view()).collect();
        let all = match ndarray::concatenate(Axis(0), &views) {
            Ok(all) => all,
            Err(_) => components(0..0)?, // there is at least one band, and one chunk
        };
        Ok(all.slice_move(s![..rank, ..]))
    }

    /// Returns the number of components that HyDe keeps; its sums are made in f32.
    fn rank_of_hyde(
        &self,
        grid: &SureGrid,
        bands: usize,
        components: impl Fn(std::ops::Range<usize>) -> Result<Array2<f32>>,
    ) -> Result<usize> {
        let mut curves: Vec<Vec<f64>> = Vec::new();
        let (mut energy, mut count) = (0.0, 0);
        for start in (0..bands).step_by(CHUNK) {
            let chunk = components(start..bands.min(start + CHUNK))?;
            let squares = chunk
                .axis_iter(Axis(0))
                .map(|row| row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>());
            energy += squares.sum::<f64>();
            count += chunk.len();
            curves.extend(risks(grid, chunk.view()));
        }
        let constant = (energy - count as f64) as f32;
        let least = |costs: &[f32]| costs.iter().copied().fold(f32::INFINITY, f32::min);
        let mut sum = vec![0.0_f32; grid.points];
        let mut before = f32::INFINITY;
        for (r, curve) in curves.iter().enumerate() {
            let costs: Vec<f32> =
                curve.iter().zip(&sum).map(|(&s, &sum)| s as f32 + sum + constant).collect();
            let now = least(&costs);
            if r > self.min_iterations && now <= 2.0 * before {
                return Ok(r);
            }
            sum.iter_mut().zip(&costs).for_each(|(sum, cost)| *sum += cost);
            before = now;
        }
        Ok(bands.saturating_sub(1).max(1))
    }
}

/// Returns the risks of every row.
fn risks(grid: &SureGrid, coefficients: ArrayView2<'_, f32>) -> Vec<Vec<f64>> {
    let rows: Vec<_> = coefficients.axis_iter(Axis(0)).collect();
    rows.into_par_iter().map(|row| grid.risks(&row.to_vec())).collect()
}

impl Method for Hyres {
    const NAME: &'static str = "hyres";
    const ABOUT: &'static str = "SURE thresholds on the wavelets of principal components";

    fn settings(&mut self) -> Vec<(&'static str, &mut dyn Setting)> {
        vec![
            ("levels", &mut self.levels),
            ("wavelet", &mut self.wavelet),
            ("thresholds", &mut self.thresholds),
            ("min-iterations", &mut self.min_iterations),
            ("variant", &mut self.variant),
        ]
    }

    fn check(&self) -> Result<()> {
        self.validate()
    }
}

impl Denoiser for Hyres {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn denoise(&self, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        self.validate()?;
        ensure_usable(noisy)?;
        on_varying_bands(noisy, |noisy| self.denoise_varying(noisy))
    }
}
