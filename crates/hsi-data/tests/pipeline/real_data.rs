//! Real scenes, found through `HSI_TEST_DATA`; skipped without.

use std::path::PathBuf;

use hsi_data::{
    BandSelection, CutOptions, DataSpec, Dataset, DatasetOptions, Error, OpenOptions, PatchDataset,
    Result, SampleType, SaveOptions, Split, SplitKind, open, save,
};
use ndarray::s;

/// The folder of test data, or `None` with a message.
fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("HSI_TEST_DATA").map(|root| PathBuf::from(root).join("data"));
    let folder = folder.filter(|folder| folder.is_dir());
    if folder.is_none() {
        eprintln!("skipped: `HSI_TEST_DATA` names no folder with `data` in it");
    }
    folder
}

#[test]
fn three_patches_of_one_enmap_tile() -> Result<()> {
    let Some(data) = folder() else { return Ok(()) };
    let spec: DataSpec = data.join("hyspecnet-mini").to_string_lossy().parse()?;
    let dataset = spec.open(&DatasetOptions::default())?;
    assert_eq!((dataset.len(), dataset.bands(), dataset.size()), (3, 202, (64, 64)));
    assert!(dataset.name(0).ends_with("-Y00640127_X01600223"));
    assert!((0..3).all(|i| dataset.group(i) == dataset.group(0)));
    assert_eq!(dataset.wavelengths_nm().map(|nm| nm.len()), Some(202));
    let patch = dataset.get(2)?;
    assert!(patch.iter().all(|v| (0.0..=1.0).contains(v)));

    let error = Split::new(&*dataset, SplitKind::Hard, 42).expect_err("one tile");
    assert!(matches!(error, Error::EmptySplit { units: 1, .. }), "{error}");
    for kind in [SplitKind::Easy, SplitKind::Random] {
        let split = Split::new(&*dataset, kind, 42)?;
        assert_eq!((split.train.len(), split.val.len(), split.test.len()), (1, 1, 1));
    }
    Ok(())
}

#[test]
fn the_enmap_cube_gives_the_patches() -> Result<()> {
    let Some(data) = folder() else { return Ok(()) };
    let path = data.join("cubes/enmap_potsdam_64w128h/cube.npy");
    let options = CutOptions { bands: BandSelection::HySpecNet, ..CutOptions::default() };
    let cut = PatchDataset::from_file(&path, &options)?;
    assert_eq!((cut.len(), cut.bands(), cut.size()), (2, 202, (64, 64)));
    let spec: DataSpec = data.join("hyspecnet-mini").to_string_lossy().parse()?;
    let patch = spec.open(&DatasetOptions::default())?.get(0)?;
    // HySpecNet's patches are clipped to 0..10000 and divided by 10000.
    let same = cut.get(0)?.mapv(|v| v.clamp(0.0, 10000.0) / 10000.0);
    assert!(same.iter().zip(&patch).all(|(a, b)| (a - b).abs() < 1e-6));

    let valid = PatchDataset::from_file(&path, &CutOptions::default())?;
    assert_eq!(valid.bands(), 224 - 6);
    let cube = open(&path, &OpenOptions { nodata: Some(-32768.0), ..OpenOptions::default() })?;
    assert_eq!(cube.valid_bands(), (0..129).chain(135..224).collect::<Vec<_>>());
    assert_eq!(cube.nodata_mask(), None);
    Ok(())
}

#[test]
fn cubes_of_other_sensors_keep_their_type() -> Result<()> {
    let Some(data) = folder() else { return Ok(()) };
    let temporary = tempfile::TempDir::new().expect("temporary folder");
    for (name, shape, dtype) in [
        ("jasper_ridge_198", (198, 100, 100), SampleType::U16),
        ("paviaU_sub50", (103, 50, 50), SampleType::U16),
        ("paris_hyperion_ali", (128, 72, 72), SampleType::F32),
        ("samson", (156, 95, 95), SampleType::F32),
    ] {
        let path = data.join(format!("cubes/{name}/cube.npy"));
        let cube = open(&path, &OpenOptions::default())?;
        cube.check_finite()?;
        assert_eq!((cube.bands(), cube.rows(), cube.cols()), shape, "{name}");
        assert_eq!(cube.meta().source.as_ref().map(|source| source.dtype), Some(dtype));
        let copy = temporary.path().join("copy.npy");
        save(&cube, &copy, &SaveOptions::default())?;
        assert!(std::fs::read(&copy).ok() == std::fs::read(&path).ok(), "{name}");
        let cut = PatchDataset::from_file(
            &path,
            &CutOptions { patch_size: Some(32), ..CutOptions::default() },
        )?;
        assert_eq!(cut.len(), (shape.1 / 32) * (shape.2 / 32));
        assert_eq!(cut.get(0)?, cube.view().slice(s![.., ..32, ..32]));
    }
    Ok(())
}
