//! Samples from folders, files and generators.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use hsi_data::bands::{ENMAP_224_WAVELENGTHS_NM, hyspecnet_202};
use hsi_data::npy::{NpyOptions, write_array};
use hsi_data::{
    Axes, BandSelection, Cube, CubeMeta, CutOptions, DataSpec, Dataset, DatasetOptions, Error,
    Format, HySpecNet, OpenOptions, PatchDataset, Result, SampleType, SaveOptions, Subset, open,
    save,
};
use ndarray::{Array3, s};
use tempfile::TempDir;

use super::scramble;

fn temporary() -> TempDir {
    TempDir::new().expect("temporary folder")
}

fn write(path: &Path, cube: &Array3<f32>) {
    fs::create_dir_all(path.parent().expect("folder")).expect("folder");
    write_array(path, cube.view(), NpyOptions::default()).expect("written");
}

/// A HySpecNet folder with tiles of the given numbers of patches.
pub(super) fn hyspecnet(root: &Path, tiles: &[usize], shape: (usize, usize, usize)) {
    for (t, &patches) in tiles.iter().enumerate() {
        for p in 0..patches {
            let name = format!("TILE{t}-Y{p}");
            let path = root.join(format!("patches/TILE{t}/{name}/{name}-DATA.npy"));
            write(&path, &(scramble(shape) + (10 * t + p) as f32));
        }
    }
}

fn spec(path: &Path) -> DataSpec {
    path.to_string_lossy().parse().expect("spec")
}

#[test]
fn hyspecnet_folders_are_found_in_the_order_of_names() -> Result<()> {
    let folder = temporary();
    hyspecnet(folder.path(), &[2, 3], (5, 8, 8));
    fs::create_dir_all(folder.path().join("patches/TILE0/unfinished")).expect("folder");
    let dataset = spec(folder.path()).open(&DatasetOptions::default())?;
    assert_eq!((dataset.len(), dataset.bands(), dataset.size()), (5, 5, (8, 8)));
    let names: Vec<String> = (0..5).map(|i| dataset.name(i)).collect();
    assert_eq!(names, ["TILE0-Y0", "TILE0-Y1", "TILE1-Y0", "TILE1-Y1", "TILE1-Y2"]);
    assert_eq!((dataset.group(1), dataset.group(2)), ("TILE0".into(), "TILE1".into()));
    assert_eq!(dataset.get(3)?, scramble((5, 8, 8)) + 11.0);
    assert!(matches!(dataset.get(5), Err(Error::SampleIndex { index: 5, len: 5 })));
    assert_eq!(dataset.name(5), "");
    assert_eq!(dataset.wavelengths_nm(), None);
    Ok(())
}

#[test]
fn hyspecnet_patches_can_be_cut_smaller() -> Result<()> {
    let folder = temporary();
    hyspecnet(folder.path(), &[2], (3, 8, 9));
    let dataset = HySpecNet::open(folder.path(), Some(4))?;
    assert_eq!((dataset.len(), dataset.size()), (2 * 2 * 2, (4, 4)));
    let whole = scramble((3, 8, 9)) + 1.0;
    assert_eq!(dataset.get(4 + 3)?, whole.slice(s![.., 4..8, 4..8]));
    assert_eq!(dataset.get(4 + 1)?, whole.slice(s![.., 0..4, 4..8]));
    assert_eq!(
        (dataset.name(5), dataset.patch(5)),
        ("TILE0-Y1_r0_c4".into(), "TILE0/TILE0-Y1".into())
    );
    for size in [0, 9] {
        let error = HySpecNet::open(folder.path(), Some(size)).expect_err("size");
        assert!(matches!(error, Error::Config { field: "patch_size", .. }), "{error}");
    }
    Ok(())
}

#[test]
fn raw_patches_are_prepared_as_the_others_were() -> Result<()> {
    let folder = temporary();
    let raw = Array3::from_shape_fn((224, 6, 5), |(b, r, c)| match (b, r, c) {
        (0, 0, 0) => -32768.0,
        (0, 0, 1) => -3.0,
        (0, 0, 2) => 10_500.0,
        _ => (b * 40 + r * 5 + c) as f32,
    });
    let patch = folder.path().join("patches/tile/one");
    std::fs::create_dir_all(&patch).expect("folders");
    let meta = CubeMeta { nodata: Some(-32768.0), ..CubeMeta::default() };
    let options = SaveOptions {
        dtype: Some(SampleType::I16),
        format: Some(Format::Tiff),
        ..SaveOptions::default()
    };
    let file = patch.join("one-SPECTRAL_IMAGE.TIF");
    save(&Cube::new(raw.clone(), meta)?, &file, &options)?;
    let dataset = HySpecNet::open(folder.path(), None)?;
    assert_eq!((dataset.len(), dataset.bands(), dataset.size()), (1, 202, (6, 5)));
    let sample = dataset.get(0)?;
    let bands = hsi_data::bands::hyspecnet_202();
    for ((band, row, col), &got) in sample.indexed_iter() {
        let value = raw[[bands[band], row, col]].clamp(0.0, 10_000.0) / 10_000.0;
        assert_eq!(got, value, "{band} {row} {col}");
    }
    // Windows are of the same samples.
    let cut = HySpecNet::open(folder.path(), Some(2))?;
    assert_eq!(cut.len(), 6);
    assert_eq!(cut.get(5)?, sample.slice(ndarray::s![.., 4..6, 2..4]));
    // The prepared file goes before the raw one.
    write(&patch.join("one-DATA.npy"), &Array3::from_elem((202, 6, 5), 0.5));
    assert_eq!(HySpecNet::open(folder.path(), None)?.get(0)?[[0, 0, 0]], 0.5);
    Ok(())
}

