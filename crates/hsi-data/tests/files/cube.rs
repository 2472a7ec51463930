//! The cube and its metadata.

use hsi_data::{Cube, CubeMeta, Error, GeoTags, Result};
use ndarray::{Array2, Array3};

const NODATA: f32 = -32768.0;

fn sample() -> Result<Cube> {
    let mut data = Array3::from_shape_fn((4, 3, 5), |(b, r, c)| (100 * b + 10 * r + c) as f32);
    data.index_axis_mut(ndarray::Axis(0), 2).fill(NODATA);
    data[[0, 1, 2]] = NODATA;
    let meta = CubeMeta {
        wavelengths_nm: Some(vec![450.0, 550.0, 650.0, 750.0]),
        bad_bands: Some(vec![false, false, false, true]),
        nodata: Some(f64::from(NODATA)),
        geo: Some(GeoTags {
            transform: Some([1000.0, 30.0, 0.0, 2000.0, 0.0, -30.0]),
            ..GeoTags::default()
        }),
        ..CubeMeta::default()
    };
    Cube::new(data, meta)
}

#[test]
fn metadata_must_fit_the_bands() {
    let new = |meta| Cube::new(Array3::zeros((2, 1, 1)), meta);
    let short = CubeMeta { fwhm_nm: Some(vec![6.0]), ..CubeMeta::default() };
    let error = new(short).expect_err("one width");
    assert_eq!(error.to_string(), "`fwhm_nm` has 1 entries for 2 bands");
    let nan = CubeMeta { wavelengths_nm: Some(vec![1.0, f32::NAN]), ..CubeMeta::default() };
    assert!(matches!(new(nan), Err(Error::Config { field: "wavelengths_nm", .. })));
    let flags = CubeMeta { bad_bands: Some(vec![true; 3]), ..CubeMeta::default() };
    assert!(matches!(new(flags), Err(Error::MetaLength { field: "bad_bands", .. })));
    let empty = Cube::new(Array3::zeros((2, 0, 1)), CubeMeta::default());
    assert!(matches!(empty, Err(Error::EmptyCube { bands: 2, rows: 0, cols: 1 })));
}

#[test]
fn any_layout_becomes_the_standard_one() -> Result<()> {
    let moved = Array3::from_shape_fn((5, 3, 4), |(a, b, c)| (a * b + c) as f32);
    let moved = moved.permuted_axes([2, 0, 1]);
    let cube = Cube::new(moved.clone(), CubeMeta::default())?;
    assert!(cube.view().is_standard_layout());
    assert_eq!(cube.view(), moved);
    assert_eq!((cube.bands(), cube.rows(), cube.cols()), (4, 5, 3));
    Ok(())
}

#[test]
fn nodata_and_bad_bands_are_found() -> Result<()> {
    let cube = sample()?;
    assert_eq!(cube.valid_bands(), [0, 1]);
    let mask = cube.nodata_mask().expect("one pixel");
    let mut wanted = Array2::from_elem((3, 5), false);
    wanted[[1, 2]] = true;
    assert_eq!(mask, wanted);

    // Without a declared value only bands of nothing else are taken for nodata.
    let mut bare = cube.clone();
    bare.set_meta(CubeMeta::default())?;
    assert_eq!(bare.valid_bands(), [0, 1, 3]);
    assert_eq!(bare.nodata_mask(), None);
    assert_eq!(cube.select_bands(&[1])?.nodata_mask(), None);
    Ok(())
}

#[test]
fn bands_and_windows_take_their_metadata_along() -> Result<()> {
    let cube = sample()?;
    let picked = cube.select_bands(&[3, 1])?;
    assert_eq!(picked.meta().wavelengths_nm, Some(vec![750.0, 550.0]));
    assert_eq!(picked.meta().bad_bands, Some(vec![true, false]));
    assert_eq!(picked.view()[[1, 2, 4]], 124.0);
    assert!(matches!(cube.select_bands(&[4]), Err(Error::BandIndex { index: 4, bands: 4 })));
    assert!(cube.select_bands(&[]).is_err());

    let window = cube.window(1..3, 2..4)?;
    assert_eq!((window.bands(), window.rows(), window.cols()), (4, 2, 2));
    assert_eq!(window.view()[[1, 0, 0]], 112.0);
    let transform = window.meta().geo.as_ref().and_then(|geo| geo.transform);
    assert_eq!(transform, Some([1060.0, 30.0, 0.0, 1970.0, 0.0, -30.0]));
    let reversed = std::ops::Range { start: 2, end: 1 };
    for (rows, cols) in [(0..4, 0..1), (0..1, 5..6), (reversed, 0..1)] {
        assert!(matches!(cube.window(rows, cols), Err(Error::Window { .. })));
    }
    Ok(())
}

#[test]
fn samples_that_are_not_finite_are_counted_and_placed() -> Result<()> {
    let mut cube = sample()?;
    cube.check_finite()?;
    cube.view_mut()[[1, 2, 3]] = f32::NAN;
    cube.view_mut()[[3, 0, 0]] = f32::INFINITY;
    match cube.check_finite() {
        Err(Error::NotFinite { count, band, row, col, .. }) => {
            assert_eq!((count, band, row, col), (2, 1, 2, 3));
        }
        other => panic!("{other:?}"),
    }
    cube.view_mut()[[3, 0, 0]] = 0.0;
    cube.set_meta(CubeMeta { nodata: Some(f64::NAN), ..CubeMeta::default() })?;
    cube.check_finite()?;
    Ok(())
}
