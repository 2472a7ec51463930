//! Offsets of whole lines that no scene explains.
//!
//! A scene lies in a subspace of a few spectra; an offset that differs from band to band does not.
//! So which lines carry stripes, and how strong ones, is read off what their mean spectra have
//! outside of the subspace. Inside it a stripe is told from the scene by an estimate of the latter,
//! as far as that has proved right on the lines without stripes.

use ndarray::{Array1, Array2, Axis, s};

use super::moments::{Basis, Moments};
use crate::Result;
use crate::linalg::symmetric_eigen;

/// The line that stands at this share in the order of energies is taken for one without stripes.
const QUIET: f64 = 0.25;
/// Largest energy that such a line is believed to have, 1 being that of noise.
const MOST_QUIET: f64 = 4.0;
/// Width of the distribution of noise that a stripe has to exceed, in standard deviations.
const SPREAD: f64 = 6.0;
/// How much larger than by chance the likeness of neighbouring lines has to be to belong to the
/// scene.
const ALIKE: f64 = 2.0;

/// Returns the mean spectrum of each line as its deviation from the median line, on the scale on
/// which the noise of a value is 1: `[bands, cols]`.
fn deviations(moments: &Moments, inverse: &Array1<f64>) -> Array2<f64> {
    let medians = moments.lines.map_axis(Axis(1), |row| median(row.to_vec()));
    (&moments.lines - medians.insert_axis(Axis(1))) * inverse.view().insert_axis(Axis(1))
}

/// Adds to a basis the spectra in which neighbouring lines deviate alike: those of a scene that
/// changes from line to line but not along them.
///
/// Stripes of neighbours have nothing in common. Products of neighbours then have a spectrum of
/// eigenvalues that is symmetric about 0, as that of a path has, so that the least one tells how
/// large chance makes the largest.
///
/// # Errors
/// As [`symmetric_eigen`].
pub(crate) fn extend(moments: &Moments, basis: Basis, inverse: &Array1<f64>) -> Result<Basis> {
    let cols = moments.lines.ncols();
    if cols < 4 {
        return Ok(basis);
    }
    let outside = basis.outside(&deviations(moments, inverse));
    let products = outside.slice(s![.., ..cols - 1]).dot(&outside.slice(s![.., 1..]).t());
    let eigen = symmetric_eigen((&products + &products.t()).view())?;
    let chance = eigen.values.last().map_or(0.0, |least| least.abs());
    let alike = eigen.values.iter().take_while(|&&value| value > ALIKE * chance).count();
    let most = inverse.iter().filter(|&&x| x > 0.0).count() / 4;
    Ok(basis.with(eigen.vectors.slice(s![.., ..alike.min(most)])))
}

/// Variance of the stripes of each line, on the scale on which the noise of a value is 1; 0 for a
/// line without stripes.
pub(crate) fn find(
    moments: &Moments,
    basis: &Basis,
    inverse: &Array1<f64>,
    threshold: f64,
) -> Array1<f64> {
    let live = inverse.iter().filter(|&&x| x > 0.0).count();
    let free = live.saturating_sub(basis.dimension());
    let cols = moments.lines.ncols();
    if free == 0 || cols < 2 || moments.rows < 2 {
        return Array1::zeros(cols);
    }
    let outside = basis.outside(&deviations(moments, inverse));
    // One for noise alone.
    let scale = moments.rows as f64 / free as f64;
    let energy = outside.map_axis(Axis(0), |line| scale * line.dot(&line));
    let mut sorted = energy.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let quiet = sorted[(QUIET * (cols - 1) as f64) as usize].clamp(1.0, MOST_QUIET);
    let limit = quiet * threshold.max(1.0 + SPREAD * (2.0 / free as f64).sqrt());
    energy.mapv(|energy| if energy > limit { (energy - quiet) / moments.rows as f64 } else { 0.0 })
}

/// Returns the offsets of the lines: `[bands, cols]`.
///
/// `variance` is what [`find`] returns; `estimate` holds the mean of each line of an estimate of
/// the scene.
pub(crate) fn offsets(
    moments: &Moments,
    basis: &Basis,
    sigma: &Array1<f64>,
    inverse: &Array1<f64>,
    variance: &Array1<f64>,
    estimate: &Array2<f64>,
) -> Array2<f64> {
    let noise = 1.0 / moments.rows as f64;
    let differences = (&moments.lines - estimate) * inverse.view().insert_axis(Axis(1));
    let inside = basis.vectors.t().dot(&differences);
    let quiet: Vec<usize> = (0..variance.len()).filter(|&c| variance[c] == 0.0).collect();
    // How far the estimate is from lines that are known: its error and the noise of the mean.
    let error = inside.map_axis(Axis(1), |row| {
        let sum: f64 = quiet.iter().map(|&c| row[c] * row[c]).sum();
        if quiet.len() > 3 { sum / quiet.len() as f64 } else { noise }
    });
    let mut scaled = inside.clone();
    for ((k, c), x) in scaled.indexed_iter_mut() {
        // All of the difference is scaled by the second gain below, this part of it included.
        *x *= gain(variance[c], error[k]) - gain(variance[c], noise);
    }
    let mut offsets = basis.vectors.dot(&scaled);
    for ((b, c), x) in offsets.indexed_iter_mut() {
        *x = sigma[b] * (*x + gain(variance[c], noise) * differences[[b, c]]);
    }
    offsets
}

/// Share of a difference that is put down to a stripe of this variance.
fn gain(variance: f64, error: f64) -> f64 {
    if variance > 0.0 { variance / (variance + error) } else { 0.0 }
}

fn median(mut values: Vec<f64>) -> f64 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}