#[test]
fn bad_folders_are_named() {
    let open = |path: &Path| spec(path).open(&DatasetOptions::default()).err().expect("an error");
    let folder = temporary();
    let root = folder.path();
    assert!(matches!(open(&root.join("missing")), Error::Io { .. }));
    assert!(matches!(open(root), Error::NoSamples { .. }));
    fs::create_dir(root.join("patches")).expect("folder");
    let error = open(root);
    assert!(matches!(&error, Error::NoSamples { .. }) && error.to_string().contains("-DATA.npy"));

    hyspecnet(root, &[2], (5, 8, 8));
    let other = root.join("patches/TILE0/z/z-DATA.npy");
    write(&other, &scramble((6, 8, 8)));
    let error = open(root);
    assert!(matches!(error, Error::BandCount { expected: 5, got: 6, .. }), "{error}");
    assert!(error.to_string().contains("z-DATA.npy"));
    write(&other, &scramble((5, 8, 7)));
    assert!(matches!(open(root), Error::PatchSize { got_cols: 7, .. }));
    fs::write(&other, b"\x93NUMPY\x01\x00").expect("written");
    assert!(matches!(open(root), Error::NpyHeader { .. }));
}

#[test]
fn nan_pixels_are_an_error_of_the_sample() -> Result<()> {
    let folder = temporary();
    let mut cube = scramble((3, 4, 8));
    cube[[2, 1, 5]] = f32::NAN;
    let path = folder.path().join("cube.npy");
    write(&path, &cube);
    let dataset = PatchDataset::from_file(&path, &CutOptions::default())?;
    assert!(dataset.get(0).is_ok());
    let error = dataset.get(1).expect_err("NaN");
    assert!(matches!(error, Error::NotFinite { count: 1, band: 2, row: 1, col: 1, .. }));
    assert!(error.to_string().starts_with("`cube_r0_c4` has 1 samples"), "{error}");
    Ok(())
}

#[test]
fn a_cube_is_cut_the_same_from_disk_and_from_memory() -> Result<()> {
    let folder = temporary();
    let path = folder.path().join("scene.npy");
    let cube = scramble((4, 10, 7));
    write_array(&path, cube.view(), NpyOptions { axes: Axes::Hwb, ..NpyOptions::default() })?;
    let options = CutOptions {
        patch_size: Some(4),
        stride: Some(3),
        open: OpenOptions { axes: Axes::Hwb, ..OpenOptions::default() },
        ..CutOptions::default()
    };
    let disk = PatchDataset::from_file(&path, &options)?;
    let memory = PatchDataset::from_cube(Arc::new(open(&path, &options.open)?), &options)?;
    assert_eq!(disk.len(), 3 * 2);
    for i in 0..disk.len() {
        let (row, col) = (3 * (i / 2), 3 * (i % 2));
        assert_eq!(disk.get(i)?, cube.slice(s![.., row..row + 4, col..col + 4]));
        assert_eq!(disk.get(i)?, memory.get(i)?);
        assert_eq!(disk.name(i), format!("scene_r{row}_c{col}"));
        assert_eq!((memory.name(i), disk.group(i)), (disk.name(i), "scene".into()));
    }
    // By default the shortest side.
    let whole = PatchDataset::from_file(
        &path,
        &CutOptions { open: options.open.clone(), ..CutOptions::default() },
    )?;
    assert_eq!((whole.len(), whole.size()), (1, (7, 7)));
    for (patch_size, stride) in [(Some(8), None), (Some(0), None), (None, Some(0))] {
        let bad = CutOptions { patch_size, stride, ..options.clone() };
        assert!(matches!(PatchDataset::from_file(&path, &bad), Err(Error::Config { .. })));
    }
    Ok(())
}

