//! The files of real scenes in the folder that `HSI_TEST_DATA` names: every one opens and has the
//! shape, type, range and mean that its `META.json` states.

use std::path::{Path, PathBuf};

use hsi_data::{
    Error, OpenOptions, Result, Statistics, contents, open_reader, read_matrix, statistics,
};
use serde_json::Value;

/// The folder of the formats, if it is there.
fn formats() -> Option<PathBuf> {
    let folder =
        std::env::var_os("HSI_TEST_DATA").map(|root| Path::new(&root).join("data/formats"));
    let folder = folder.filter(|folder| folder.is_dir());
    if folder.is_none() {
        eprintln!("skipped: HSI_TEST_DATA names no folder with `data/formats`");
    }
    folder
}

fn meta(folder: &Path) -> Value {
    let text = std::fs::read_to_string(folder.join("META.json")).expect("META.json");
    serde_json::from_str(&text).expect("JSON")
}

fn check(folder: &Path, file: &str, options: &OpenOptions) -> Result<()> {
    let reader = open_reader(folder.join(file), options)?;
    let meta = meta(folder);
    let list = meta["shape_bands_h_w"].as_array().expect("a shape");
    let shape: Vec<u64> = list.iter().filter_map(Value::as_u64).collect();
    assert_eq!(reader.shape().map(|n| n as u64), shape[..], "{file}");
    let dtype: hsi_data::SampleType = meta["dtype"].as_str().expect("a type").parse()?;
    assert_eq!(reader.dtype(), dtype, "{file}");
    let all = Statistics::all(&statistics(&*reader)?);
    for (name, got) in [("min", all.min), ("max", all.max), ("mean", all.mean)] {
        if let Some(stated) = meta[name].as_f64() {
            let error = (got - stated).abs() / stated.abs().max(1e-3);
            assert!(error < 1e-9, "{file}: {name} {got}, stated {stated}");
        }
    }
    Ok(())
}

#[test]
fn cubes_are_as_they_are_described() -> Result<()> {
    let Some(formats) = formats() else { return Ok(()) };
    let any = OpenOptions::default();
    let named = |name: &str| OpenOptions { variable: Some(name.to_owned()), ..any.clone() };
    let pixels = OpenOptions { reshape: Some((100, 100)), ..any.clone() };
    let cases = [
        ("avirisng_ang20140912t192359", "ang20140912t192359_corr_v1c_img_2580-2590_540-550", &any),
        ("enmap_berlin_80x60_177", "EnMAP_BerlinUrbanGradient", &any),
        ("jasper_ridge_envi", "jasperRidge2_R198", &any),
    ];
    for (folder, stem, options) in cases {
        for ending in [".hdr", ".img", ".bsq"] {
            let name = format!("{stem}{ending}");
            if formats.join(folder).join(&name).is_file() {
                check(&formats.join(folder), &name, options)?;
            }
        }
    }
    check(&formats.join("samson_envi"), "samson_1.img", &any)?;
    check(&formats.join("samson_envi"), "samson_1.img.hdr", &any)?;
    check(&formats.join("hydice"), "hydice.mat", &any)?;
    check(&formats.join("jasper_ridge_198"), "jasperRidge2_R198.mat", &pixels)?;
    check(&formats.join("paris_hyperion_ali"), "paris_data_hs_ms.mat", &named("HSim"))?;
    Ok(())
}

