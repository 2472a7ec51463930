//! Writing and reading again, also through another implementation of the format.

use std::fs;

use hsi_data::npy::{NpyOptions, inspect, write_array};
use hsi_data::{
    Axes, Cube, CubeMeta, Error, Format, GeoTags, OpenOptions, Result, SampleType, SaveOptions,
    open, save,
};
use ndarray::{Array3, s};
use ndarray_npy::{read_npy, write_npy};
use tempfile::TempDir;

use super::data;

fn ramp(shape: (usize, usize, usize)) -> Array3<f32> {
    Array3::from_shape_fn(shape, |(b, r, c)| (100 * b + 10 * r + c) as f32)
}

#[test]
fn every_golden_file_is_written_again_byte_by_byte() -> Result<()> {
    let folder = TempDir::new().expect("temporary folder");
    let mut count = 0;
    for entry in fs::read_dir(data("npy")).expect("golden folder") {
        let path = entry.expect("entry").path();
        let name = path.file_name().expect("name").to_string_lossy().into_owned();
        if name.starts_with("bad_") || name.starts_with("version2") || name.starts_with("python2") {
            continue;
        }
        // Beyond the 24 bits of `f32` only the type comes back.
        let exact = !["i4", "i8", "u4", "u8", "f8"].iter().any(|code| name.starts_with(code));
        for axes in [Axes::Bhw, Axes::Hwb] {
            let out = folder.path().join(&name);
            let cube = open(&path, &OpenOptions { axes, ..OpenOptions::default() })?;
            save(&cube, &out, &SaveOptions::default())?;
            assert_eq!(inspect(&out)?, inspect(&path)?, "{name}");
            if exact {
                assert!(fs::read(&out).ok() == fs::read(&path).ok(), "{name} {axes:?}");
            }
        }
        count += 1;
    }
    assert_eq!(count, 48);
    Ok(())
}

#[test]
fn another_implementation_reads_what_is_written_and_the_other_way_round() -> Result<()> {
    let folder = TempDir::new().expect("temporary folder");
    let path = folder.path().join("cube.npy");
    let cube = ramp((3, 4, 5));
    for fortran_order in [false, true] {
        for big_endian in [false, true] {
            let options = NpyOptions { fortran_order, big_endian, ..NpyOptions::default() };
            write_array(&path, cube.view(), options)?;
            assert_eq!(read_npy::<_, Array3<f32>>(&path).expect("read"), cube);
            let dtype = SampleType::I16;
            write_array(&path, cube.view(), NpyOptions { dtype, ..options })?;
            assert_eq!(read_npy::<_, Array3<i16>>(&path).expect("read"), cube.mapv(|v| v as i16));
            write_array(&path, cube.view(), NpyOptions { axes: Axes::Hwb, ..options })?;
            let moved = cube.view().permuted_axes([1, 2, 0]);
            assert_eq!(read_npy::<_, Array3<f32>>(&path).expect("read"), moved);
        }
    }
    write_npy(&path, &cube.mapv(f64::from)).expect("write");
    assert_eq!(open(&path, &OpenOptions::default())?.view(), cube);
    // Any strides can be written: every second row, columns backwards.
    let view = cube.slice(s![.., ..;2, ..;-1]);
    write_array(&path, view, NpyOptions::default())?;
    assert_eq!(open(&path, &OpenOptions::default())?.view(), view);
    Ok(())
}

#[test]
fn slabs_of_large_arrays_meet() -> Result<()> {
    let folder = TempDir::new().expect("temporary folder");
    let path = folder.path().join("cube.npy");
    // More than a slab of reading and of writing.
    let cube = Array3::from_shape_fn((12, 300, 411), |(b, r, c)| (b * 7919 + r * 631 + c) as f32);
    for (axes, fortran_order) in [(Axes::Bhw, false), (Axes::Hwb, false), (Axes::Bhw, true)] {
        write_array(&path, cube.view(), NpyOptions { axes, fortran_order, ..Default::default() })?;
        let read = open(&path, &OpenOptions { axes, ..OpenOptions::default() })?;
        assert!(read.view() == cube, "{axes:?} {fortran_order}");
    }
    Ok(())
}

