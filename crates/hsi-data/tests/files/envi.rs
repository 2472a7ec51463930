//! ENVI files: SPy's, our own, and such as should be refused.
//!
//! What SPy reads of our own is checked by `tests/data/check_envi.py`, by hand, on the files that
//! `WRITE_ENVI` names a folder for.

use std::fs;
use std::path::{Path, PathBuf};

use hsi_data::{
    Axes, Compression, Cube, CubeMeta, Error, Extra, Format, GeoTags, OpenOptions, Result,
    SampleType, SaveOptions, create, open, open_reader, save,
};
use ndarray::{Array3, s};
use tempfile::TempDir;

use super::{data, names_in, value};

fn expected(dtype: SampleType) -> Array3<f32> {
    let modulo = if dtype == SampleType::U8 { 100 } else { 1000 };
    Array3::from_shape_fn((3, 4, 5), |at| (value(at) % modulo) as f32)
}

#[test]
fn files_of_spy_are_read_and_written_again() -> Result<()> {
    let folder = TempDir::new().expect("temporary folder");
    let kept = std::env::var_os("WRITE_ENVI").map(PathBuf::from);
    let mut count = 0;
    for name in names_in("envi", ".img") {
        if name == "complex.img" {
            continue;
        }
        let path = data(&format!("envi/{name}"));
        let cube = open(&path, &OpenOptions::default())?;
        let source = cube.meta().source.clone().expect("a source");
        assert_eq!(cube.view(), expected(source.dtype), "{name}");
        if name.contains('_') {
            let (code, interleave, order) = (&name[..2], &name[3..6], &name[7..name.len() - 4]);
            assert_eq!(source.dtype.numpy_code(), code);
            assert_eq!(source.axes, interleave.parse()?);
            assert_eq!(source.big_endian, order == "big");
        }
        let meta = cube.meta();
        assert_eq!(meta.wavelengths_nm, Some(vec![400.0, 550.0, 700.0]), "{name}");
        assert_eq!(meta.fwhm_nm, Some(vec![10.0, 20.0, 30.0]));
        assert_eq!(meta.bad_bands, Some(vec![false, true, false]));
        assert_eq!(meta.nodata, Some(-99.0));
        assert_eq!(meta.scale, Some(1e-4));
        assert_eq!(meta.band_names, Some(["blue", "green", "red"].map(str::to_owned).to_vec()));
        let geo = meta.geo.clone().expect("a position");
        assert_eq!(geo.transform, Some([383_472.37, 30.0, 0.0, 5_818_302.35, 0.0, -30.0]));
        assert_eq!(geo.epsg, Some(32633));
        let factors = ["1.5", "2.5", "3.5"].map(str::to_owned).to_vec();
        assert!(source.extras.contains(&("correction factors".into(), Extra::PerBand(factors))));

        let out = folder.path().join("out.img");
        save(&cube, &out, &SaveOptions::default())?;
        if let Some(kept) = &kept {
            save(&cube, kept.join(&name), &SaveOptions::default())?;
        }
        let again = open(&out, &OpenOptions::default())?;
        assert_eq!(again.view(), cube.view(), "{name}");
        let strip = |meta: &CubeMeta| {
            let mut meta = meta.clone();
            let source = meta.source.as_mut().expect("a source");
            source.path = "x".into();
            source.extras.retain(|(key, _)| key != "map info");
            source.extras.sort_by(|a, b| a.0.cmp(&b.0));
            meta
        };
        assert_eq!(strip(again.meta()), strip(cube.meta()), "{name}");
        if name != "offset.img" && name != "packed.img" {
            assert!(fs::read(&out).ok() == fs::read(&path).ok(), "{name}: other bytes");
        }
        count += 1;
    }
    assert_eq!(count, 29);
    Ok(())
}