/// Least, greatest and mean sample but for nodata, as rasterio 1.4.4 and numpy 2.4 have them: the
/// `META.json` of these files states shapes and types only.
#[test]
fn rasters_are_as_rasterio_reads_them() -> Result<()> {
    let Some(formats) = formats() else { return Ok(()) };
    let any = OpenOptions::default();
    let same = |path: &Path, stated: [f64; 3]| -> Result<()> {
        let all = Statistics::all(&statistics(&*open_reader(path, &any)?)?);
        assert_eq!([all.min, all.max, all.mean], stated, "{}", path.display());
        Ok(())
    };
    let tiles = formats.join("enmap_l2a_geotiff_tiles");
    for (name, stated) in [
        ("160_64", [145.0, 6273.0, 1_699.137_444_452_408_3]),
        ("160_96", [0.0, 5728.0, 1_369.495_058_952_121_6]),
        ("192_64", [0.0, 5618.0, 1_658.108_178_934_919_8]),
        ("192_96", [-371.0, 5053.0, 1_572.022_828_268_348_6]),
    ] {
        let name = format!("enmap_potsdam_tile_{name}.tif");
        check(&tiles, &name, &any)?;
        same(&tiles.join(&name), stated)?;
        let cube = hsi_data::open(tiles.join(&name), &any)?;
        let meta = cube.meta();
        assert_eq!(meta.nodata, Some(-32768.0));
        let nm = meta.wavelengths_nm.as_deref().unwrap_or_default();
        assert_eq!((nm.len(), nm.first(), nm.last()), (224, Some(&418.24), Some(&2445.53)));
        assert_eq!((meta.scale, meta.offset), (Some(1e-4), Some(0.0)));
        assert_eq!(meta.geo.as_ref().and_then(|geo| geo.epsg), Some(32633));
        // Bands 130 to 135, counted from one, hold nothing.
        let valid = cube.valid_bands();
        assert_eq!(valid.len(), 218);
        assert!((129..135).all(|band| !valid.contains(&band)));
    }
    let patches = hsi_data::Format::files_in(formats.join("hyspecnet_geotiff_random_pixels"))?;
    let stated = [[-32765.0, 32715.0, 268.351_562_5], [-32705.0, 32557.0, -629.007_812_5]];
    assert_eq!(patches.len(), stated.len());
    for (path, stated) in patches.iter().zip(stated) {
        let reader = open_reader(path, &any)?;
        assert_eq!(reader.shape(), [224, 32, 32]);
        assert_eq!(reader.dtype(), hsi_data::SampleType::I16);
        same(path, stated)?;
    }
    Ok(())
}

#[test]
fn pixels_of_a_matrix_are_column_major() -> Result<()> {
    let Some(formats) = formats() else { return Ok(()) };
    let path = formats.join("jasper_ridge_198/jasperRidge2_R198.mat");
    let options = OpenOptions { reshape: Some((100, 100)), ..OpenOptions::default() };
    let mat = hsi_data::open(&path, &options)?;
    let envi = formats.join("jasper_ridge_envi/jasperRidge2_R198.hdr");
    let envi = hsi_data::open(envi, &OpenOptions::default())?;
    // The MATLAB file holds the magnitudes of what the ENVI file holds.
    assert_eq!(mat.view(), envi.view().mapv(f32::abs));
    // Without the option the file says what it holds.
    let error = open_reader(&path, &OpenOptions::default()).expect_err("no cube");
    assert!(matches!(error, Error::ChooseArray { .. }), "{error}");
    assert!(error.to_string().contains("`Y` double 198 x 10000"), "{error}");
    Ok(())
}

#[test]
fn two_factors_make_the_scene_of_washington() -> Result<()> {
    let Some(formats) = formats() else { return Ok(()) };
    let folder = formats.join("washington_dc_lowrank");
    let abundances = hsi_data::open(folder.join("A_true.mat"), &OpenOptions::default())?;
    let spectra = read_matrix(folder.join("E.mat"), None)?;
    assert_eq!(contents(folder.join("E.mat"))?.len(), 1);
    let meta = meta(&folder);
    let (rank, rows, cols) = abundances.view().dim();
    assert_eq!((spectra.dim(), rank, rows, cols), ((191, 6), 6, 319, 292));
    let matrix = abundances.view().into_shape_with_order((rank, rows * cols)).expect("contiguous");
    let scene = spectra.mapv(|v| v as f32).dot(&matrix);
    let mean = scene.iter().map(|&v| f64::from(v)).sum::<f64>() / scene.len() as f64;
    let stated = meta["mean"].as_f64().expect("a mean");
    assert!((mean - stated).abs() < 1e-6, "{mean}, stated {stated}");
    Ok(())
}
