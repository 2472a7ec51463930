//! Real mode: a cube of low resolution and a multispectral image of the same ground.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use hsi_data::{CubeMeta, OpenOptions};
use ndarray::{Array2, Array3, Axis};
use spectralift::{PercentileRange, Srf, SrfEstimate, area_average, estimate_srf_of_pair};

use super::args::ImageArgs;
use super::case::{Case, Label, covering, fill};
use super::scene::{Bands, Loaded, response, scene_name};
use super::sensors::SensorArgs;
use crate::output::print_error;

/// Two images, what they are scored against, and what is known of the result.
#[derive(Debug)]
pub struct Pair {
    /// The images.
    pub case: Case,
    /// Cube to score against, clamped to [0, 1].
    pub truth: Option<Array3<f32>>,
    /// Metadata of the result.
    pub meta: CubeMeta,
    /// The values that are 0 and 1.
    pub range: PercentileRange,
    /// What was estimated, if it was.
    pub estimate: Option<SrfEstimate>,
}

impl Pair {
    /// Reads two images and brings them to one scale.
    ///
    /// # Errors
    /// When they cannot be read, or do not fit each other.
    pub fn read(
        (lr_path, msi_path): (&Path, &Path),
        images: &ImageArgs,
        options: &OpenOptions,
        sensors: &SensorArgs,
    ) -> Result<Self> {
        let msi_options = OpenOptions {
            axes: images.msi_axes.unwrap_or(options.axes),
            variable: images.msi_variable.clone().or(options.variable.clone()),
            ..options.clone()
        };
        let mut cube = Loaded::read(lr_path, options)?;
        let mut msi = Loaded::read(msi_path, &msi_options)?;
        let mut truth = None;
        if let Some(path) = &images.truth {
            ensure!(
                images.wald_ratio.is_none(),
                "--wald-ratio has its own truth: leave out --truth"
            );
            truth = Some(read_truth(path, options, &mut cube, &msi)?);
        }
        // One map for all images, from what a user of the pair has: the low resolution.
        if let Some(ratio) = images.wald_ratio {
            truth = Some(wald(&mut cube, &mut msi, ratio)?);
        }
        let range = cube.range(images.normalisation)?;
        let size = (cube.data.dim().1, cube.data.dim().2);
        check_sizes(size, &msi, (lr_path, msi_path))?;
        for image in [&mut cube.data, &mut msi.data] {
            range.scale_in_place(image.view_mut());
        }
        let mut hr_missing = msi.missing.take();
        let (mut truth, truth_missing) = truth.map_or((None, None), |(t, m)| (Some(t), m));
        if let Some(truth) = &mut truth {
            range.normalize_in_place(truth.view_mut());
        }
        hr_missing = either(hr_missing, truth_missing);
        let from_high = hr_missing.as_ref().map(|mask| covering(mask.view(), size));
        let lr_missing = either(cube.missing.take(), from_high);
        for (image, mask) in
            [(Some(&mut cube.data), &lr_missing), (Some(&mut msi.data), &hr_missing)]
                .into_iter()
                .chain([(truth.as_mut(), &hr_missing)])
        {
            if let (Some(image), Some(mask)) = (image, mask) {
                fill(image, mask.view());
            }
        }
        let (srf, estimate) = srf(sensors, &cube, &mut msi, lr_missing.as_ref(), msi_path)?;
        let label = Label {
            scene: scene_name(lr_path),
            ratio: images.wald_ratio,
            seed: sensors.seed,
            ..Label::default()
        };
        let Loaded { data: lr_hsi, meta, .. } = cube;
        let hr_msi = msi.data;
        let case = Case { lr_hsi, hr_msi, srf, psf: None, lr_missing, hr_missing, label };
        Ok(Self { case, truth, meta, range, estimate })
    }
}

type Masked = (Array3<f32>, Option<Array2<bool>>);

