//! Arrays of the published program, found through `HSI_TEST_DATA`; skipped without.

use std::path::{Path, PathBuf};

use ndarray::{Array, Array2, Array3, Axis, Dimension};
use ndarray_npy::{ReadableElement, read_npy};
use spectralift::{
    PUBLISHED_FWHM_FACTOR, PercentileRange, Psf, PsfConfig, PsfShape, Srf, add_noise, area_average,
    blur, low_resolution, published_grid, sensor_bands,
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

pub(crate) fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("HSI_TEST_DATA").map(|root| PathBuf::from(root).join("fixtures"));
    let folder = folder.map(|folder| folder.join("spectralift")).filter(|folder| folder.is_dir());
    if folder.is_none() {
        eprintln!("skipped: `HSI_TEST_DATA` names no folder with `fixtures/spectralift` in it");
    }
    folder
}

/// A stored cube `[rows, cols, bands]`, band first.
pub(crate) fn cube(folder: &Path, name: &str) -> Result<Array3<f32>, Box<dyn std::error::Error>> {
    let stored: Array3<f32> = read_npy(folder.join(format!("{name}.npy")))?;
    Ok(stored.permuted_axes([2, 0, 1]).as_standard_layout().into_owned())
}

pub(crate) fn matrix<T: ReadableElement>(
    folder: &Path,
    name: &str,
) -> Result<Array2<T>, Box<dyn std::error::Error>> {
    Ok(read_npy(folder.join(format!("{name}.npy")))?)
}

/// Asserts that no value differs by more than a tolerance.
pub(crate) fn agree<A: Copy + Into<f64>, B: Copy + Into<f64>, D: Dimension>(
    what: &str,
    ours: &Array<A, D>,
    wanted: &Array<B, D>,
    tolerance: f64,
) {
    assert_eq!(ours.shape(), wanted.shape(), "{what}");
    let pairs = ours.iter().zip(wanted);
    let worst = pairs.map(|(&a, &b)| (a.into() - b.into()).abs()).fold(0.0, f64::max);
    assert!(worst <= tolerance, "{what}: differs by {worst:e}");
}

/// A kernel of the fixtures: sigma 3.4 and radius 7, or sigma 2.1, radius 5 and odd parameters.
fn psf(name: &str, odd: bool) -> spectralift::Result<Psf> {
    let mut shape: PsfShape = name.parse()?;
    if odd {
        shape = match shape {
            PsfShape::Moffat { .. } => PsfShape::Moffat { beta: 2.5 },
            PsfShape::Hermite { .. } => PsfShape::Hermite { order: 2 },
            PsfShape::Gabor { .. } => {
                PsfShape::Gabor { theta: 0.7, lambda: 9.0, gamma: 0.8, psi: 0.4 }
            }
            other => other,
        };
    }
    let (sigma, radius) = if odd { (2.1, 5) } else { (3.4, 7) };
    Psf::new(&PsfConfig { shape, sigma, radius })
}

#[test]
fn kernels_agree() -> Outcome {
    let Some(folder) = folder() else { return Ok(()) };
    let published = PsfShape::ALL.iter().filter(|shape| **shape != PsfShape::AiryDisc);
    for shape in published {
        for (kind, odd) in [("default", false), ("odd", true)] {
            let (name, ours) = (format!("psf_{shape}_{kind}"), psf(shape.name(), odd)?);
            let kernel = ours.kernel().to_owned();
            agree(&name, &kernel, &matrix::<f32>(&folder, &name)?, 1e-6);
            let exact = matrix::<f64>(&folder, &format!("{name}_f64"))?;
            agree(&name, &kernel, &exact, 1e-9);
        }
    }
    Ok(())
}

#[test]
fn responses_agree() -> Outcome {
    let Some(folder) = folder() else { return Ok(()) };
    for count in [1, 3, 4, 8, 16] {
        let sensor = sensor_bands(count)?;
        let table = Array2::from_shape_fn((count, 3), |(i, j)| {
            [sensor[i].center_nm, sensor[i].low_nm, sensor[i].high_nm][j]
        });
        let name = format!("srf_bandspecs_{count}");
        let stored: Array2<f64> = matrix(&folder, &name)
            .or_else(|_| matrix::<f32>(&folder, &name).map(|table| table.mapv(f64::from)))?;
        agree(&name, &table, &stored, 0.0);
        for bands in [50, 102, 218] {
            let name = format!("srf_{count}bands_L{bands}");
            let ours = Srf::published(sensor, bands, PUBLISHED_FWHM_FACTOR)?;
            agree(&name, &ours.weights().to_owned(), &matrix::<f32>(&folder, &name)?, 5e-6);
        }
        let name = format!("srf_{count}bands_L50_fwhm2.355");
        let ours = Srf::published(sensor, 50, 2.355)?;
        agree(&name, &ours.weights().to_owned(), &matrix::<f32>(&folder, &name)?, 5e-6);
        let grid = published_grid(sensor, 50);
        let path = folder.join(format!("srf_wavelengths_{count}bands_L50.npy"));
        let stored: Vec<f64> = match read_npy::<_, ndarray::Array1<f64>>(&path) {
            Ok(grid) => grid.to_vec(),
            Err(_) => read_npy::<_, ndarray::Array1<f32>>(&path)?.mapv(f64::from).to_vec(),
        };
        assert!(grid.iter().zip(&stored).all(|(a, b)| (a - b).abs() < 1e-3), "{count} bands");
    }
    Ok(())
}

