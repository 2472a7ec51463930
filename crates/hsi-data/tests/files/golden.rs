//! Files that numpy wrote (`tests/data/npy_golden.py`).

use std::collections::BTreeMap;

use hsi_data::npy::{ByteOrder, MappedNpy, inspect, read_cube};
use hsi_data::{Axes, Error, OpenOptions, Result, open};
use ndarray::{Array3, s};

use super::data;

#[derive(serde::Deserialize)]
struct Expected {
    shape: [usize; 3],
    values: Vec<f32>,
}

fn expected() -> BTreeMap<String, Array3<f32>> {
    let text = std::fs::read_to_string(data("npy_expected.json")).expect("golden file");
    let files: BTreeMap<String, Expected> = serde_json::from_str(&text).expect("golden JSON");
    files
        .into_iter()
        .map(|(name, file)| (name, Array3::from_shape_vec(file.shape, file.values).expect("shape")))
        .collect()
}

#[test]
fn every_type_order_and_byte_order_is_read_as_numpy_reads_it() -> Result<()> {
    let files = expected();
    assert_eq!(files.len(), 12 * 4 + 2);
    for (name, values) in files {
        let path = data(&format!("npy/{name}.npy"));
        let info = inspect(&path)?;
        assert_eq!(info.shape, values.shape(), "{name}");
        if let [code, endian, order] = name.split('_').collect::<Vec<_>>()[..] {
            assert_eq!(info.dtype.numpy_code(), code);
            assert_eq!(info.fortran_order, order == "F", "{name}");
            let single = info.dtype.size() == 1;
            assert_eq!(info.byte_order == ByteOrder::Big, endian == "big" && !single, "{name}");
        }
        let cube = open(&path, &OpenOptions::default())?;
        assert_eq!(cube.view(), values, "{name}");
        assert!(cube.view().is_standard_layout());

        // Channel-last: the same numbers with the axes moved.
        let moved = values.view().permuted_axes([2, 0, 1]);
        assert_eq!(read_cube(&path, Axes::Hwb)?.0, moved, "{name} hwb");

        for (axes, whole) in [(Axes::Bhw, values.view()), (Axes::Hwb, moved)] {
            let map = MappedNpy::open(&path, axes)?;
            assert_eq!((map.bands(), map.rows(), map.cols()), whole.dim());
            let window = map.window(1..2, 1..2, 1..3)?;
            assert_eq!(window, whole.slice(s![1..2, 1..2, 1..3]), "{name} {axes:?}");
            let all = map.window(0..map.bands(), 0..map.rows(), 0..map.cols())?;
            assert_eq!(all, whole, "{name} {axes:?}");
            let picked = map.select(&[1, 0, 1], 0..1, 0..map.cols())?;
            for (plane, band) in picked.outer_iter().zip([1, 0, 1]) {
                assert_eq!(plane, whole.slice(s![band, 0..1, ..]), "{name} {axes:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn arrays_that_are_no_cubes_are_refused_by_name() {
    let error = |name: &str| {
        let path = data(&format!("npy/bad_{name}.npy"));
        let opened = open(&path, &OpenOptions::default()).expect_err(name);
        let mapped = MappedNpy::open(&path, Axes::Auto).expect_err(name);
        assert_eq!(opened.to_string(), mapped.to_string());
        opened
    };
    for (name, wanted) in [("complex", "<c8"), ("text", "<U2"), ("time", "<M8[s]")] {
        match error(name) {
            Error::UnsupportedDtype { descr, .. } => assert_eq!(descr, wanted),
            other => panic!("{name}: {other}"),
        }
    }
    match error("fields") {
        Error::UnsupportedDtype { descr, .. } => assert!(descr.contains("nir"), "{descr}"),
        other => panic!("{other}"),
    }
    assert!(matches!(error("plane"), Error::NotACube { shape, .. } if shape == [3, 4]));
    assert!(matches!(error("scalar"), Error::NotACube { shape, .. } if shape.is_empty()));
    assert!(matches!(error("empty"), Error::EmptyCube { bands: 2, rows: 0, cols: 4 }));
}

#[test]
fn matrices_of_pixels_become_cubes_by_option() -> Result<()> {
    let folder = tempfile::TempDir::new().expect("temporary folder");
    let path = folder.path().join("pixels.npy");
    let cube = Array3::from_shape_fn((3, 4, 5), |(b, r, c)| (100 * b + 10 * r + c) as f32);
    let pixels = cube.to_shape((3, 20)).expect("contiguous").to_owned();
    let options = OpenOptions { reshape: Some((4, 5)), ..OpenOptions::default() };
    for fortran in [false, true] {
        for transposed in [false, true] {
            let matrix = if transposed { pixels.t().to_owned() } else { pixels.clone() };
            // What is written is in C order unless its memory runs the other way.
            let stored = if fortran {
                matrix.t().as_standard_layout().into_owned().reversed_axes()
            } else {
                matrix.as_standard_layout().into_owned()
            };
            ndarray_npy::write_npy(&path, &stored).expect("written");
            assert_eq!(inspect(&path)?.fortran_order, fortran);
            assert_eq!(open(&path, &options)?.view(), cube, "{fortran} {transposed}");
        }
    }
    let wrong = OpenOptions { reshape: Some((5, 5)), ..OpenOptions::default() };
    assert!(matches!(open(&path, &wrong), Err(Error::Shape { .. })));
    let three = open(data("npy/f4_little_C.npy"), &options).expect_err("three axes");
    assert!(matches!(three, Error::Shape { .. }), "{three}");
    // Options that a format has no use for are refused.
    let named = OpenOptions { variable: Some("x".to_owned()), ..OpenOptions::default() };
    for (path, options) in [("npy/f4_little_C.npy", &named), ("envi/packed.hdr", &options)] {
        let error = open(data(path), options).expect_err("an option without use");
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    }
    Ok(())
}

#[test]
fn windows_outside_the_file_are_refused() -> Result<()> {
    let map = MappedNpy::open(data("npy/f4_little_C.npy"), Axes::Bhw)?;
    let empty = 1..1;
    for result in [
        map.window(0..3, 0..1, 0..1),
        map.window(0..1, 2..4, 0..1),
        map.window(0..1, 0..1, empty),
        map.window(0..1, usize::MAX - 1..usize::MAX, 0..1),
    ] {
        assert!(matches!(result, Err(Error::Window { .. })), "{result:?}");
    }
    let result = map.select(&[0, 2], 0..1, 0..1);
    assert!(matches!(result, Err(Error::BandIndex { index: 2, bands: 2 })));
    Ok(())
}
