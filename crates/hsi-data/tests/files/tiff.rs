//! TIFF files: those of tifffile and GDAL (`tests/data/tiff_golden.py`), and our own. What tifffile
//! and GDAL make of the latter is checked by `tests/data/check_tiff.py`, by hand, on the files that
//! `WRITE_TIFF` names a folder for.

use std::fs;
use std::path::PathBuf;

use hsi_data::{
    Axes, Compression, Cube, CubeMeta, Error, Format, GeoTags, OpenOptions, Result, SampleType,
    SaveOptions, create, open, open_reader, save,
};
use ndarray::{Array3, s};
use tempfile::TempDir;

use super::{data, names_in, value};

const SHAPE: (usize, usize, usize) = (3, 37, 21);

fn expected(dtype: SampleType) -> Array3<f32> {
    let modulo = if dtype.size() == 1 { 100 } else { usize::MAX };
    Array3::from_shape_fn(SHAPE, |at| (value(at) % modulo) as f32)
}

#[test]
fn files_of_tifffile_are_read_and_written_again() -> Result<()> {
    let folder = TempDir::new().expect("temporary folder");
    let names = names_in("tiff", ".tif");
    let mut read = 0;
    for name in
        names.iter().filter(|n| n.starts_with("t_") || n.starts_with("p_") || *n == "pages.tif")
    {
        let path = data(&format!("tiff/{name}"));
        assert_eq!(Format::sniff(&path)?, Format::Tiff, "{name}");
        let reader = open_reader(&path, &OpenOptions::default())?;
        let dtype = reader.dtype();
        if let Some(code) = name.split('_').nth(1) {
            assert_eq!(dtype.numpy_code(), code, "{name}");
        }
        assert_eq!(reader.shape(), [3, 37, 21], "{name}");
        let whole = expected(dtype);
        let cube = open(&path, &OpenOptions::default())?;
        assert_eq!(cube.view(), whole, "{name}");
        // Windows that begin and end within strips and tiles, bands in any order.
        for (bands, rows, cols) in [
            (vec![2, 0], 3..20, 5..18),
            (vec![1], 15..17, 15..17),
            (vec![1, 2], 36..37, 20..21),
            (vec![0, 1, 2], 16..32, 0..21),
            (vec![2, 2, 1], 0..37, 16..21),
        ] {
            let window = reader.read(&bands, rows.clone(), cols.clone())?;
            for (plane, band) in window.outer_iter().zip(&bands) {
                assert_eq!(plane, whole.slice(s![*band, rows.clone(), cols.clone()]), "{name}");
            }
        }
        // The same form again.
        let copy = folder.path().join("copy.tif");
        save(&cube, &copy, &SaveOptions::default())?;
        let again = open(&copy, &OpenOptions::default())?;
        assert_eq!(again.view(), whole, "{name}");
        let form = |cube: &Cube| {
            let source = cube.meta().source.clone().expect("a source");
            (source.dtype, source.big_endian, source.axes, source.compression, source.chunk)
        };
        assert_eq!(form(&again), form(&cube), "{name}");
        read += 1;
    }
    assert_eq!(read, 11 * 4 + 3 * 6 + 1);
    Ok(())
}

#[test]
fn what_gdal_says_of_a_cube_is_read_and_kept() -> Result<()> {
    let folder = TempDir::new().expect("temporary folder");
    for name in ["gdal_band.tif", "gdal_pixel.tif"] {
        let cube = open(data(&format!("tiff/{name}")), &OpenOptions::default())?;
        assert_eq!(cube.view(), expected(SampleType::I16), "{name}");
        let meta = cube.meta();
        assert_eq!(meta.wavelengths_nm, Some(vec![418.24, 551.0, 700.5]));
        assert_eq!(meta.fwhm_nm, Some(vec![6.99561, 7.5, 8.25]));
        assert_eq!(meta.bad_bands, Some(vec![false, true, false]));
        assert_eq!((meta.nodata, meta.scale, meta.offset), (Some(-32768.0), Some(1e-4), Some(0.5)));
        let names = ["blue", "green", "red & more"].map(str::to_owned).to_vec();
        assert_eq!(meta.band_names, Some(names));
        let geo = meta.geo.clone().expect("a position");
        assert_eq!(geo.epsg, Some(32633));
        assert_eq!(geo.transform, Some([366_975.0, 30.0, 0.0, 5_808_045.0, 0.0, -30.0]));

        let copy = folder.path().join(name);
        save(&cube, &copy, &SaveOptions::default())?;
        let again = open(&copy, &OpenOptions::default())?;
        assert_eq!(again.view(), cube.view());
        assert_eq!(without_source(again.meta()), without_source(meta), "{name}");
        // The rest in its own words: items of the file and of bands, geo keys.
        let extras = |meta: &CubeMeta| {
            let mut extras = meta.source.clone().expect("a source").extras;
            extras.retain(|(name, _)| name != "tag 305");
            extras.sort_by(|a, b| a.0.cmp(&b.0));
            extras
        };
        assert_eq!(extras(again.meta()), extras(meta), "{name}");
        assert!(extras(meta).iter().any(|(name, _)| name.ends_with("cloud")));

        // Bands that are picked keep what belongs to them.
        let picked = cube.select_bands(&[2, 0])?.window(10..30, 4..20)?;
        save(&picked, &copy, &SaveOptions::default())?;
        let again = open(&copy, &OpenOptions::default())?;
        assert_eq!(again.view(), picked.view());
        assert_eq!(without_source(again.meta()), without_source(picked.meta()));
        let geo = again.meta().geo.clone().expect("a position");
        assert_eq!(geo.transform, Some([367_095.0, 30.0, 0.0, 5_807_745.0, 0.0, -30.0]));
    }
    Ok(())
}