#[test]
fn windows_and_bands_are_those_of_the_whole() -> Result<()> {
    for name in names_in("envi", ".img") {
        if name == "complex.img" {
            continue;
        }
        // The header does as well as the samples.
        let header = data(&format!("envi/{}", name.replace(".img", ".hdr")));
        let path = if header.exists() { header } else { data(&format!("envi/{name}")) };
        let reader = open_reader(&path, &OpenOptions::default())?;
        let whole = expected(reader.dtype());
        for bands in [&[0, 1, 2][..], &[2, 0], &[1], &[1, 2]] {
            let part = reader.read(bands, 1..3, 2..5)?;
            let wanted = whole.slice(s![.., 1..3, 2..5]);
            for (plane, &band) in part.outer_iter().zip(bands) {
                assert_eq!(plane, wanted.index_axis(ndarray::Axis(0), band), "{name}");
            }
        }
        assert!(matches!(reader.read(&[3], 0..1, 0..1), Err(Error::BandIndex { .. })));
        assert!(matches!(reader.read(&[], 0..1, 0..1), Err(Error::Window { .. })));
        assert!(matches!(reader.read(&[0], 3..5, 0..1), Err(Error::Window { .. })));
    }
    Ok(())
}

#[test]
fn rows_may_come_in_any_blocks() -> Result<()> {
    let folder = TempDir::new().expect("temporary folder");
    let cube = Array3::from_shape_fn((7, 11, 5), |at| value(at) as f32);
    for axes in [Axes::Bhw, Axes::Hbw, Axes::Hwb] {
        for compression in [Compression::None, Compression::Deflate { level: 3, filter: false }] {
            let options = SaveOptions {
                axes,
                dtype: Some(SampleType::I32),
                big_endian: Some(true),
                compression: Some(compression),
                ..SaveOptions::default()
            };
            let path = folder.path().join("scene.hdr");
            let mut writer = create(&path, [7, 11, 5], &CubeMeta::default(), &options)?;
            for rows in [0..4, 4..5, 5..11] {
                writer.write(cube.slice(s![.., rows, ..]))?;
            }
            writer.finish()?;
            let again = open(folder.path().join("scene.img"), &OpenOptions::default())?;
            assert_eq!(again.view(), cube, "{axes:?} {compression}");
            let source = again.meta().source.as_ref().expect("a source");
            assert_eq!((source.axes, source.dtype), (axes, SampleType::I32));
            assert_eq!(source.compression == Compression::None, compression == Compression::None);
        }
    }
    let names = names_of(folder.path());
    assert_eq!(names, ["scene.hdr", "scene.img"]);
    Ok(())
}