/// Reads the truth, with the bands of the cube; bands that it has no data in are dropped there too.
fn read_truth(
    path: &Path,
    options: &OpenOptions,
    cube: &mut Loaded,
    msi: &Loaded,
) -> Result<Masked> {
    let loaded = Loaded::read(path, options)?;
    let shown = path.display();
    let ((_, rows, cols), (_, msi_rows, msi_cols)) = (loaded.data.dim(), msi.data.dim());
    ensure!(
        (rows, cols) == (msi_rows, msi_cols),
        "the truth `{shown}` should have the {msi_rows} x {msi_cols} pixels of the multispectral \
         image, got {rows} x {cols}"
    );
    ensure!(
        loaded.all_bands == cube.all_bands,
        "the truth `{shown}` should have the {} bands of the low-resolution cube, got {}",
        cube.all_bands,
        loaded.all_bands
    );
    let common: Vec<usize> =
        cube.bands.iter().copied().filter(|band| loaded.bands.contains(band)).collect();
    ensure!(!common.is_empty(), "the truth `{shown}` and the cube have no valid band in common");
    let places = |bands: &[usize]| -> Vec<usize> {
        (0..bands.len()).filter(|&i| common.contains(&bands[i])).collect()
    };
    let kept = places(&cube.bands);
    if kept.len() < cube.bands.len() {
        let meta = std::mem::take(&mut cube.meta);
        let all = hsi_data::Cube::new(std::mem::take(&mut cube.data), meta)?;
        (cube.data, cube.meta) = all.select_bands(&kept)?.into_parts();
        cube.bands.clone_from(&common);
    }
    let truth = loaded.data.select(Axis(0), &places(&loaded.bands));
    Ok((truth, loaded.missing))
}

/// Averages the cube, and brings the multispectral image to its former pixels. Returns the cube as
/// it was.
fn wald(cube: &mut Loaded, msi: &mut Loaded, ratio: usize) -> Result<Masked> {
    let (_, rows, cols) = cube.data.dim();
    if ratio < 2 || ratio > rows.min(cols) {
        bail!(
            "`wald-ratio` should be 2 to {}, the shorter side of the cube, got `{ratio}`",
            rows.min(cols)
        );
    }
    let (_, msi_rows, msi_cols) = msi.data.dim();
    ensure!(
        msi_rows >= rows && msi_cols >= cols,
        "the multispectral image should have at least the {rows} x {cols} pixels of the cube, got \
         {msi_rows} x {msi_cols}"
    );
    if (msi_rows, msi_cols) != (rows, cols) {
        if let Some(mask) = msi.missing.take() {
            fill(&mut msi.data, mask.view());
            msi.missing = Some(covering(mask.view(), (rows, cols)));
        }
        msi.data = area_average(msi.data.view(), rows, cols)?;
    }
    if let Some(mask) = &cube.missing {
        fill(&mut cube.data, mask.view());
    }
    let low = (rows / ratio, cols / ratio);
    let averaged = area_average(cube.data.view(), low.0, low.1)?;
    let truth = std::mem::replace(&mut cube.data, averaged);
    let missing = cube.missing.take();
    cube.missing = missing.as_ref().map(|mask| covering(mask.view(), low));
    Ok((truth, missing))
}

fn check_sizes(
    (rows, cols): (usize, usize),
    msi: &Loaded,
    (lr_path, msi_path): (&Path, &Path),
) -> Result<()> {
    let (_, msi_rows, msi_cols) = msi.data.dim();
    if rows > msi_rows || cols > msi_cols {
        bail!(
            "the low-resolution cube `{}` has {rows} x {cols} pixels, more than the {msi_rows} x \
             {msi_cols} of the multispectral image `{}`",
            lr_path.display(),
            msi_path.display()
        );
    }
    let (down, across) = (msi_rows as f64 / rows as f64, msi_cols as f64 / cols as f64);
    if (down - across).abs() > 0.1 * down.max(across) {
        print_error(&format!(
            "note: the multispectral image has {down:.2} pixels to one of the cube down, but \
             {across:.2} across: do both show the same ground?"
        ));
    }
    Ok(())
}