fn without_source(meta: &CubeMeta) -> CubeMeta {
    CubeMeta { source: None, ..meta.clone() }
}

#[test]
fn tiles_that_were_never_written_are_nodata() -> Result<()> {
    let cube = open(data("tiff/gdal_sparse.tif"), &OpenOptions::default())?;
    let meta = cube.meta();
    assert!(meta.nodata.is_some_and(f64::is_nan));
    assert_eq!(meta.wavelengths_nm, Some(vec![500.0, 600.0]));
    assert_eq!(meta.fwhm_nm, Some(vec![10.0, 10.0]));
    // Factors that differ from band to band are kept in their own words.
    assert_eq!(meta.scale, None);
    let geo = meta.geo.clone().expect("a position");
    assert_eq!((geo.epsg, geo.transform), (Some(4326), Some([10.0, 0.1, 0.02, 50.0, 0.03, -0.1])));
    for ((_, row, col), &sample) in cube.view().indexed_iter() {
        let written = row < 16 && (16..32).contains(&col);
        assert!(if written { sample == 7.0 } else { sample.is_nan() }, "{row} {col}: {sample}");
    }
    let point = open(data("tiff/gdal_point.tif"), &OpenOptions::default())?;
    let geo = point.meta().geo.clone().expect("a position");
    assert_eq!(geo.transform, Some([366_975.0, 30.0, 0.0, 5_808_045.0, 0.0, -30.0]));
    let folder = TempDir::new().expect("temporary folder");
    for cube in [cube, point] {
        let copy = folder.path().join("copy.tif");
        save(&cube, &copy, &SaveOptions::default())?;
        let again = open(&copy, &OpenOptions::default())?;
        assert_eq!(again.meta().geo, cube.meta().geo);
        assert_eq!(again.meta().wavelengths_nm, cube.meta().wavelengths_nm);
    }
    Ok(())
}

/// What GeoTIFF can say of a cube.
fn described() -> CubeMeta {
    CubeMeta {
        wavelengths_nm: Some(vec![418.24, 423.874, 2445.53]),
        fwhm_nm: Some(vec![6.99561, 0.1, 12.0]),
        bad_bands: Some(vec![false, true, false]),
        nodata: Some(99.0),
        scale: Some(1e-4),
        offset: Some(0.5),
        geo: Some(GeoTags {
            transform: Some([300_000.0, 30.0, 0.0, 5_800_000.0, 0.0, -30.0]),
            epsg: Some(32633),
            wkt: None,
        }),
        band_names: Some(["a & b", "<c>", "d"].map(str::to_owned).to_vec()),
        ..CubeMeta::default()
    }
}

#[test]
fn every_form_that_is_written_is_read() -> Result<()> {
    let folder = TempDir::new().expect("temporary folder");
    let kept = std::env::var_os("WRITE_TIFF").map(PathBuf::from);
    let packings =
        ["none", "deflate", "deflate:1+filter", "lzw", "lzw+filter", "zstd:3", "zstd:3+filter"];
    let chunks = [None, Some([1, 5, 21]), Some([1, 16, 16]), Some([3, 40, 40]), Some([1, 1, 1])];
    let mut turn = 0;
    for dtype in SampleType::ALL {
        let whole = if dtype == SampleType::Bool {
            expected(dtype).mapv(|v| f32::from(v > 50.0))
        } else {
            expected(dtype)
        };
        for packing in packings {
            for axes in [Axes::Bhw, Axes::Hwb] {
                let chunk = chunks[turn % chunks.len()];
                turn += 1;
                let options = SaveOptions {
                    dtype: Some(dtype),
                    axes,
                    chunk,
                    big_endian: Some(turn % 3 == 0),
                    compression: Some(packing.parse::<Compression>()?),
                    ..SaveOptions::default()
                };
                let name = format!("{dtype}_{turn}_{packing}.tif").replace(':', "");
                let path = kept.as_deref().unwrap_or(folder.path()).join(name);
                // In blocks that do not meet the strips.
                let mut writer = create(&path, [3, 37, 21], &described(), &options)?;
                for rows in [0..1, 1..12, 12..31, 31..37] {
                    writer.write(whole.slice(s![.., rows, ..]))?;
                }
                writer.finish()?;
                let cube = open(&path, &OpenOptions::default())?;
                let name = format!("{dtype} {packing} {axes:?} {chunk:?}");
                assert_eq!(cube.view(), whole, "{name}");
                let source = cube.meta().source.clone().expect("a source");
                assert_eq!(source.axes, axes, "{name}");
                assert_eq!(source.compression.filter(), packing.ends_with("+filter"), "{name}");
                assert_eq!(source.big_endian, turn % 3 == 0, "{name}");
                assert_eq!(without_source(cube.meta()), described(), "{name}");
            }
        }
    }
    Ok(())
}