#[test]
fn enmap_cubes_lose_their_nodata_bands() -> Result<()> {
    let folder = temporary();
    let path = folder.path().join("enmap.npy");
    let mut cube = scramble((224, 4, 8));
    cube.slice_mut(s![129..135, .., ..]).fill(-32768.0);
    write(&path, &cube);
    let cut = |bands, nodata| {
        let open = OpenOptions { nodata, ..OpenOptions::default() };
        PatchDataset::from_file(&path, &CutOptions { bands, open, ..CutOptions::default() })
    };
    let valid: Vec<usize> = (0..129).chain(135..224).collect();
    for (selection, keep) in [
        (BandSelection::Valid, valid.as_slice()),
        (BandSelection::HySpecNet, hyspecnet_202()),
        (BandSelection::All, &(0..224).collect::<Vec<_>>()),
    ] {
        let dataset = cut(selection, None)?;
        assert_eq!((dataset.len(), dataset.bands()), (2, keep.len()));
        let wanted = cube.slice(s![.., .., 4..8]).select(ndarray::Axis(0), keep);
        assert_eq!(dataset.get(1)?, wanted);
        let nm: Vec<f32> = keep.iter().map(|&b| ENMAP_224_WAVELENGTHS_NM[b]).collect();
        assert_eq!(dataset.wavelengths_nm(), Some(nm));
    }
    // One pixel of nodata costs the window that has it, if the value is declared.
    cube[[3, 2, 1]] = -32768.0;
    write(&path, &cube);
    assert_eq!(cut(BandSelection::Valid, None)?.len(), 2);
    fs::write(folder.path().join("enmap.json"), "{\"nodata\": -32768}").expect("JSON");
    let dataset = cut(BandSelection::Valid, None)?;
    assert_eq!((dataset.len(), dataset.bands(), dataset.name(0)), (1, 218, "enmap_r0_c4".into()));
    assert_eq!(cut(BandSelection::Valid, Some(-1.0))?.bands(), 224, "another value was given");
    cube.fill(-32768.0);
    write(&path, &cube);
    assert!(matches!(cut(BandSelection::Valid, None), Err(Error::NoValidBand { .. })));
    assert!(matches!(cut(BandSelection::HySpecNet, None), Err(Error::NoSamples { .. })));
    Ok(())
}

#[test]
fn folders_of_cubes_must_agree_in_their_bands() -> Result<()> {
    let folder = temporary();
    write(&folder.path().join("b.npy"), &scramble((3, 8, 12)));
    write(&folder.path().join("a.npy"), &scramble((3, 6, 6)));
    fs::write(folder.path().join("notes.txt"), "not a cube").expect("written");
    let dataset = spec(folder.path()).open(&DatasetOptions::default())?;
    assert_eq!((dataset.len(), dataset.size()), (3, (6, 6)));
    let groups: Vec<String> = (0..3).map(|i| dataset.group(i)).collect();
    assert_eq!(groups, ["a", "b", "b"]);
    write(&folder.path().join("c.npy"), &scramble((4, 6, 6)));
    let error = spec(folder.path()).open(&DatasetOptions::default()).err().expect("bands");
    assert!(matches!(error, Error::BandCount { expected: 3, got: 4, .. }));
    Ok(())
}

#[test]
fn synthetic_samples_depend_on_seed_and_index_alone() -> Result<()> {
    let open = |spec: &str, seed| {
        let options =
            DatasetOptions { bands: Some(6), patch_size: Some(16), seed, ..Default::default() };
        spec.parse::<DataSpec>()?.open(&options)
    };
    let (few, many, other) =
        (open("synthetic:2", 1)?, open("synthetic:5", 1)?, open("synthetic:2", 2)?);
    assert_eq!((few.len(), few.bands(), few.size()), (2, 6, (16, 16)));
    assert_eq!(few.get(1)?, many.get(1)?);
    assert_ne!(few.get(0)?, few.get(1)?);
    assert_ne!(few.get(0)?, other.get(0)?);
    // The next scene of one seed is not the first of the next seed.
    assert_ne!(few.get(1)?, other.get(0)?);
    assert!(few.get(2).is_err());
    assert_ne!(few.group(0), few.group(1));
    assert_eq!(open("synthetic", 1)?.len(), 64);
    Ok(())
}

#[test]
fn specs_are_read_and_shown() -> Result<()> {
    for text in ["synthetic:7", "some/folder", "cube.npy"] {
        let spec: DataSpec = text.parse()?;
        assert_eq!(spec.to_string(), text);
        let json = serde_json::to_string(&spec).expect("JSON");
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<DataSpec>(&json).expect("JSON"), spec);
    }
    for text in ["", "synthetic:", "synthetic:0", "synthetic:-1", "synthetic:many"] {
        assert!(matches!(text.parse::<DataSpec>(), Err(Error::Parse { .. })), "{text}");
    }
    Ok(())
}

#[test]
fn a_subset_is_a_dataset_of_its_own() -> Result<()> {
    let cube = Arc::new(Cube::new(scramble((2, 4, 16)), CubeMeta::default())?);
    let whole: Arc<dyn Dataset> = Arc::new(PatchDataset::from_cube(cube, &CutOptions::default())?);
    let subset = Subset::new(Arc::clone(&whole), vec![3, 1])?;
    assert_eq!((subset.len(), subset.bands(), subset.size()), (2, 2, (4, 4)));
    assert_eq!(subset.get(0)?, whole.get(3)?);
    assert_eq!((subset.name(1), subset.group(1)), (whole.name(1), whole.group(1)));
    assert!(matches!(subset.get(2), Err(Error::SampleIndex { index: 2, len: 2 })));
    let error = Subset::new(whole, vec![0, 4]).expect_err("index");
    assert!(matches!(error, Error::SampleIndex { index: 4, len: 4 }));
    Ok(())
}