#[test]
fn normalisation_agrees() -> Outcome {
    let Some(folder) = folder() else { return Ok(()) };
    let stored: Array3<f64> = match read_npy(folder.join("cube_raw_64x64x50.npy")) {
        Ok(cube) => cube,
        Err(_) => read_npy::<_, Array3<f32>>(folder.join("cube_raw_64x64x50.npy"))?.mapv(f64::from),
    };
    let raw = stored.permuted_axes([2, 0, 1]).mapv(|v| v as f32);
    let range = PercentileRange::of(raw.view(), None, PercentileRange::PUBLISHED)?;
    assert_eq!((range.low, range.high), (0.0, 2503.0));
    let mut clean = raw.clone();
    range.normalize_in_place(clean.view_mut());
    agree("normalised", &clean, &cube(&folder, "cube_clean_64x64x50")?, 1e-6);
    Ok(())
}

#[test]
fn low_resolution_cubes_agree() -> Outcome {
    let Some(folder) = folder() else { return Ok(()) };
    let clean = cube(&folder, "cube_clean_64x64x50")?;
    for (name, shape, odd) in
        [("blur_gaussian_default", "gaussian", false), ("blur_gabor_odd", "gabor", true)]
    {
        agree(name, &blur(clean.view(), &psf(shape, odd)?), &cube(&folder, name)?, 3e-6);
    }
    for (name, ratio, odd) in [
        ("gaussian_default", 4, false),
        ("gaussian_default", 8, false),
        ("moffat_default", 4, false),
        ("airy_default", 4, false),
        ("hermite_default", 8, false),
        ("delta_default", 2, false),
        ("sinc_odd", 4, true),
        ("gabor_odd", 4, true),
        ("kolmogorov_odd", 16, true),
    ] {
        let (shape, _) = name.split_once('_').unwrap_or_default();
        let ours = low_resolution(clean.view(), &psf(shape, odd)?, ratio)?;
        let name = format!("lr_{name}_r{ratio}");
        agree(&name, &ours, &cube(&folder, &name)?, 3e-6);
    }
    let uneven = cube(&folder, "cube_clean_61x59x8")?;
    for ratio in [3, 4, 8] {
        let name = format!("downsample_61x59_r{ratio}");
        let ours = area_average(uneven.view(), 61 / ratio, 59 / ratio)?;
        agree(&name, &ours, &cube(&folder, &name)?, 3e-6);
        let name = format!("lr_61x59_gaussian_default_r{ratio}");
        let ours = low_resolution(uneven.view(), &psf("gaussian", false)?, ratio)?;
        agree(&name, &ours, &cube(&folder, &name)?, 3e-6);
    }
    Ok(())
}

#[test]
fn multispectral_images_agree() -> Outcome {
    let Some(folder) = folder() else { return Ok(()) };
    let clean = cube(&folder, "cube_clean_64x64x50")?;
    for count in [1, 3, 4, 8, 16] {
        let srf = Srf::published(sensor_bands(count)?, clean.len_of(Axis(0)), 4.2)?;
        let name = format!("msi_{count}bands");
        agree(&name, &srf.apply(clean.view())?, &cube(&folder, &name)?, 2e-6);
    }
    Ok(())
}

#[test]
fn noise_agrees_for_given_normals() -> Outcome {
    let Some(folder) = folder() else { return Ok(()) };
    for (clean, normals, noisy, snr_db) in [
        (
            "lr_gaussian_default_r4",
            "noise_std_normal_lr_seed42",
            "lr_gaussian_default_r4_snr35_seed42",
            35.0,
        ),
        ("msi_4bands", "noise_std_normal_msi_seed43", "msi_4bands_snr40_seed43", 40.0),
    ] {
        let mut ours = cube(&folder, clean)?;
        let normals = match cube(&folder, normals) {
            Ok(normals) => normals,
            Err(_) => read_npy::<_, Array3<f64>>(folder.join(format!("{normals}.npy")))?
                .permuted_axes([2, 0, 1])
                .mapv(|v| v as f32),
        };
        add_noise(&mut ours, snr_db, normals.view())?;
        agree(noisy, &ours, &cube(&folder, noisy)?, 1e-6);
    }
    Ok(())
}
