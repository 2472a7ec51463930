//! What a model does to one band.

use ndarray::ArrayViewMut2;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson, StandardNormal};

use crate::NoiseModel;
use crate::stream::Address;

/// Above this many expected counts photon noise is below the precision of `f32`.
const MAX_COUNTS: f64 = 1e15;

/// A model with what it drew once for the whole cube.
pub(crate) struct Prepared {
    model: NoiseModel,
    address: Address,
    /// Columns of the stripes, ascending.
    columns: Vec<usize>,
}

impl Prepared {
    /// Draws what all bands share.
    pub(crate) fn new(model: NoiseModel, address: Address, cols: usize) -> Self {
        let columns = match model {
            NoiseModel::Stripe { fraction, .. } => {
                draw_columns(&mut address.cube(), cols, fraction)
            }
            _ => Vec::new(),
        };
        Self { model, address, columns }
    }

    /// Applies the model to the band with this number.
    pub(crate) fn apply(&self, band: usize, mut values: ArrayViewMut2<'_, f32>) {
        if values.is_empty() {
            return;
        }
        let mut rng = self.address.band(band);
        match self.model {
            NoiseModel::Gaussian { sigma } => add_normal(&mut rng, &mut values, sigma),
            NoiseModel::NonIid { sigma_min, sigma_max } => {
                let sigma = sigma_min + (sigma_max - sigma_min) * rng.random::<f64>();
                add_normal(&mut rng, &mut values, sigma);
            }
            NoiseModel::Snr { snr_db } => {
                let power =
                    values.fold(0.0, |sum, &x| sum + f64::from(x).powi(2)) / values.len() as f64;
                add_normal(&mut rng, &mut values, (power / 10f64.powf(snr_db / 10.0)).sqrt());
            }
            NoiseModel::Stripe { intensity, .. } => {
                let intensity = intensity as f32;
                for &column in &self.columns {
                    let offset = rng.random_range(-1.0f32..=1.0) * intensity;
                    values.column_mut(column).mapv_inplace(|x| x + offset);
                }
            }
            NoiseModel::DeadLine { fraction } => {
                for column in draw_columns(&mut rng, values.ncols(), fraction) {
                    values.column_mut(column).fill(0.0);
                }
            }
            NoiseModel::Impulse { fraction } => {
                // One draw a value: below `pepper` black, below `salt` white, else unchanged.
                let salt = (fraction * 2f64.powi(32)).round() as u64;
                let pepper = salt / 2;
                values.iter_mut().for_each(|x| {
                    let draw = u64::from(rng.random::<u32>());
                    if draw < salt {
                        *x = if draw < pepper { 0.0 } else { 1.0 };
                    }
                });
            }
            NoiseModel::Poisson { peak } => values.iter_mut().for_each(|x| {
                *x = photon_noise(&mut rng, *x, peak);
            }),
            NoiseModel::Clip { min, max } => {
                let (min, max) = (min as f32, max as f32);
                values.iter_mut().for_each(|x| *x = x.clamp(min, max));
            }
        }
    }
}

/// Draws `floor(fraction * cols)` different columns, ascending.
fn draw_columns(rng: &mut ChaCha8Rng, cols: usize, fraction: f64) -> Vec<usize> {
    // The small term keeps products such as 0.29 * 100 from falling below the integer they mean.
    let count = (fraction * cols as f64 + 1e-9).floor() as usize;
    let mut columns = rand::seq::index::sample(rng, cols, count.min(cols)).into_vec();
    columns.sort_unstable();
    columns
}

fn add_normal(rng: &mut ChaCha8Rng, values: &mut ArrayViewMut2<'_, f32>, sigma: f64) {
    let sigma = sigma as f32;
    if sigma == 0.0 {
        return;
    }
    values.iter_mut().for_each(|x| {
        let z: f32 = StandardNormal.sample(rng);
        *x += sigma * z;
    });
}

fn photon_noise(rng: &mut ChaCha8Rng, x: f32, peak: f64) -> f32 {
    let counts = f64::from(x) * peak;
    if counts <= 0.0 {
        return 0.0;
    }
    // NaN, infinity and huge counts pass unchanged.
    if !counts.is_finite() || counts > MAX_COUNTS {
        return x;
    }
    match Poisson::new(counts) {
        Ok(poisson) => (poisson.sample(rng) / peak) as f32,
        Err(_) => x,
    }
}