fn names_of(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("folder").flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_writer_that_is_dropped_leaves_the_old_files() -> Result<()> {
    let folder = TempDir::new().expect("temporary folder");
    let path = folder.path().join("scene.img");
    let cube = Cube::new(expected(SampleType::I16), CubeMeta::default())?;
    save(&cube, &path, &SaveOptions::default())?;
    let before = (fs::read(&path).ok(), fs::read(path.with_extension("hdr")).ok());
    let mut writer = create(&path, [9, 9, 9], &CubeMeta::default(), &SaveOptions::default())?;
    writer.write(Array3::zeros((9, 4, 9)).view())?;
    let more = writer.write(Array3::zeros((9, 6, 9)).view());
    assert!(matches!(more, Err(Error::Rows { expected: 9, got: 10, .. })), "{more:?}");
    let other = writer.write(Array3::zeros((8, 1, 9)).view());
    assert!(matches!(other, Err(Error::Shape { .. })), "{other:?}");
    assert!(matches!(writer.finish(), Err(Error::Rows { expected: 9, got: 4, .. })));
    assert_eq!(before, (fs::read(&path).ok(), fs::read(path.with_extension("hdr")).ok()));
    assert_eq!(names_of(folder.path()), ["scene.hdr", "scene.img"]);
    Ok(())
}

#[test]
fn positions_turn_and_move_with_windows() -> Result<()> {
    let folder = TempDir::new().expect("temporary folder");
    let path = folder.path().join("turned.img");
    let turned = [1000.5, 1.25, 2.5, 2000.25, 2.5, -1.25];
    let wkt = "PROJCS[\"Own\",UNIT[\"Meter\",1.0]]".to_owned();
    for geo in [
        GeoTags { transform: Some(turned), epsg: Some(32718), wkt: None },
        GeoTags { transform: Some([7.5, 0.25, 0.0, 48.0, 0.0, -0.5]), epsg: Some(4326), wkt: None },
        GeoTags { transform: Some(turned), epsg: Some(25832), wkt: Some(wkt) },
        GeoTags { transform: Some([1.0, 2.0, 0.0, 3.0, 0.0, -2.0]), epsg: None, wkt: None },
    ] {
        let meta = CubeMeta { geo: Some(geo.clone()), ..CubeMeta::default() };
        let cube = Cube::new(expected(SampleType::F32), meta)?;
        save(&cube, &path, &SaveOptions::default())?;
        let cube = open(&path, &OpenOptions::default())?;
        let read = cube.meta().geo.clone().expect("a position");
        assert_eq!((read.epsg, &read.wkt), (geo.epsg, &geo.wkt));
        let pair = (read.transform.expect("read"), geo.transform.expect("written"));
        assert!(pair.0.iter().zip(pair.1).all(|(a, b)| (a - b).abs() < 1e-9), "{pair:?}");
        // A window of a cube that was read keeps what its `map info` said.
        save(&cube.window(1..3, 2..4)?, &path, &SaveOptions::default())?;
        let part = open(&path, &OpenOptions::default())?.meta().geo.clone().expect("a position");
        let [x, a, b, y, c, d] = pair.1;
        let moved = [x + 2.0 * a + b, a, b, y + 2.0 * c + d, c, d];
        let got = part.transform.expect("a position");
        assert!(got.iter().zip(moved).all(|(a, b)| (a - b).abs() < 1e-9), "{got:?} {moved:?}");
        assert_eq!(part.epsg, geo.epsg);
    }
    Ok(())
}

#[test]
fn bad_headers_are_named() {
    let folder = TempDir::new().expect("temporary folder");
    let path = folder.path().join("bad.img");
    fs::write(&path, [0; 40]).expect("samples");
    let good = "ENVI\nsamples = 2\nlines = 2\nbands = 5\ndata type = 2\ninterleave = bsq\n";
    let open_with = |header: String| {
        fs::write(path.with_extension("hdr"), header).expect("header");
        open(&path, &OpenOptions::default())
    };
    assert!(open_with(good.to_owned()).is_ok());
    for (from, to, word) in [
        ("bands = 5", "bands = 6", "48 bytes"),
        ("bands = 5", "bands = -1", "`bands` is `-1`"),
        ("bands = 5", "", "`bands` is missing"),
        ("bands = 5", "bands = 0", "0 bands"),
        ("bands = 5", "bands = 4611686018427387904", "impossibly large"),
        ("data type = 2", "data type = 6", "complex64"),
        ("data type = 2", "data type = 7", "`data type` is `7`"),
        ("data type = 2", "data type = 2\nheader offset = -1", "header offset"),
        ("data type = 2", "data type = 2\nheader offset = 18446744073709551615", "impossibly"),
        ("data type = 2", "data type = 2\nbyte order = 2", "byte order"),
        ("data type = 2", "data type = 2\nfile compression = 1", "gzip"),
        ("= bsq", "= bsx", "bsx"),
        ("= bsq", "= bsq\nfile type = ENVI Spectral Library", "a spectral library"),
        ("= bsq", "= bsq\nmajor frame offsets = {0, 4}", "between the lines"),
        ("= bsq", "= bsq\nminor frame offsets = {4, 0}", "between the lines"),
        ("= bsq", "= bsq\nwavelength = {1, 2", "do not close"),
    ] {
        let error = open_with(good.replace(from, to)).expect_err(to).to_string();
        assert!(error.contains(word), "{to}: {error}");
    }
    assert!(open_with(good.replace("= bsq", "= bsq\nmajor frame offsets = {0, 0}")).is_ok());
    let error = open(data("envi/complex.img"), &OpenOptions::default()).expect_err("complex");
    assert!(matches!(error, Error::UnsupportedDtype { .. }), "{error}");
    fs::remove_file(path.with_extension("hdr")).expect("header");
    let error = open(&path, &OpenOptions::default()).expect_err("no header");
    assert!(matches!(error, Error::UnknownFormat { .. }), "{error}");
    // A header whose samples are gone.
    fs::write(folder.path().join("alone.hdr"), good).expect("header");
    let error = open(folder.path().join("alone.hdr"), &OpenOptions::default()).expect_err("alone");
    assert!(error.to_string().contains("alone.img"), "{error}");
    assert_eq!(Format::sniff(data("envi/offset.img.hdr")).ok(), Some(Format::Envi));
}

#[test]
fn names_say_the_interleaving() -> Result<()> {
    let folder = TempDir::new().expect("temporary folder");
    let cube = Cube::new(expected(SampleType::F32), CubeMeta::default())?;
    for (ending, axes) in [("bsq", Axes::Bhw), ("bil", Axes::Hbw), ("BIP", Axes::Hwb)] {
        let path = folder.path().join(format!("scene.{ending}"));
        save(&cube, &path, &SaveOptions::default())?;
        let again = open(&path, &OpenOptions::default())?;
        assert_eq!(again.view(), cube.view());
        assert_eq!(again.meta().source.as_ref().map(|source| source.axes), Some(axes));
        let options = SaveOptions { axes: Axes::Hbw, ..SaveOptions::default() };
        save(&cube, &path, &options)?;
        let again = open(&path, &OpenOptions::default())?;
        assert_eq!(again.meta().source.as_ref().map(|source| source.axes), Some(Axes::Hbw));
    }
    Ok(())
}

/// Text that is no UTF-8 is Latin-1; lengths without a unit are told by their size.
#[test]
fn old_headers_are_understood() -> Result<()> {
    let folder = TempDir::new().expect("temporary folder");
    let path = folder.path().join("old.BIL");
    fs::write(&path, [0; 12]).expect("samples");
    for (widths, nm) in [("{5.5, 12}", [5.5, 12.0]), ("{0.0055, 0.012}", [5.5, 12.0])] {
        let mut header = b"ENVI\nsamples = 2\nlines = 3\nbands = 2\ndata type = 1\n".to_vec();
        header.extend(b"interleave = bil\ndescription = {H\xf6he}\n");
        header.extend(format!("fwhm = {widths}\n").into_bytes());
        fs::write(path.with_extension("hdr"), header).expect("header");
        let cube = open(path.with_extension("hdr"), &OpenOptions::default())?;
        assert_eq!(cube.meta().description.as_deref(), Some("Höhe"));
        assert_eq!(cube.meta().fwhm_nm, Some(nm.to_vec()));
        save(&cube, folder.path().join("new.img"), &SaveOptions::default())?;
        let new = open(folder.path().join("new.img"), &OpenOptions::default())?;
        assert_eq!(new.meta().description.as_deref(), Some("Höhe"));
    }
    Ok(())
}

#[test]
fn gzip_is_unpacked_up_to_a_limit() -> Result<()> {
    let folder = TempDir::new().expect("temporary folder");
    let path = folder.path().join("zeros.img");
    let options = SaveOptions {
        compression: Some(Compression::Deflate { level: 9, filter: false }),
        ..SaveOptions::default()
    };
    save(&Cube::new(Array3::zeros((10, 100, 100)), CubeMeta::default())?, &path, &options)?;
    let limited = OpenOptions { max_unpacked: Some(399_999), ..OpenOptions::default() };
    let error = open(&path, &limited).expect_err("above the limit");
    assert!(matches!(error, Error::Limit { bytes: 400_000, limit: 399_999, .. }), "{error}");
    assert!(open(&path, &OpenOptions { max_unpacked: Some(400_000), ..limited }).is_ok());
    let packed = fs::read(&path).expect("file");
    fs::write(&path, &packed[..packed.len() / 2]).expect("half of it");
    assert!(open(&path, &OpenOptions::default()).is_err());
    Ok(())
}
