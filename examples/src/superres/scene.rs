//! Synthetic mode: a cube of high resolution and what two sensors would see of it.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use hsi_data::{CubeMeta, OpenOptions};
use ndarray::{Array2, Array3, Axis};
use spectralift::{Degradation, PercentileRange, PsfShape, Srf, sensor_bands};

use super::args::Normalisation;
use super::case::{Case, Label, covering, fill};
use super::sensors::SensorArgs;
use crate::output::print_error;

/// A cube on the [0, 1] scale with the bands that have data.
#[derive(Debug)]
pub struct Scene {
    /// `[bands, rows, cols]`, clamped to [0, 1].
    pub truth: Array3<f32>,
    /// Pixels without data.
    pub missing: Option<Array2<bool>>,
    /// Metadata of its bands.
    pub meta: CubeMeta,
    /// The bands of the file that are used.
    pub bands: Vec<usize>,
    /// How many bands the file has.
    pub all_bands: usize,
    /// The values that are 0 and 1.
    pub range: PercentileRange,
    /// Name of the scene.
    pub name: String,
}

/// One degradation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    /// Shape of the blur.
    pub psf: PsfShape,
    /// Ratio of the resolutions.
    pub ratio: usize,
    /// Bands of the multispectral sensor.
    pub msi_bands: usize,
    /// Seed of the noise.
    pub seed: u64,
}

/// A cube whose bands all have data: samples, pixels without data, metadata, and which bands of how
/// many these are.
#[derive(Debug)]
pub struct Loaded {
    /// `[bands, rows, cols]`
    pub data: Array3<f32>,
    /// Pixels without data.
    pub missing: Option<Array2<bool>>,
    /// Metadata of the bands.
    pub meta: CubeMeta,
    /// The bands of the file that are used.
    pub bands: Vec<usize>,
    /// How many bands the file has.
    pub all_bands: usize,
}

impl Loaded {
    /// Reads a cube and drops the bands that are bad or without data.
    ///
    /// # Errors
    /// When the file cannot be read, has no valid band or pixel, or holds NaN that is not declared
    /// as nodata.
    pub fn read(path: &Path, options: &OpenOptions) -> Result<Self> {
        let cube = hsi_data::open(path, options)?;
        cube.check_finite()?;
        let bands = cube.valid_bands();
        let all_bands = cube.bands();
        if bands.is_empty() {
            return Err(hsi_data::Error::NoValidBand { name: path.display().to_string() }.into());
        }
        let missing = cube.nodata_mask();
        if missing.as_ref().is_some_and(|mask| mask.iter().all(|&missing| missing)) {
            bail!("`{}` has no pixel with data in all valid bands", path.display());
        }
        let cube = if bands.len() == all_bands { cube } else { cube.select_bands(&bands)? };
        if bands.len() < all_bands {
            let (used, shown) = (bands.len(), path.display());
            print_error(&format!(
                "note: {used} of the {all_bands} bands of `{shown}` are used, the others are bad \
                 or without data"
            ));
        }
        let (data, meta) = cube.into_parts();
        Ok(Self { data, missing, meta, bands, all_bands })
    }

    /// The range that a normalisation takes from this cube.
    ///
    /// # Errors
    /// When percentiles cannot be had.
    pub fn range(&self, normalisation: Normalisation) -> Result<PercentileRange> {
        let range = match normalisation {
            Normalisation::Fixed(range) => range,
            Normalisation::Percentiles(low, high) => {
                let missing = self.missing.as_ref().map(|mask| mask.view());
                PercentileRange::of(self.data.view(), missing, (low, high))?
            }
        };
        ensure!(
            range.high > range.low,
            "the values of the cube do not differ: both percentiles are {}",
            range.low
        );
        Ok(range)
    }
}

/// Name of a scene: that of its file, or of the folder where the file is called `cube`.
pub fn scene_name(path: &Path) -> String {
    let text =
        |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let stem = text(path.file_stem());
    let folder = text(path.parent().and_then(Path::file_name));
    if stem == "cube" && !folder.is_empty() { folder } else { stem }
}

impl Scene {
    /// Reads a cube and brings it to [0, 1].
    ///
    /// # Errors
    /// As [`Loaded::read`] and [`Loaded::range`].
    pub fn read(path: &Path, options: &OpenOptions, normalisation: Normalisation) -> Result<Self> {
        let loaded = Loaded::read(path, options)?;
        let shown = || format!("`{}`", path.display());
        let range = loaded.range(normalisation).with_context(shown)?;
        let Loaded { data: mut truth, missing, meta, bands, all_bands } = loaded;
        range.normalize_in_place(truth.view_mut());
        if let Some(mask) = &missing {
            fill(&mut truth, mask.view());
        }
        let name = scene_name(path);
        Ok(Self { truth, missing, meta, bands, all_bands, range, name })
    }

