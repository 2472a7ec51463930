//! Kriging with external drift: what a map from pixel to spectrum leaves, predicted from similar
//! pixels nearby.

use std::collections::BTreeSet;

use ndarray::parallel::prelude::*;
use ndarray::{Array1, Array2, ArrayView2, Axis, s};

use crate::linalg::eigen;
use crate::{Error, Result};

/// Pixels that are fitted to, at most: more only cost time and memory.
const PIXELS: usize = 8192;
/// Pixels that carry the prediction, at most.
const SITES: usize = 768;
/// Spectral modes of the residual that are predicted, at most.
const MODES: usize = 20;
/// Reach over the spectrum, in standard deviations of the multispectral values.
const SPECTRAL_REACH: f64 = 8.0;
/// Candidates for the reach over the ground, in low-resolution pixels.
const SPATIAL_REACHES: [f64; 6] = [1.5, 2.0, 4.0, 8.0, 16.0, 64.0];
/// Candidates for the variance of the noise, as part of that of the field; the last is for a mode
/// that is noise only.
const NOISES: [f64; 11] = [1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0, 10.0, 1e12];
/// Directions of the sites with less than this part of the largest variance are not used.
const MIN_VARIANCE: f64 = 1e-9;

/// A field over multispectral value and place.
///
/// Each principal mode of the residual is a Gaussian field with the covariance
///
/// ```text
/// k((x, p), (x', p')) = exp(-|x - x'|² / 2 ℓ² - |p - p'|² / 2 s²)
/// ```
///
/// of whitened multispectral values `x` and places `p`, seen with noise. The spatial reach `s` and
/// the noise of each mode are those with the least leave-one-out error. With more pixels than
/// sites the field is that of Nyström's approximation.
///
/// # References
/// Hengl, Heuvelink and Stein 2004, doi:10.1016/j.geoderma.2003.08.018; Rasmussen and Williams
/// 2006, "Gaussian processes for machine learning", sections 5.4.2 and 8.3.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kriging {
    whitening: Whitening,
    spatial_reach: f64,
    /// Features of the sites, `[sites, inputs + 2]`.
    sites: Array2<f32>,
    /// Spectra that the sites carry, `[sites, bands]`.
    carried: Array2<f32>,
}

impl Kriging {
    /// Fits the field to the residuals of pixels.
    ///
    /// # Shapes
    /// - `xs`: `[pixels, inputs]`; `places`: `[pixels, 2]`, in low-resolution pixels
    /// - `residuals`: `[pixels, bands]`
    /// - `domain`: `[pixels, inputs]`, values of pixels that are to be predicted: their variance is
    ///   the measure of likeness, so that axes of nothing but noise do not count
    pub(crate) fn fit(
        xs: ArrayView2<'_, f32>,
        places: ArrayView2<'_, f32>,
        residuals: ArrayView2<'_, f32>,
        domain: ArrayView2<'_, f32>,
    ) -> Result<Self> {
        let used = spread(PIXELS, xs.nrows());
        let [xs, places, residuals] = [xs, places, residuals].map(|m| m.select(Axis(0), &used));
        let (xs, places) = (xs.view(), places.view());
        let whitening = Whitening::of(domain)?;
        let residuals = residuals.mapv(f64::from);
        let modes = modes(&residuals)?;
        let scores = residuals.dot(&modes);
        let chosen = spread(SITES, xs.nrows());
        let mut best: Option<(f64, f64, Array2<f32>, Array2<f64>)> = None;
        for reach in SPATIAL_REACHES {
            let features = whitening.features(xs, places, reach);
            let sites = features.select(Axis(0), &chosen);
            let (error, carried) = fit_field(&features, &sites, &scores)?;
            if best.as_ref().is_none_or(|best| error < best.0) {
                best = Some((error, reach, sites, carried));
            }
        }
        let Some((_, spatial_reach, sites, carried)) = best else {
            return Err(Error::setting("spatial reach", "one candidate", 0));
        };
        let carried = carried.dot(&modes.t()).mapv(|v| v as f32);
        Ok(Self { whitening, spatial_reach, sites, carried })
    }

