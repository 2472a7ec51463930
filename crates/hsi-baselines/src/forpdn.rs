//! FORPDN: a roughness penalty along the spectrum, in the wavelet domain.

use std::ops::Range;

use ndarray::Axis;
use ndarray::parallel::prelude::*;
use ndarray::{Array1, Array2, Array3, ArrayView2, ArrayView3, s};

use crate::denoiser::{as_matrix, ensure_usable, finish_cube};
use crate::frame::{Extension, crop, on_varying_bands, pad, sigmas};
use crate::linalg::{apply_in_place, gram, symmetric_eigen};
use crate::options::{Method, Setting, between, within};
use crate::wavelet::{Wavelet, WaveletTransform};
use crate::{Denoiser, NoiseEstimate, Result, RoughnessFilter, Variant};

/// How the penalty of a level of the wavelet transform is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PenaltySearch {
    /// The least risk over 0 and 29 penalties from 1e-6 to 10 in equal ratios.
    #[default]
    Logarithmic,
    /// The first minimum over equal steps, up to 0.01 for the approximation and to 0.1, 1, 10, ...
    /// for the details from coarse to fine: the published grids.
    Linear,
}

/// Smooths the spectra of wavelet coefficients, each level with a penalty of its own.
///
/// The noise of every band is estimated, and the penalty of each level is that of the least
/// estimated risk (SURE). Constant bands come back as they are.
///
/// [`Variant::Hyde`] computes what HyDe 0.4.3 does: penalties on the linear grids by a risk with a
/// spectral norm, and limits of the levels that fit a transform without border.
///
/// # References
/// B. Rasti, J. Sveinsson, M. Ulfarsson, J. Benediktsson, "Hyperspectral Image Denoising Using
/// First Order Spectral Roughness Penalty in Wavelet Domain", IEEE JSTARS 7(6), 2014.
///
/// # Examples
/// ```
/// use hsi_baselines::{Denoiser, Forpdn};
/// use ndarray::Array3;
///
/// let cube = Array3::from_shape_fn((8, 20, 20), |(b, r, c)| {
///     let noise = ((b * 7 + r * 13 + c * 29) % 17) as f32 / 17.0 - 0.5;
///     (r + c) as f32 * 0.05 + b as f32 * 0.1 + 0.1 * noise
/// });
/// assert_eq!(Forpdn::default().denoise(cube.view())?.dim(), (8, 20, 20));
/// # Ok::<(), hsi_baselines::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forpdn {
    /// Levels of the wavelet transform, at most 10; 0 filters the pixels themselves.
    pub levels: usize,
    /// Vanishing moments of the Daubechies wavelet, 1 to 10.
    pub wavelet: usize,
    /// Range to which every band is scaled, above 0 and at most 1e6; the penalty depends on it.
    pub scale: f64,
    /// How penalties are looked for; [`Variant::Hyde`] has its own way.
    pub search: PenaltySearch,
    /// Which form of the method.
    pub variant: Variant,
}

impl Default for Forpdn {
    fn default() -> Self {
        Self {
            levels: 3,
            wavelet: 6,
            scale: 255.0,
            search: PenaltySearch::default(),
            variant: Variant::default(),
        }
    }
}

impl Forpdn {
    /// Checks the ranges of all parameters.
    ///
    /// # Errors
    /// [`Error::Range`](crate::Error::Range) or [`Error::Parameter`](crate::Error::Parameter) names
    /// the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        between(Self::NAME, "levels", self.levels, 0, 10)?;
        within(Self::NAME, "scale", self.scale, f64::MIN_POSITIVE, 1e6)?;
        Wavelet::daubechies(self.wavelet).map(drop)
    }

    fn denoise_varying(&self, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        let (_, rows, cols) = noisy.dim();
        let step = 1 << self.levels;
        let size = (rows.next_multiple_of(step), cols.next_multiple_of(step));
        let factors = self.factors(noisy);
        let padded = pad(noisy, size, Extension::Reflect);
        let noise = NoiseEstimate::from_pixels(as_matrix(&padded)?)?;
        let sigma: Vec<f64> = sigmas(&noise, padded.view())?;
        let sigma: Vec<f64> = sigma.iter().zip(&factors).map(|(s, factor)| s * factor).collect();
        let filter = RoughnessFilter::new(&sigma)?;
        let transform =
            WaveletTransform::new(Wavelet::daubechies(self.wavelet)?, self.levels, size)?;
        let mut coefficients = transform.forward(padded.view())?;
        drop(padded);
        for (index, range) in self.groups(&transform).into_iter().enumerate() {
            let mut part = coefficients.slice_mut(s![.., range]);
            let mut moments = gram(part.view());
            for ((i, j), value) in moments.indexed_iter_mut() {
                *value *= factors[i] * factors[j];
            }
            let lambda = self.penalty(&filter, &moments, part.ncols(), index)?;
            let mut map = filter.matrix(lambda);
            for ((i, j), value) in map.indexed_iter_mut() {
                *value *= factors[j] / factors[i];
            }
            apply_in_place(map.view(), part.view_mut())?;
        }
        let images = transform.inverse(coefficients.view())?;
        drop(coefficients);
        finish_cube(Self::NAME, crop(images, (rows, cols)))
    }

    /// Returns what every band is multiplied by.
    fn factors(&self, noisy: ArrayView3<'_, f32>) -> Vec<f64> {
        let bands: Vec<_> = noisy.axis_iter(Axis(0)).collect();
        let ranges: Vec<f64> = bands
            .into_par_iter()
            .map(|band| {
                let least = band.fold(f32::INFINITY, |least, &x| least.min(x));
                let most = band.fold(f32::NEG_INFINITY, |most, &x| most.max(x));
                f64::from(most) - f64::from(least)
            })
            .collect();
        // HyDe scales nothing where one range is small.
        if self.variant == Variant::Hyde && ranges.iter().any(|&range| range < 1e-7) {
            return vec![1.0; ranges.len()];
        }
        ranges.into_iter().map(|range| self.scale / range).collect()
    }

    /// Returns which coefficients share a penalty, from coarse to fine.
    fn groups(&self, transform: &WaveletTransform) -> Vec<Range<usize>> {
        match self.variant {
            Variant::Corrected => transform.groups(),
            Variant::Hyde => limits_of_hyde(transform),
        }
    }

    /// Returns the penalty of a group: 0 the approximation, then the details from coarse to fine.
    fn penalty(
        &self,
        filter: &RoughnessFilter,
        moments: &Array2<f64>,
        spectra: usize,
        group: usize,
    ) -> Result<f64> {
        if self.variant == Variant::Hyde {
            return penalty_of_hyde(filter, moments, spectra, group);
        }
        let energies: Array1<f64> = filter.energies(moments, spectra)?;
        let risk = |lambda: &f64| filter.risk(&energies, *lambda);
        Ok(match self.search {
            PenaltySearch::Linear => first_minimum(&linear_grid(group), 1, |l| Ok(risk(&l)))?,
            PenaltySearch::Logarithmic => {
                let ratios = (0..29).map(|i| 10.0_f64.powf(-6.0 + f64::from(i) * 0.25));
                let grid: Vec<f64> = std::iter::once(0.0).chain(ratios).collect();
                let best = grid.iter().min_by(|a, b| risk(a).total_cmp(&risk(b)));
                best.copied().unwrap_or(0.0)
            }
        })
    }
}

