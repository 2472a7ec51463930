//! A cube on its way through a denoiser: read, brought to [0, 1], put back, written.
//!
//! Between reading and writing only the bands that are denoised are held, once: what else the
//! file has (other bands, pixels without data) is read again when the result is written.

use std::path::{Path, PathBuf};

use anyhow::Result;
use hsi_data::{BandRange, Cube, CubeMeta, NormMode, OpenOptions, SaveOptions};
use ndarray::{Array2, Array3, ArrayViewMut2, Axis, Zip};

use crate::output::print_error;

/// The bands of a cube that are denoised, on the [0, 1] scale.
#[derive(Debug)]
pub struct Scene {
    /// `[bands, rows, cols]`. Pixels without data have the mean of their band.
    pub image: Array3<f32>,
    range: BandRange,
    bands: Vec<usize>,
    all_bands: usize,
    mask: Option<Array2<bool>>,
    meta: CubeMeta,
    path: PathBuf,
    options: OpenOptions,
}

impl Scene {
    /// Reads a cube for a model of so many bands, or for a method that takes any.
    ///
    /// # Errors
    /// When the file cannot be read, holds NaN that is not declared as nodata, or has other bands
    /// than the model.
    pub fn read(
        path: &Path,
        options: &OpenOptions,
        normalisation: NormMode,
        model_bands: Option<usize>,
    ) -> Result<Self> {
        let cube = hsi_data::open(path, options)?;
        cube.check_finite()?;
        let bands = choose_bands(&cube, model_bands, path)?;
        let mask = cube.nodata_mask();
        let all_bands = cube.bands();
        let (data, meta) = cube.into_parts();
        let mut image = if bands.len() == all_bands { data } else { data.select(Axis(0), &bands) };
        let range = match (normalisation, &mask) {
            (NormMode::Fixed { min, max }, _) => BandRange::fixed(bands.len(), min, max)?,
            (_, Some(mask)) => BandRange::of_masked(image.view(), mask.view())?,
            (_, None) => BandRange::of(image.view()),
        };
        range.normalize_in_place(image.view_mut())?;
        if meta.nodata.is_some() {
            image.outer_iter_mut().for_each(|band| fill(band, mask.as_ref()));
        }
        let (path, options) = (path.to_path_buf(), options.clone());
        Ok(Self { image, range, bands, all_bands, mask, meta, path, options })
    }

    /// Wavelengths of the bands of `image` in nanometres.
    pub fn wavelengths_nm(&self) -> Option<Vec<f32>> {
        let all = self.meta.wavelengths_nm.as_ref()?;
        Some(self.bands.iter().map(|&band| all[band]).collect())
    }

    /// Writes `result`, on the scale of `image` and of its shape, in the form that the cube came
    /// in. Bands that are not in it, and pixels without data, are written as they came.
    ///
    /// # Errors
    /// When the file cannot be written, or what is to be kept cannot be read again.
    pub fn write(self, mut result: Array3<f32>, output: &Path) -> Result<()> {
        let Self { image, range, bands, all_bands, mask, meta, path, options } = self;
        drop(image);
        range.denormalize_in_place(result.view_mut())?;
        let cube = if bands.len() == all_bands && meta.nodata.is_none() {
            Cube::new(result, meta)?
        } else {
            let mut cube = hsi_data::open(&path, &options)?;
            let mask = mask.unwrap_or_else(|| Array2::from_elem((cube.rows(), cube.cols()), false));
            let meta = cube.meta().clone();
            let mut planes = cube.view_mut();
            for (&band, estimate) in bands.iter().zip(result.outer_iter()) {
                let plane = planes.index_axis_mut(Axis(0), band);
                Zip::from(plane).and(estimate).and(&mask).for_each(|pixel, &value, &missing| {
                    if !missing && !meta.is_nodata(*pixel) {
                        *pixel = value;
                    }
                });
            }
            cube
        };
        Ok(hsi_data::save(&cube, output, &SaveOptions::default())?)
    }
}

/// The bands that a method is given: all of them if the model takes that many, else the valid
/// ones, else HySpecNet's of EnMAP's.
fn choose_bands(cube: &Cube, model_bands: Option<usize>, path: &Path) -> Result<Vec<usize>> {
    let valid = cube.valid_bands();
    let hyspecnet = hsi_data::bands::hyspecnet_202();
    let bands = match model_bands {
        None if valid.is_empty() => {
            return Err(hsi_data::Error::NoValidBand { name: path.display().to_string() }.into());
        }
        None => valid,
        Some(expected) if cube.bands() == expected => (0..expected).collect(),
        Some(expected) if valid.len() == expected => valid,
        Some(expected)
            if cube.bands() == hsi_data::bands::ENMAP_BANDS && expected == hyspecnet.len() =>
        {
            hyspecnet.to_vec()
        }
        Some(expected) => {
            let (what, got) = (path.display().to_string(), cube.bands());
            return Err(hsi_train::Error::Bands { what, expected, got }.into());
        }
    };
    if bands.len() < cube.bands() {
        print_error(&format!(
            "note: {} of {} bands are denoised, the others are written as they came",
            bands.len(),
            cube.bands()
        ));
    }
    Ok(bands)
}

/// Gives the pixels without data the mean of the others: a model sees whole tiles, and a value far
/// off the scale would show around its pixel.
fn fill(mut band: ArrayViewMut2<'_, f32>, mask: Option<&Array2<bool>>) {
    let missing =
        |at: (usize, usize), value: f32| !value.is_finite() || mask.is_some_and(|mask| mask[at]);
    let (mut sum, mut count) = (0.0, 0usize);
    for (at, &value) in band.indexed_iter() {
        if !missing(at, value) {
            sum += f64::from(value);
            count += 1;
        }
    }
    let mean = (sum / count.max(1) as f64) as f32;
    for (at, value) in band.indexed_iter_mut() {
        if missing(at, *value) {
            *value = mean;
        }
    }
}