    /// Numbers that were fitted.
    pub(crate) fn parameters(&self) -> usize {
        self.carried.len()
    }

    /// Multiplications and additions for so many pixels: of whitening, distances and sums; the
    /// exponential functions are not counted.
    pub(crate) fn flops(&self, pixels: usize) -> u64 {
        let (sites, bands) = self.carried.dim();
        let inputs = self.whitening.mean.len();
        (2 * pixels * (inputs * inputs + sites * (inputs + 2 + bands))) as u64
    }

    /// The field at pixels, `[pixels, bands]`.
    pub(crate) fn apply(
        &self,
        xs: ArrayView2<'_, f32>,
        places: ArrayView2<'_, f32>,
    ) -> Array2<f32> {
        let features = self.whitening.features(xs, places, self.spatial_reach);
        let mut out = Array2::zeros((xs.nrows(), self.carried.ncols()));
        out.axis_chunks_iter_mut(Axis(0), 256)
            .into_par_iter()
            .zip(features.axis_chunks_iter(Axis(0), 256))
            .for_each(|(mut out, features)| {
                out.assign(&covariance(features, self.sites.view()).dot(&self.carried));
            });
        out
    }
}

/// Makes multispectral values independent and of variance 1.
#[derive(Clone, Debug, PartialEq)]
struct Whitening {
    mean: Array1<f64>,
    /// `[inputs, axes]`
    axes: Array2<f64>,
}

impl Whitening {
    fn of(xs: ArrayView2<'_, f32>) -> Result<Self> {
        let values = xs.mapv(f64::from);
        let mean = values.sum_axis(Axis(0)) / values.nrows().max(1) as f64;
        let centred = &values - &mean;
        let (variances, mut axes) =
            eigen((centred.t().dot(&centred) / values.nrows() as f64).view())?;
        let least = MIN_VARIANCE * variances.iter().copied().fold(0.0, f64::max);
        for (mut axis, &variance) in axes.columns_mut().into_iter().zip(&variances) {
            axis *= if variance > least { 1.0 / variance.sqrt() } else { 0.0 };
        }
        Ok(Self { mean, axes })
    }

    /// Values and places, scaled so that the covariance is `exp(-|difference|² / 2)`.
    fn features(
        &self,
        xs: ArrayView2<'_, f32>,
        places: ArrayView2<'_, f32>,
        spatial_reach: f64,
    ) -> Array2<f32> {
        let (rows, inputs) = xs.dim();
        let mut features = Array2::zeros((rows, inputs + 2));
        let white = (xs.mapv(f64::from) - &self.mean).dot(&self.axes);
        features.slice_mut(s![.., ..inputs]).assign(&white.mapv(|v| (v / SPECTRAL_REACH) as f32));
        let scaled = places.mapv(|v| (f64::from(v) / spatial_reach) as f32);
        features.slice_mut(s![.., inputs..]).assign(&scaled);
        features
    }
}