/// Returns the published penalties of a group.
fn linear_grid(group: usize) -> Vec<f64> {
    match group {
        0 => (0..11).map(|i| f64::from(i) * 0.001).collect(),
        _ => (0..10).map(|i| f64::from(i) * 10.0_f64.powi(group as i32 - 3)).collect(),
    }
}

/// Returns the penalty before the first increase of the risk, looked for from an index on.
fn first_minimum(grid: &[f64], from: usize, risk: impl Fn(f64) -> Result<f64>) -> Result<f64> {
    let mut before = f64::INFINITY;
    for (index, &lambda) in grid.iter().enumerate() {
        let now = risk(lambda)?;
        if index >= from && now > before {
            return Ok(grid[index - 1]);
        }
        before = now;
    }
    Ok(grid.last().copied().unwrap_or(0.0))
}

/// Returns the limits of the levels as HyDe has them: each starts where a subband of the next
/// coarser level ends, which is right where every level holds four times as many coefficients.
pub(crate) fn limits_of_hyde(transform: &WaveletTransform) -> Vec<Range<usize>> {
    let details = transform.subbands().iter().skip(1).step_by(3);
    // In small images coarse subbands are the larger ones: limits never go back.
    let ends = details.map(|band| band.range.len()).chain([transform.len()]);
    let mut start = 0;
    ends.map(|end| {
        let range = start..end.max(start);
        start = range.end;
        range
    })
    .collect()
}

fn penalty_of_hyde(
    filter: &RoughnessFilter,
    moments: &Array2<f64>,
    spectra: usize,
    group: usize,
) -> Result<f64> {
    let rows = spectra.max(1) as f64;
    first_minimum(&linear_grid(group), 2, |lambda| {
        let removed = Array2::eye(moments.nrows()) - filter.matrix(lambda);
        let norm = largest_eigenvalue(removed.dot(moments).dot(&removed.t()).view())?;
        let trace = 2.0 * filter.weighted_trace(lambda);
        Ok(if group == 0 { norm / rows + trace } else { norm / (rows + trace) })
    })
}

fn largest_eigenvalue(matrix: ArrayView2<'_, f64>) -> Result<f64> {
    Ok(symmetric_eigen(matrix)?.values.first().map_or(0.0, |x| x.max(0.0)))
}

impl Setting for PenaltySearch {
    fn read(&mut self, text: &str) -> bool {
        match text {
            "logarithmic" => *self = Self::Logarithmic,
            "linear" => *self = Self::Linear,
            _ => return false,
        }
        true
    }

    fn show(&self) -> String {
        match self {
            Self::Logarithmic => "logarithmic".to_owned(),
            Self::Linear => "linear".to_owned(),
        }
    }
}

impl Method for Forpdn {
    const NAME: &'static str = "forpdn";
    const ABOUT: &'static str = "spectral smoothing of wavelet coefficients, penalties by SURE";

    fn settings(&mut self) -> Vec<(&'static str, &mut dyn Setting)> {
        vec![
            ("levels", &mut self.levels),
            ("wavelet", &mut self.wavelet),
            ("scale", &mut self.scale),
            ("search", &mut self.search),
            ("variant", &mut self.variant),
        ]
    }

    fn check(&self) -> Result<()> {
        self.validate()
    }
}

impl Denoiser for Forpdn {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn denoise(&self, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        self.validate()?;
        ensure_usable(noisy)?;
        on_varying_bands(noisy, |noisy| self.denoise_varying(noisy))
    }
}