fn either(a: Option<Array2<bool>>, b: Option<Array2<bool>>) -> Option<Array2<bool>> {
    match (a, b) {
        (Some(mut a), Some(b)) => {
            a.zip_mut_with(&b, |a, &b| *a |= b);
            Some(a)
        }
        (a, b) => a.or(b),
    }
}

/// The response for the bands of both images that have data. An estimate also brings the
/// multispectral image to the scale of the cube.
fn srf(
    sensors: &SensorArgs,
    cube: &Loaded,
    msi: &mut Loaded,
    lr_missing: Option<&Array2<bool>>,
    msi_path: &Path,
) -> Result<(Srf, Option<SrfEstimate>)> {
    let given = sensors.srf_file.is_some() || sensors.num_msi_bands.is_some();
    if sensors.estimate_srf {
        ensure!(!given, "--estimate-srf takes the place of --srf-file and --num-msi-bands");
        let missing = lr_missing.map(|mask| mask.view());
        let (low, high) = (cube.data.view(), msi.data.view());
        let found = estimate_srf_of_pair(low, high, missing, sensors.smoothness())
            .context("the SRF cannot be estimated")?;
        found.to_hsi_scale(&mut msi.data)?;
        return Ok((found.srf.clone(), Some(found)));
    }
    if !given {
        bail!(
            "no SRF: name an --srf-file, the --num-msi-bands of a known sensor, or --estimate-srf"
        );
    }
    let bands = Bands {
        used: &cube.bands,
        all: cube.all_bands,
        wavelengths_nm: cube.meta.wavelengths_nm.as_deref(),
    };
    let srf = response(sensors, &bands, sensors.num_msi_bands.unwrap_or_default())?;
    let shown = msi_path.display();
    let (all, used) = (msi.all_bands, msi.bands.len());
    let srf = if srf.msi_bands() == used {
        srf
    } else if srf.msi_bands() == all {
        Srf::from_weights(srf.weights().select(Axis(0), &msi.bands).mapv(f64::from))?
    } else {
        let expected = if used == all { used.to_string() } else { format!("{used} or {all}") };
        bail!(
            "the SRF should have a row for each band of the multispectral image `{shown}`, \
             {expected}, got {}",
            srf.msi_bands()
        );
    };
    check_units(&srf, cube, msi, lr_missing)?;
    Ok((srf, None))
}

/// Says so where the multispectral image is far from what the response makes of the cube.
fn check_units(
    srf: &Srf,
    cube: &Loaded,
    msi: &Loaded,
    lr_missing: Option<&Array2<bool>>,
) -> Result<()> {
    let (_, rows, cols) = cube.data.dim();
    let expected = srf.apply(cube.data.view())?;
    let averaged = area_average(msi.data.view(), rows, cols)?;
    let mean = |image: &Array3<f32>, band: usize| {
        let band = image.index_axis(Axis(0), band);
        let used = |at: (usize, usize)| lr_missing.is_none_or(|mask| !mask[at]);
        let values: Vec<f64> =
            band.indexed_iter().filter(|&(at, _)| used(at)).map(|(_, &v)| f64::from(v)).collect();
        values.iter().sum::<f64>() / values.len().max(1) as f64
    };
    let far: Vec<String> = (0..srf.msi_bands())
        .filter(|&band| {
            let (expected, got) = (mean(&expected, band), mean(&averaged, band));
            (expected - got).abs() > 0.25 * expected.abs().max(got.abs()).max(0.05)
        })
        .map(|band| band.to_string())
        .collect();
    if !far.is_empty() {
        print_error(&format!(
            "note: the multispectral bands {} are far from what the SRF makes of the cube: are \
             both images in the same units? --estimate-srf finds gain and offset",
            far.join(", ")
        ));
    }
    Ok(())
}