/// `exp(-|a - b|² / 2)` for all pairs of rows.
fn covariance(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> Array2<f32> {
    let half = |m: ArrayView2<'_, f32>| m.map_axis(Axis(1), |row| 0.5 * row.dot(&row));
    let (half_a, half_b) = (half(a), half(b));
    let mut k = a.dot(&b.t());
    for (mut row, half_a) in k.outer_iter_mut().zip(half_a) {
        row.zip_mut_with(&half_b, |k, half_b| *k = (*k - half_a - half_b).min(0.0).exp());
    }
    k
}

/// The same in double precision, for systems of equations.
fn covariance_f64(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> Array2<f64> {
    let mut k = Array2::zeros((a.nrows(), b.nrows()));
    k.axis_iter_mut(Axis(0)).into_par_iter().zip(a.axis_iter(Axis(0))).for_each(|(mut k, a)| {
        for (k, b) in k.iter_mut().zip(b.outer_iter()) {
            let pairs = a.iter().zip(b);
            let square: f64 = pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum();
            *k = (-0.5 * square).exp();
        }
    });
    k
}

/// Principal modes of residuals, as columns, the strongest first.
fn modes(residuals: &Array2<f64>) -> Result<Array2<f64>> {
    let (pixels, bands) = residuals.dim();
    let (_, axes) = eigen((residuals.t().dot(residuals) / pixels.max(1) as f64).view())?;
    let count = MODES.min(bands);
    Ok(axes.slice(s![.., bands - count..]).slice(s![.., ..;-1]).to_owned())
}

/// At most `count` of `all` pixels, evenly spread: steps of the golden section do not fall on the
/// same columns of an image again and again.
fn spread(count: usize, all: usize) -> Vec<usize> {
    if count >= all {
        return (0..all).collect();
    }
    let place = |i: usize| ((i as f64 * 0.618_033_988_749_894_9).fract() * all as f64) as usize;
    let chosen: BTreeSet<usize> = (0..count).map(place).filter(|&at| at < all).collect();
    chosen.into_iter().collect()
}

/// The least leave-one-out error and what the sites then carry for each mode.
fn fit_field(
    features: &Array2<f32>,
    sites: &Array2<f32>,
    scores: &Array2<f64>,
) -> Result<(f64, Array2<f64>)> {
    let (variances, axes) = eigen(covariance_f64(sites.view(), sites.view()).view())?;
    let least = MIN_VARIANCE * variances.iter().copied().fold(0.0, f64::max);
    let first = variances.iter().position(|&v| v > least).unwrap_or(0);
    let variances = variances.slice(s![first..]).to_owned();
    let axes = axes.slice(s![.., first..]).to_owned();
    // Coordinates in which the field is white: [pixels, directions].
    let scaled = &axes / &variances.mapv(f64::sqrt);
    let (coordinates, turn, power) = if features.nrows() == sites.nrows() {
        // Each pixel is a site: the coordinates are already orthogonal.
        (&axes * &variances.mapv(f64::sqrt), None, variances)
    } else {
        let coordinates = covariance_f64(features.view(), sites.view()).dot(&scaled);
        let (power, turn) = eigen(coordinates.t().dot(&coordinates).view())?;
        (coordinates.dot(&turn), Some(turn), power)
    };
    let scaled = match turn {
        Some(turn) => scaled.dot(&turn),
        None => scaled,
    };
    let moments = coordinates.t().dot(scores);
    let modes = scores.ncols();
    let mut best = vec![(f64::INFINITY, 0.0); modes];
    for noise in NOISES {
        let shrunk = power.mapv(|p| 1.0 / (p.max(0.0) + noise));
        let fitted = coordinates.dot(&(&moments * &shrunk.view().insert_axis(Axis(1))));
        let mut errors = vec![0.0; modes];
        let rows = scores.outer_iter().zip(fitted.outer_iter()).zip(coordinates.outer_iter());
        for ((score, fit), at) in rows {
            let leverage: f64 = at.iter().zip(&shrunk).map(|(c, w)| c * c * w).sum();
            let left = (1.0 - leverage).max(1e-6);
            for (error, (score, fit)) in errors.iter_mut().zip(score.iter().zip(fit)) {
                *error += ((score - fit) / left).powi(2);
            }
        }
        for (best, error) in best.iter_mut().zip(errors) {
            if error < best.0 {
                *best = (error, noise);
            }
        }
    }
    let mut carried = moments;
    for (mut carried, &(_, noise)) in carried.columns_mut().into_iter().zip(&best) {
        carried.zip_mut_with(&power, |c, p| *c /= p.max(0.0) + noise);
    }
    Ok((best.iter().map(|best| best.0).sum(), scaled.dot(&carried)))
}
