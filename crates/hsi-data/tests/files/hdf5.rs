//! Files that h5py wrote (`tests/data/hdf5_golden.py`).

use std::collections::BTreeMap;

use hsi_data::{
    Axes, Compression, Error, Format, OpenOptions, Result, contents, open, open_reader,
};
use ndarray::{Array3, Axis, s};

use super::data;

#[derive(serde::Deserialize)]
struct Values {
    shape: [usize; 3],
    values: Vec<f32>,
}

#[derive(serde::Deserialize)]
struct File {
    dtype: String,
    big_endian: bool,
    array: usize,
}

#[derive(serde::Deserialize)]
struct Expected {
    arrays: Vec<Values>,
    files: BTreeMap<String, File>,
}

#[test]
fn every_type_layout_and_index_is_read_as_h5py_reads_it() -> Result<()> {
    let text = std::fs::read_to_string(data("hdf5_expected.json")).expect("golden file");
    let expected: Expected = serde_json::from_str(&text).expect("golden JSON");
    assert_eq!(expected.files.len(), 42 + 3 * 14 + 2 * 4 + 3);
    for (name, file) in &expected.files {
        let path = data(&format!("hdf5/{name}.h5"));
        let Values { shape, values } = &expected.arrays[file.array];
        let values = Array3::from_shape_vec(*shape, values.clone()).expect("shape");
        let reader = open_reader(&path, &OpenOptions::default())?;
        assert_eq!(reader.shape(), *shape, "{name}");
        assert_eq!(reader.dtype().numpy_code(), file.dtype, "{name}");
        let source = reader.meta().source.clone().expect("source");
        assert_eq!((source.format, source.big_endian), (Format::Hdf5, file.big_endian), "{name}");
        assert_eq!(open(&path, &OpenOptions::default())?.view(), values, "{name}");
        let window = reader.read(&[3, 1, 2], 1..5, 2..4)?;
        let wanted = values.select(Axis(0), &[3, 1, 2]);
        assert_eq!(window, wanted.slice(s![.., 1..5, 2..4]), "{name}");
    }
    Ok(())
}

#[test]
fn metadata_is_found_in_attributes_and_datasets() -> Result<()> {
    for libver in ["earliest", "v108", "latest"] {
        let path = data(&format!("hdf5/{libver}_full.h5"));
        let reader = open_reader(&path, &OpenOptions::default())?;
        let meta = reader.meta();
        assert_eq!(meta.wavelengths_nm, Some(vec![410.0, 420.0, 430.0, 440.0]), "{libver}");
        let names = meta.band_names.as_ref().map(|names| names.join(" "));
        assert_eq!(names.as_deref(), Some("a bb ccc dddd"), "{libver}");
        let arrays = contents(&path)?;
        // The cube, sixty lists and the link to one of them; not the link to another file.
        assert_eq!(arrays.len(), 62, "{libver}");
        assert!(arrays.iter().any(|array| array.to_string() == "`alias` int64 3"));
    }
    let reader = open_reader(data("hdf5/netcdf.h5"), &OpenOptions::default())?;
    let meta = reader.meta();
    let source = meta.source.as_ref().expect("source");
    assert_eq!((source.axes, source.variable.as_deref()), (Axes::Hwb, Some("reflectance")));
    assert_eq!(source.compression, Compression::Deflate { level: 4, filter: true });
    assert_eq!(source.chunk, Some([2, 6, 4]));
    let wavelengths = meta.wavelengths_nm.as_ref().expect("wavelengths");
    assert!(
        wavelengths.iter().zip([400.0, 500.0, 600.0, 700.0]).all(|(a, b)| (a - b).abs() < 1e-3)
    );
    assert!((meta.fwhm_nm.as_ref().expect("widths")[3] - 6.0).abs() < 1e-4);
    assert_eq!(meta.bad_bands, Some(vec![false, false, true, false]));
    assert_eq!((meta.nodata, meta.scale), (Some(-9999.0), Some(1e-4)));
    let geo = meta.geo.as_ref().and_then(|geo| geo.transform);
    assert_eq!(geo, Some([300_000.0, 30.0, 0.0, 5_800_000.0, 0.0, -30.0]));
    Ok(())
}

#[test]
fn what_is_no_cube_is_refused_by_name() {
    let error = |name: &str| {
        let path = data(&format!("hdf5/bad_{name}.h5"));
        open(path, &OpenOptions::default()).expect_err(name)
    };
    let two = error("two");
    assert!(matches!(two, Error::ChooseArray { found: "several", .. }), "{two}");
    let plane = error("plane").to_string();
    for part in ["`plane` int16 6 x 5", "`scalar` float64 scalar", "`table` compound 2 x 3 x 4"] {
        assert!(plane.contains(part), "{plane}");
    }
    for (name, feature) in [
        ("filter", "scale-offset"),
        ("virtual", "virtual dataset"),
        ("external", "kept in other files"),
    ] {
        let error = error(name);
        assert!(matches!(error, Error::Unsupported { format: Format::Hdf5, .. }), "{error}");
        assert!(error.to_string().contains(feature), "{error}");
    }
}
