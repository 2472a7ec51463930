//! Sensor noise of a given signal-to-noise ratio.

use ndarray::parallel::prelude::*;
use ndarray::{Array3, ArrayView3, Axis, Zip};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::{Error, Result};

/// Keeps the keys of this crate apart from those of other users of the same seed.
const DOMAIN: [u8; 16] = *b"spectralift.snr.";

/// Independent normal deviates of mean 0 and variance 1.
///
/// Band `b` is drawn from the `ChaCha8` stream number `b` of the key made of `seed` and `index`:
/// the values do not depend on the number of threads, nor a band on how many there are.
///
/// # Shapes
/// - output: `[bands, rows, cols]`
pub fn unit_normals(shape: (usize, usize, usize), seed: u64, index: u64) -> Array3<f32> {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&index.to_le_bytes());
    key[16..].copy_from_slice(&DOMAIN);
    let mut normals = Array3::zeros(shape);
    normals.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(number, mut band)| {
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(number as u64);
        band.iter_mut().for_each(|value| *value = rng.sample(StandardNormal));
    });
    normals
}

/// Adds white noise of a signal-to-noise ratio, band by band.
///
/// ```text
/// σ_b² = mean over pixels of x_b² / 10^(snr_db / 10)
/// ```
///
/// The power of the signal is not centred on its mean, nothing is clipped.
///
/// # Shapes
/// - `cube`, `normals`: `[bands, rows, cols]`; [`unit_normals`] makes the latter
///
/// # Errors
/// [`Error::Setting`] if the ratio is not a finite number, [`Error::Shape`] if shapes differ.
pub fn add_noise(cube: &mut Array3<f32>, snr_db: f64, normals: ArrayView3<'_, f32>) -> Result<()> {
    check_snr(snr_db)?;
    if cube.dim() != normals.dim() {
        return Err(Error::Shape {
            what: "the noise",
            expected: format!("the shape {:?} of the cube", cube.shape()),
            got: normals.shape().to_vec(),
        });
    }
    let ratio = 10f64.powf(snr_db / 10.0);
    Zip::from(cube.axis_iter_mut(Axis(0))).and(normals.axis_iter(Axis(0))).par_for_each(
        |mut band, normals| {
            let power = band.fold(0.0, |sum, &x| sum + f64::from(x).powi(2)) / band.len() as f64;
            let sigma = (power / ratio).sqrt() as f32;
            band.zip_mut_with(&normals, |x, n| *x += sigma * n);
        },
    );
    Ok(())
}

pub(super) fn check_snr(snr_db: f64) -> Result<()> {
    if snr_db.is_finite() {
        return Ok(());
    }
    Err(Error::setting("snr", "a finite number of decibels", snr_db))
}
