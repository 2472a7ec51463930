//! Products of EnMAP: a small one (`tests/data/enmap_golden.py`), and a real one's metadata.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use hsi_data::{
    Cube, CubeMeta, Error, Format, OpenOptions, Result, SampleType, SaveOptions, open, save,
};
use ndarray::{Array3, s};
use tempfile::TempDir;

use super::{data, names_in, value};

const NODATA: f32 = -32768.0;

#[test]
fn products_are_opened_by_folder_and_by_metadata() -> Result<()> {
    let name = names_in("enmap", "-METADATA.XML").remove(0);
    for path in [data("enmap"), data("enmap").join(name)] {
        assert_eq!(Format::sniff(&path)?, Format::EnMap);
        let cube = open(&path, &OpenOptions::default())?;
        let mut expected = Array3::from_shape_fn((4, 20, 12), |at| value(at) as f32);
        for place in [(0, 3, 4), (2, 0, 0), (3, 19, 11)] {
            expected[place] = NODATA;
        }
        assert_eq!(cube.view(), expected);
        let meta = cube.meta();
        assert_eq!(meta.wavelengths_nm, Some(vec![418.24, 551.0, 1610.25, 2445.53]));
        assert_eq!(meta.fwhm_nm, Some(vec![6.99561, 7.5, 10.5, 9.75]));
        assert_eq!((meta.scale, meta.offset), (Some(1e-4), Some(0.0)));
        assert_eq!(meta.nodata, Some(f64::from(NODATA)));
        assert_eq!(meta.description.as_deref(), Some("A product made for tests"));
        let geo = meta.geo.clone().expect("a position");
        assert_eq!(geo.epsg, Some(32633));

        let reader = hsi_data::open_reader(&path, &OpenOptions::default())?;
        let window = reader.read(&[3, 0], 2..20, 4..12)?;
        assert_eq!(window.index_axis(ndarray::Axis(0), 0), expected.slice(s![3, 2..20, 4..12]));
        assert_eq!(window.index_axis(ndarray::Axis(0), 1), expected.slice(s![0, 2..20, 4..12]));

        // It leaves as a GeoTIFF.
        let folder = TempDir::new().expect("temporary folder");
        let copy = folder.path().join("copy.tif");
        save(&cube, &copy, &SaveOptions::default())?;
        let again = open(&copy, &OpenOptions::default())?;
        assert_eq!(again.view(), cube.view());
        let bare = |meta: &CubeMeta| CubeMeta { source: None, ..meta.clone() };
        assert_eq!(bare(again.meta()), bare(meta));
        let source = again.meta().source.clone().expect("a source");
        assert_eq!(source.dtype, SampleType::I16);
        assert!(source.extras.iter().any(|(name, _)| name.ends_with("startTime")));
        let options = SaveOptions { format: Some(Format::EnMap), ..SaveOptions::default() };
        let error = save(&cube, &copy, &options).expect_err("read only");
        assert!(matches!(error, Error::ReadOnly { .. }), "{error}");
    }
    Ok(())
}

/// A copy of the product of which one file is another.
fn changed(folder: &TempDir, ending: &str, content: Option<&[u8]>) -> PathBuf {
    let path = folder.path().join(ending);
    fs::create_dir(&path).expect("temporary folder");
    for entry in fs::read_dir(data("enmap")).expect("golden folder").flatten() {
        let name = entry.file_name();
        let to = path.join(&name);
        if !name.to_string_lossy().ends_with(ending) {
            fs::copy(entry.path(), &to).expect("copy");
        } else if let Some(content) = content {
            fs::write(&to, content).expect("temporary file");
        }
    }
    path
}