#[test]
fn metadata_survives_and_stale_metadata_does_not() -> Result<()> {
    let folder = TempDir::new().expect("temporary folder");
    let path = folder.path().join("cube.npy");
    let json = folder.path().join("cube.json");
    let meta = CubeMeta {
        wavelengths_nm: Some(vec![418.24, 423.874, 2445.53]),
        fwhm_nm: Some(vec![6.5, 6.4, 7.9]),
        nodata: Some(-32768.0),
        bad_bands: Some(vec![false, true, false]),
        scale: Some(1e-4),
        offset: Some(0.5),
        geo: Some(GeoTags {
            transform: Some([364_000.0, 30.0, 0.0, 5_808_000.0, 0.0, -30.0]),
            epsg: Some(32633),
            wkt: None,
        }),
        band_names: Some(["blue", "green", "red"].map(str::to_owned).to_vec()),
        description: Some("a ramp".to_owned()),
        source: None,
    };
    let cube = Cube::new(ramp((3, 2, 2)), meta.clone())?;
    save(&cube, &path, &SaveOptions::default())?;
    let read = open(&path, &OpenOptions::default())?;
    assert_eq!(CubeMeta { source: None, ..read.meta().clone() }, meta);
    assert_eq!(read.view(), cube.view());

    // NaN has no number in JSON.
    let nan = CubeMeta { nodata: Some(f64::NAN), ..CubeMeta::default() };
    save(&Cube::new(ramp((2, 2, 2)), nan)?, &path, &SaveOptions::default())?;
    let read = open(&path, &OpenOptions::default())?;
    assert!(read.meta().nodata.is_some_and(f64::is_nan) && read.meta().wavelengths_nm.is_none());

    // Keys of others stay, those of this crate go with the metadata.
    fs::write(&json, "{\"mission\": \"x\", \"scale\": 2}").expect("JSON");
    save(&Cube::new(ramp((2, 2, 2)), CubeMeta::default())?, &path, &SaveOptions::default())?;
    let text = fs::read_to_string(&json).expect("JSON");
    assert!(text.contains("mission") && !text.contains("scale"), "{text}");

    let plain = folder.path().join("plain.npy");
    save(&Cube::new(ramp((2, 2, 2)), CubeMeta::default())?, &plain, &SaveOptions::default())?;
    assert!(!folder.path().join("plain.json").exists());
    Ok(())
}

#[test]
fn integers_are_rounded_and_clamped_and_nan_needs_nodata() -> Result<()> {
    let folder = TempDir::new().expect("temporary folder");
    let path = folder.path().join("cube.npy");
    let samples = [-3.0, 0.5, 1.5, 254.6, 999.0, f32::NAN];
    let data = Array3::from_shape_vec((1, 1, 6), samples.to_vec()).expect("shape");
    let options = SaveOptions { dtype: Some(SampleType::U8), ..SaveOptions::default() };
    let cube = Cube::new(data.clone(), CubeMeta::default())?;
    let error = save(&cube, &path, &options).expect_err("NaN");
    assert!(matches!(error, Error::NanToInteger { count: 1, .. }), "{error}");
    assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 0, "nothing half-written");

    let meta = CubeMeta { nodata: Some(7.0), ..CubeMeta::default() };
    save(&Cube::new(data.clone(), meta)?, &path, &options)?;
    let read = open(&path, &OpenOptions::default())?;
    assert_eq!(read.view().iter().copied().collect::<Vec<_>>(), [0., 0., 2., 255., 255., 7.]);
    assert!(
        write_array(&path, data.view(), NpyOptions { dtype: SampleType::I8, ..Default::default() })
            .is_err()
    );
    Ok(())
}

#[test]
fn a_file_that_cannot_be_written_leaves_nothing_behind() -> Result<()> {
    let folder = TempDir::new().expect("temporary folder");
    let meta = CubeMeta { scale: Some(2.0), ..CubeMeta::default() };
    let cube = Cube::new(ramp((1, 1, 1)), meta)?;
    let missing = folder.path().join("no/such/cube.npy");
    assert!(matches!(save(&cube, &missing, &SaveOptions::default()), Err(Error::Io { .. })));
    let odd = folder.path().join("cube.xyz");
    let error = save(&cube, &odd, &SaveOptions::default()).expect_err("extension");
    assert!(matches!(error, Error::UnknownFormat { .. }));
    // A JSON file that is not one is not overwritten, and the array is not written beside it.
    let path = folder.path().join("cube.npy");
    fs::write(folder.path().join("cube.json"), "not JSON").expect("JSON");
    assert!(matches!(save(&cube, &path, &SaveOptions::default()), Err(Error::Sidecar { .. })));
    let left: Vec<_> = fs::read_dir(folder.path()).expect("folder").flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    fs::remove_file(left[0].path()).expect("JSON");
    let options = SaveOptions { format: Some(Format::Npy), ..SaveOptions::default() };
    save(&cube, &odd, &options)?;
    assert!(odd.exists());
    Ok(())
}
