//! Files that scipy and h5py wrote in MATLAB's formats (`tests/data/mat_golden.py`).

use std::collections::BTreeMap;

use hsi_data::{
    Axes, Error, Format, OpenOptions, Result, contents, open, open_reader, read_matrix,
};
use ndarray::{Array3, Axis, s};

use super::data;

#[derive(serde::Deserialize)]
struct Expected {
    shape: [usize; 3],
    dtype: String,
    values: Vec<f32>,
}

fn named(variable: &str) -> OpenOptions {
    OpenOptions { variable: Some(variable.to_owned()), ..OpenOptions::default() }
}

/// How the cube of a golden file is asked for.
fn options(name: &str) -> OpenOptions {
    match name {
        "matrix" => OpenOptions {
            variable: Some("Y".to_owned()),
            reshape: Some((3, 4)),
            ..OpenOptions::default()
        },
        "several_plain" | "several_zlib" => named("cube"),
        _ => OpenOptions::default(),
    }
}

#[test]
fn every_class_and_packing_is_read_as_scipy_reads_it() -> Result<()> {
    let text = std::fs::read_to_string(data("mat_expected.json")).expect("golden file");
    let files: BTreeMap<String, Expected> = serde_json::from_str(&text).expect("golden JSON");
    assert_eq!(files.len(), 11 * 3 + 7);
    for (name, file) in files {
        let path = data(&format!("mat/{name}.mat"));
        let values = Array3::from_shape_vec(file.shape, file.values).expect("shape");
        let reader = open_reader(&path, &options(&name))?;
        let dtype = if name == "narrow" { "u2" } else { &file.dtype };
        assert_eq!(reader.dtype().numpy_code(), dtype, "{name}");
        let source = reader.meta().source.clone().expect("source");
        let format = if name.starts_with("v73") { Format::Mat73 } else { Format::Mat5 };
        assert_eq!((source.format, source.axes), (format, Axes::Hwb), "{name}");
        assert_eq!(open(&path, &options(&name))?.view(), values, "{name}");
        let window = reader.read(&[1, 0, 1], 1..3, 1..3)?;
        assert_eq!(window, values.select(Axis(0), &[1, 0, 1]).slice(s![.., 1..3, 1..3]), "{name}");
        if name == "several_plain" || name.ends_with("several") {
            let meta = reader.meta();
            assert_eq!(meta.wavelengths_nm, Some(vec![450.0, 650.0]), "{name}");
        }
    }
    let meta = open_reader(data("mat/several_zlib.mat"), &named("cube"))?.meta().clone();
    assert_eq!((meta.fwhm_nm, meta.nodata), (Some(vec![5.0, 6.0]), Some(-32768.0)));
    // Other axes: the first one as bands.
    let bands_first = OpenOptions { axes: Axes::Bhw, ..OpenOptions::default() };
    let cube = open(data("mat/i2_zlib.mat"), &bands_first)?;
    let custom = open(data("mat/i2_zlib.mat"), &OpenOptions::default())?;
    assert_eq!(cube.view(), custom.view().permuted_axes([1, 2, 0]));
    Ok(())
}

#[test]
fn a_file_lists_what_it_holds() -> Result<()> {
    let lines = |name: &str| -> Result<Vec<String>> {
        Ok(contents(data(name))?.iter().map(ToString::to_string).collect())
    };
    let several = lines("mat/several_plain.mat")?;
    assert_eq!(several, lines("mat/several_zlib.mat")?);
    for line in [
        "`title` char 1 x 6",
        "`wavelength` double 2 x 1",
        "`weights` sparse 4 x 4",
        "`phase` complex double 3 x 4 x 2",
        "`mask` logical 3 x 4",
        "`count` int32 1 x 1",
        "`empty` double 0 x 3",
        "`cube` int16 3 x 4 x 2",
    ] {
        assert!(several.iter().any(|l| l == line), "`{line}` in {several:?}");
    }
    assert_eq!(
        lines("mat/struct.mat")?,
        [
            "`scene` struct 1 x 1",
            "`scene.info` struct 1 x 1",
            "`scene.info.sensor` char 1 x 4",
            "`scene.info.lines` double 1 x 1",
            "`scene.cube` single 3 x 4 x 2",
            "`scene.wl` double 1 x 2",
        ]
    );
    assert_eq!(lines("mat/cell.mat")?[3], "`list{2}.cube` uint16 3 x 4 x 2");
    let v73 = lines("mat/v73_several.mat")?;
    for line in ["`none` double 2", "`scene.cube` int16 3 x 4 x 2", "`title` char 1 x 6"] {
        let found = v73.iter().any(|l| l == line || (line.contains("none") && l.contains("empty")));
        assert!(found, "`{line}` in {v73:?}");
    }
    Ok(())
}

#[test]
fn what_is_not_told_or_not_there_is_an_error_that_lists_the_arrays() {
    let error = |name: &str, options: &OpenOptions| {
        open(data(&format!("mat/{name}.mat")), options).expect_err(name)
    };
    let none = OpenOptions::default();
    let two = error("two", &none).to_string();
    assert!(two.contains("there are several"), "{two}");
    assert!(two.contains("`hs` uint16 3 x 4 x 2, `ms` uint8 3 x 4 x 2"), "{two}");
    let missing = error("two", &named("pan"));
    assert!(matches!(&missing, Error::NoSuchArray { name, .. } if name == "pan"), "{missing}");
    assert!(missing.to_string().contains("`hs` uint16"), "{missing}");
    let plane = error("several_plain", &named("mask"));
    assert!(matches!(plane, Error::NotACube { shape, .. } if shape == [3, 4]));
    for name in ["title", "phase", "weights"] {
        let text = error("several_plain", &named(name));
        assert!(matches!(text, Error::UnsupportedDtype { .. }), "{name}: {text}");
    }
    let other = OpenOptions { reshape: Some((5, 5)), ..named("Y") };
    assert!(matches!(error("matrix", &other), Error::Shape { .. }));
    let old = error("version4", &none);
    assert!(matches!(old, Error::Unsupported { format: Format::Mat5, .. }), "{old}");
    assert!(old.to_string().contains("version 4"), "{old}");
}

#[test]
fn small_matrices_are_read_exactly() -> Result<()> {
    let psf = read_matrix(data("mat/matrix.mat"), Some("psf"))?;
    assert_eq!(psf.dim(), (2, 5));
    let cube = open(data("mat/matrix.mat"), &options("matrix"))?;
    // Pixels are in column-major order: three rows, then the next column.
    for ((band, pixel), value) in psf.indexed_iter() {
        assert_eq!(*value as f32, cube.view()[[band, pixel % 3, pixel / 3]]);
    }
    let wavelengths = read_matrix(data("mat/several_zlib.mat"), Some("wavelength"))?;
    assert_eq!(wavelengths, ndarray::arr2(&[[0.45], [0.65]]));
    let newer = read_matrix(data("mat/v73_several.mat"), None)?;
    assert_eq!(newer, ndarray::arr2(&[[450.0], [650.0]]));
    assert_eq!(read_matrix(data("npy/bad_plane.npy"), None)?[[2, 3]], 11.0);
    let error = read_matrix(data("mat/i2_plain.mat"), None).expect_err("no matrix");
    assert!(matches!(error, Error::ChooseArray { found: "none", .. }), "{error}");
    let error = read_matrix(data("mat/i2_plain.mat"), Some("cube")).expect_err("a cube");
    assert!(matches!(&error, Error::NotAMatrix { shape, .. } if *shape == [3, 4, 2]), "{error}");
    Ok(())
}