    /// Observes the scene.
    ///
    /// # Errors
    /// When the sensors cannot be built, or do not fit the scene.
    pub fn observe(&self, sensors: &SensorArgs, setting: Setting) -> Result<Case> {
        let (psf, psf_name) = sensors.psf(setting.psf)?;
        if psf.is_fragile() {
            print_error(&format!(
                "note: the PSF `{psf_name}` nearly cancels itself (its sum is {:.1e} of that of \
                 its absolute values): it amplifies noise and rounding",
                psf.balance()
            ));
        }
        let bands = Bands {
            used: &self.bands,
            all: self.all_bands,
            wavelengths_nm: self.meta.wavelengths_nm.as_deref(),
        };
        let srf = response(sensors, &bands, setting.msi_bands)?;
        let Setting { ratio, seed, .. } = setting;
        let degradation = Degradation {
            psf: psf.clone(),
            ratio,
            srf: srf.clone(),
            snr_spatial_db: sensors.snr_spatial_db(ratio),
            snr_spectral_db: sensors.snr_spectral_db(),
            seed,
        };
        let seen = degradation.apply(self.truth.view())?;
        let size = (seen.lr_hsi.dim().1, seen.lr_hsi.dim().2);
        let lr_missing = self.missing.as_ref().map(|mask| covering(mask.view(), size));
        let formula = sensors.psf_file.is_none();
        let label = Label {
            scene: self.name.clone(),
            psf: psf_name,
            sigma: formula.then(|| sensors.sigma()),
            kernel_rows: Some(psf.kernel().nrows()),
            ratio: Some(ratio),
            snr_spatial_db: degradation.snr_spatial_db,
            snr_spectral_db: degradation.snr_spectral_db,
            fwhm_factor: sensors.srf_file.is_none().then(|| sensors.fwhm_factor()),
            seed,
        };
        Ok(Case {
            lr_hsi: seen.lr_hsi,
            hr_msi: seen.hr_msi,
            srf,
            psf: Some(psf),
            lr_missing,
            hr_missing: self.missing.clone(),
            label,
        })
    }
}

/// The bands of a cube that a response is for.
#[derive(Debug, Clone, Copy)]
pub struct Bands<'a> {
    /// Those that are used, from 0.
    pub used: &'a [usize],
    /// How many the file has.
    pub all: usize,
    /// Wavelengths of those that are used.
    pub wavelengths_nm: Option<&'a [f32]>,
}

/// The response of a sensor of so many bands, built or read, for the bands that are used.
///
/// # Errors
/// When it cannot be built or read, or is for another number of bands.
pub fn response(sensors: &SensorArgs, bands: &Bands<'_>, msi_bands: usize) -> Result<Srf> {
    let Some(path) = &sensors.srf_file else {
        let sensor = sensor_bands(msi_bands)?;
        if !sensors.true_wavelengths {
            return Ok(Srf::published(sensor, bands.used.len(), sensors.fwhm_factor())?);
        }
        let list = bands.wavelengths_nm;
        let list = list.context("--true-wavelengths needs a cube that tells its wavelengths")?;
        let list: Vec<f64> = list.iter().map(|&nm| f64::from(nm)).collect();
        return Ok(Srf::on_wavelengths(sensor, &list, sensors.fwhm_factor())?);
    };
    let shown = path.display();
    let matrix = hsi_data::read_matrix(path, sensors.srf_variable.as_deref()).context("the SRF")?;
    if let Some(count) = sensors.num_msi_bands.filter(|&count| count != matrix.nrows()) {
        let rows = matrix.nrows();
        bail!("the SRF `{shown}` should have {count} rows, as --num-msi-bands says, got {rows}");
    }
    let (all, used) = (bands.all, bands.used.len());
    let columns = matrix.ncols();
    let weights = if columns == used {
        matrix
    } else if columns == all {
        // What is dropped from the cube is dropped from the response.
        matrix.select(Axis(1), bands.used)
    } else {
        let rows = matrix.nrows();
        let hint = if rows == used || rows == all { "; is it transposed?" } else { "" };
        let expected = if used == all { used.to_string() } else { format!("{used} or {all}") };
        bail!(
            "the SRF `{shown}` should have a column for each of the cube's bands, {expected}, got \
             {rows} x {columns}{hint}"
        )
    };
    Srf::from_weights(weights).with_context(|| format!("the SRF `{shown}`"))
}