#[test]
fn metadata_of_other_formats_are_written() -> Result<()> {
    let folder = TempDir::new().expect("temporary folder");
    let path = folder.path().join("cube.tif");
    let wkt = r#"PROJCS["mine",GEOGCS["g",DATUM["d",SPHEROID["s",6378137,298]]],UNIT["m",1]]"#;
    for (epsg, wkt, transform) in [
        (Some(32718), None, [1.5, 10.0, 0.0, 7.25, 0.0, -10.0]),
        (Some(4326), None, [1.5, 0.1, 0.2, 7.25, 0.3, 0.4]),
        (None, Some(wkt.to_owned()), [0.0, 1.0, 0.0, 0.0, 0.0, 1.0]),
    ] {
        let meta = CubeMeta {
            wavelengths_nm: Some(vec![418.24, 423.874, 2445.53]),
            fwhm_nm: Some(vec![6.99561, 0.1, 12.0]),
            nodata: Some(f64::from(f32::MIN)),
            scale: Some(1e-4),
            description: Some("two\nlines & <signs>".to_owned()),
            geo: Some(GeoTags { transform: Some(transform), epsg, wkt }),
            ..CubeMeta::default()
        };
        let cube = Cube::new(expected(SampleType::F32), meta)?;
        save(&cube, &path, &SaveOptions::default())?;
        let again = open(&path, &OpenOptions::default())?;
        assert_eq!(without_source(again.meta()), without_source(cube.meta()));
        assert_eq!(again.view(), cube.view());
    }
    Ok(())
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    for (name, wanted) in [
        ("bad_complex.tif", "complex samples of 64 bits"),
        ("bad_bits.tif", "samples of 1 bits"),
        ("bad_jpeg.tif", "JPEG compression"),
    ] {
        let error = open(data(&format!("tiff/{name}")), &OpenOptions::default()).expect_err(name);
        assert!(matches!(error, Error::Unsupported { .. }), "{name}: {error}");
        assert!(error.to_string().contains(wanted), "{name}: {error}");
    }
    let folder = TempDir::new().expect("temporary folder");
    let path = folder.path().join("cube.tif");
    let options = SaveOptions { axes: Axes::Hbw, ..SaveOptions::default() };
    let error = create(&path, [1, 1, 1], &CubeMeta::default(), &options).expect_err("by line");
    assert!(error.to_string().contains("interleaving by line"), "{error}");
    assert!(!path.exists());
}

#[test]
fn forged_headers_allocate_nothing() {
    let folder = TempDir::new().expect("temporary folder");
    let path = folder.path().join("forged.tif");
    let file = |fields: &[(u16, u16, u32, u32)], next: u32| {
        let mut bytes = b"II*\0\x08\0\0\0".to_vec();
        bytes.extend((fields.len() as u16).to_le_bytes());
        for &(tag, kind, count, value) in fields {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(kind.to_le_bytes());
            bytes.extend(count.to_le_bytes());
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(next.to_le_bytes());
        bytes.resize(200, 0);
        bytes
    };
    let side = 1 << 30;
    let strip = |packing: u32, rows: u32, cols: u32| {
        vec![
            (256, 4, 1, cols),
            (257, 4, 1, rows),
            (258, 3, 1, 64),
            (259, 3, 1, packing),
            (273, 4, 1, 8),
            (279, 4, 1, 100),
        ]
    };
    for (fields, next, wanted) in [
        (strip(1, side, side), 0, "impossibly large"),
        (strip(1, 100_000, 100_000), 0, "above the limit"),
        (strip(8, 40_000, 1000), 0, "cannot come from"),
        (strip(5, 10_000, 1000), 0, "cannot come from"),
        (strip(50000, 1000, 1000), 0, "Zstandard"),
        (strip(1, 1, 1), 8, "cycle"),
        (strip(1, 0, 1), 0, "the height is zero"),
        (strip(7, 1, 1), 0, "JPEG"),
        (vec![(257, 4, u32::MAX, 8)], 0, "outside of the file"),
        (vec![(257, 2, 1, 8)], 0, "not integers"),
        (vec![(256, 4, 1, 8)], 0, "the height is missing"),
    ] {
        fs::write(&path, file(&fields, next)).expect("temporary file");
        let error = open(&path, &OpenOptions::default()).expect_err(wanted).to_string();
        assert!(error.contains(wanted) && error.contains("forged.tif"), "{error}");
    }
    fs::write(&path, b"II*\0").expect("temporary file");
    assert!(open(&path, &OpenOptions::default()).is_err());
}