#[test]
fn incomplete_products_are_refused_by_name() {
    let folder = TempDir::new().expect("temporary folder");
    let band = "<bandID number='1'><wavelengthCenterOfBand>x</wavelengthCenterOfBand></bandID>";
    let one = format!("<a><bandCharacterisation>{band}</bandCharacterisation></a>");
    for (ending, content, wanted) in [
        ("SPECTRAL_IMAGE.TIF", None, "there is no `*-SPECTRAL_IMAGE.TIF`"),
        ("SPECTRAL_IMAGE.TIF", Some(&b""[..]), "the file is empty"),
        ("QL_PIXELMASK.TIF", Some(&b""[..]), "the file is empty"),
        ("METADATA.XML", Some(&b"<a/>"[..]), "`bandCharacterisation` is missing"),
        ("METADATA.XML", Some(&b"<a>"[..]), "no XML"),
        ("METADATA.XML", Some(&b"\xff"[..]), "not UTF-8"),
        ("METADATA.XML", Some(one.as_bytes()), "`wavelengthCenterOfBand` of a band is `x`"),
    ] {
        let path = changed(&folder, ending, content);
        let error = open(&path, &OpenOptions::default()).expect_err(wanted).to_string();
        assert!(error.contains(wanted), "{error}");
        fs::remove_dir_all(path).expect("temporary folder");
    }
    // Without a mask nothing is flagged.
    let path = changed(&folder, "QL_PIXELMASK.TIF", None);
    let cube = open(path, &OpenOptions::default()).expect("no mask");
    assert_eq!(cube.view()[[0, 3, 4]], 34.0);
}

/// A file of a zip archive.
fn unzipped(archive: &Path, ending: &str) -> Option<(String, Vec<u8>)> {
    let bytes = fs::read(archive).ok()?;
    let short = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]) as usize;
    let long = |at: usize| short(at) | short(at + 2) << 16;
    for at in 0..bytes.len().saturating_sub(46) {
        // Entries of the directory at the end of the archive.
        if !bytes[at..].starts_with(b"PK\x01\x02") {
            continue;
        }
        let name = String::from_utf8_lossy(&bytes[at + 46..][..short(at + 28)]).into_owned();
        if !name.ends_with(ending) {
            continue;
        }
        let local = long(at + 42);
        let start = local + 30 + short(local + 26) + short(local + 28);
        let packed = &bytes[start..start + long(at + 20)];
        let mut out = Vec::new();
        flate2::read::DeflateDecoder::new(packed).read_to_end(&mut out).ok()?;
        return Some((name.rsplit('/').next()?.to_owned(), out));
    }
    None
}

#[test]
fn the_metadata_of_a_real_product_are_read() -> Result<()> {
    let Some(root) = std::env::var_os("HSI_TEST_DATA") else {
        eprintln!("skipped: HSI_TEST_DATA is not set");
        return Ok(());
    };
    let archive =
        Path::new(&root).join("data/formats/enmap_l2a_metadata/enmap_L2A_gtif_qualification.zip");
    let Some((name, xml)) = unzipped(&archive, "-METADATA.XML") else {
        eprintln!("skipped: `{}` is not there", archive.display());
        return Ok(());
    };
    let folder = TempDir::new().expect("temporary folder");
    fs::write(folder.path().join(&name), xml).expect("temporary file");
    let image = name.replace("METADATA.XML", "SPECTRAL_IMAGE.TIF");
    // The rasters of the product are empty.
    fs::write(folder.path().join(&image), []).expect("temporary file");
    let error = open(folder.path(), &OpenOptions::default()).expect_err("an empty raster");
    assert!(error.to_string().contains("the file is empty"), "{error}");

    let cube = Cube::new(Array3::from_elem((218, 3, 2), 500.0), CubeMeta::default())?;
    save(&cube, folder.path().join(&image), &SaveOptions::default())?;
    let product = open(folder.path(), &OpenOptions::default())?;
    let meta = product.meta();
    let nm = meta.wavelengths_nm.as_deref().unwrap_or_default();
    assert_eq!((nm.len(), nm[0], nm[217]), (218, 423.03, 2438.6));
    let widths = meta.fwhm_nm.as_deref().unwrap_or_default();
    assert_eq!((widths[0], widths[217]), (6.93, 8.95));
    assert_eq!((meta.scale, meta.offset, meta.nodata), (Some(1e-4), Some(0.0), Some(0.0)));
    let comment = "EnMAP Level 2A Product of datatake 326721, tile 1";
    assert_eq!(meta.description.as_deref(), Some(comment));
    Ok(())
}
