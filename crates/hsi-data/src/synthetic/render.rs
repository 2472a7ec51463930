//! From landscape and spectra to a cube.

use ndarray::linalg::general_mat_mul;
use ndarray::parallel::prelude::*;
use ndarray::{Array2, Array3, ArrayViewMut2, Axis, Zip};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::config::SceneConfig;
use super::landscape::{COUNT, Landscape, MATERIALS};
use super::spectra;
use crate::cube::Cube;
use crate::error::Result;
use crate::meta::CubeMeta;

/// Planes of the painted landscape: the share of each material times the gain, then the shade.
const PLANES: usize = COUNT + 1;

/// Makes a scene of reflectance, about 0 to 0.7, the same for the same seed on any number of
/// threads.
///
/// Besides the cube itself, memory for 22 planes of it is used.
///
/// # Shapes
/// - output: `[wavelengths_nm.len(), rows, cols]`
///
/// # Errors
/// [`Error::Config`](crate::Error::Config) if the configuration makes no sense.
pub fn generate(config: &SceneConfig, seed: u64) -> Result<Cube> {
    config.validate()?;
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let spectra = draw_spectra(config, rng);
    let landscape = Landscape::draw(config, rng);
    let blur = point_spread(rng.random_range(0.4..0.75));
    let sky = sky_light(&config.wavelengths_nm, rng.random_range(0.1..0.3));
    let planes = paint(config, &landscape, &blur);

    let (rows, cols) = (config.rows, config.cols);
    let mut data = Array3::<f32>::zeros((config.bands(), rows, cols));
    data.axis_iter_mut(Axis(1)).into_par_iter().enumerate().for_each_init(
        || Array2::<f32>::zeros((PLANES, cols)),
        |seen, (row, mut line)| {
            blur_down(&planes, row, &blur, seen);
            let (shares, shade) = seen.view().split_at(Axis(0), COUNT);
            general_mat_mul(1.0, &spectra, &shares, 0.0, &mut line);
            for (mut band, &sky) in line.axis_iter_mut(Axis(0)).zip(&sky) {
                Zip::from(&mut band).and(&shade.row(0)).for_each(|value, &shade| {
                    *value *= 1.0 - shade * (1.0 - sky);
                });
            }
        },
    );
    let wavelengths_nm = Some(config.wavelengths_nm.clone());
    Cube::new(data, CubeMeta { wavelengths_nm, ..CubeMeta::default() })
}

/// Reflectance of every material, `[bands, materials]`.
fn draw_spectra(config: &SceneConfig, rng: &mut ChaCha8Rng) -> Array2<f32> {
    let kinds = MATERIALS.iter().flat_map(|&(kind, count)| std::iter::repeat_n(kind, count));
    let mut spectra = Array2::zeros((config.bands(), COUNT));
    for (mut column, kind) in spectra.columns_mut().into_iter().zip(kinds) {
        let drawn = spectra::draw(kind, &config.wavelengths_nm, rng);
        column.iter_mut().zip(drawn).for_each(|(to, from)| *to = from);
    }
    spectra
}

/// Evaluates the landscape and blurs it along the rows, `[rows, planes, cols]`.
fn paint(config: &SceneConfig, landscape: &Landscape, blur: &[f32]) -> Array3<f32> {
    let mut planes = Array3::<f32>::zeros((config.rows, PLANES, config.cols));
    planes.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(row, mut line)| {
        for (col, mut pixel) in line.axis_iter_mut(Axis(1)).enumerate() {
            let found = landscape.pixel(col as f32, row as f32);
            for (to, share) in pixel.iter_mut().zip(found.shares) {
                *to = share * found.gain;
            }
            pixel[COUNT] = found.shade;
        }
        blur_along(line.view_mut(), blur);
    });
    planes
}

/// Half of a normalised Gaussian: the weight of a pixel itself, then of each neighbour outwards.
fn point_spread(sigma: f32) -> Vec<f32> {
    let half: Vec<f32> = (0..3).map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp()).collect();
    let total = half[0] + 2.0 * (half[1] + half[2]);
    half.into_iter().map(|weight| weight / total).collect()
}

fn blur_along(mut line: ArrayViewMut2<'_, f32>, blur: &[f32]) {
    let mut copy = Vec::new();
    for mut plane in line.rows_mut() {
        copy.clear();
        copy.extend(plane.iter().copied());
        let last = copy.len() - 1;
        for (col, value) in plane.iter_mut().enumerate() {
            *value = blur[0] * copy[col];
            for (reach, weight) in blur.iter().enumerate().skip(1) {
                let (left, right) = (col.saturating_sub(reach), (col + reach).min(last));
                *value += weight * (copy[left] + copy[right]);
            }
        }
    }
}

fn blur_down(planes: &Array3<f32>, row: usize, blur: &[f32], out: &mut Array2<f32>) {
    let last = planes.dim().0 - 1;
    out.assign(&planes.index_axis(Axis(0), row));
    *out *= blur[0];
    for (reach, &weight) in blur.iter().enumerate().skip(1) {
        for neighbour in [row.saturating_sub(reach), (row + reach).min(last)] {
            out.scaled_add(weight, &planes.index_axis(Axis(0), neighbour));
        }
    }
}

/// Share of the light that reaches the shade: from the sky, so mostly blue.
fn sky_light(wavelengths_nm: &[f32], strength: f32) -> Vec<f32> {
    wavelengths_nm.iter().map(|nm| (strength * (nm / 450.0).powf(-1.3)).min(0.6)).collect()
}
