//! Products of EnMAP: a small one (`tests/data/enmap_golden.py`), and a real one's metadata.

use std::fs;
use std::path::{Path, PathBuf};

use hsi_data::{
    ConvertOptions, CubeMeta, DataSpec, DatasetOptions, Error, Extra, Format, OpenOptions,
    QualityMask, Result, SampleType, SaveOptions, Scaling, convert, open, product, save,
};
use ndarray::{Array3, s};
use tempfile::TempDir;

use super::{data, names_in, value};

const NODATA: f32 = -32768.0;

#[test]
fn products_are_opened_by_folder_by_metadata_and_in_archives() -> Result<()> {
    let name = names_in("enmap", "-METADATA.XML").remove(0);
    let archive = data("enmap").join("product.zip");
    for path in [data("enmap"), data("enmap").join(name), archive] {
        assert_eq!(Format::sniff(&path)?, Format::EnMap);
        let cube = open(&path, &OpenOptions::default())?;
        let mut expected = Array3::from_shape_fn((4, 20, 12), |at| value(at) as f32);
        for place in [(0, 3, 4), (2, 0, 0), (3, 19, 11)] {
            expected[place] = NODATA;
        }
        assert_eq!(cube.view(), expected);
        let meta = cube.meta();
        assert_eq!(meta.wavelengths_nm, Some(vec![418.24, 551.0, 1610.25, 2445.53]));
        assert_eq!(meta.bad_bands, Some(vec![false, false, true, false]));
        assert_eq!(meta.source.as_ref().map(|source| &source.path), Some(&path));
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

#[test]
fn quality_layers_are_taken_by_name() -> Result<()> {
    let expected = open(data("enmap"), &OpenOptions::default())?;
    let with = |masks: &[QualityMask]| OpenOptions {
        quality_masks: masks.to_vec(),
        ..OpenOptions::default()
    };
    for path in [data("enmap"), data("enmap").join("product.zip")] {
        let cube = open(&path, &with(&[QualityMask::Cloud, QualityMask::Cirrus]))?;
        let mut expected = expected.view().to_owned();
        for (row, col) in [(5, 6), (5, 7), (8, 1), (9, 1), (10, 1)] {
            expected.slice_mut(s![.., row, col]).fill(NODATA);
        }
        assert_eq!(cube.view(), expected);
        let error = open(&path, &with(&[QualityMask::Snow])).expect_err("no such layer");
        assert!(error.to_string().contains("`*-QL_QUALITY_SNOW.TIF`"), "{error}");
    }
    for mask in QualityMask::ALL {
        assert_eq!(mask.to_string().parse::<QualityMask>()?, mask);
    }
    let error = "clouds".parse::<QualityMask>().expect_err("another word");
    assert!(error.to_string().contains("`cloudshadow`"), "{error}");
    let error =
        open(data("npy/f4_little_C.npy"), &with(&[QualityMask::Haze])).expect_err("no layers");
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    Ok(())
}

#[test]
fn products_list_their_layers() -> Result<()> {
    for path in [data("enmap"), data("enmap").join("product.zip")] {
        let product = product(&path)?;
        assert_eq!(product.bands, 4);
        assert_eq!(product.meta.bad_bands, Some(vec![false, false, true, false]));
        let names: Vec<&str> = product.layers.iter().map(|layer| layer.name.as_str()).collect();
        let all = ["QL_PIXELMASK", "QL_QUALITY_CIRRUS", "QL_QUALITY_CLOUD", "SPECTRAL_IMAGE"];
        assert_eq!(names, all.map(|name| format!("{name}.TIF")));
        assert!(product.layers.iter().all(|layer| layer.bytes > 100));
    }
    assert!(matches!(product(data("npy")), Err(Error::Malformed { .. })));
    Ok(())
}

/// The folder of a product is one cube to a data set, not a folder of cubes.
#[test]
fn products_are_cut_into_samples() -> Result<()> {
    for path in [data("enmap"), data("enmap").join("product.zip")] {
        let spec: DataSpec = path.to_string_lossy().parse()?;
        let options = DatasetOptions { patch_size: Some(10), ..DatasetOptions::default() };
        let dataset = spec.open(&options)?;
        // Three of the four bands are good; of the two samples one has a flagged pixel.
        assert_eq!((dataset.len(), dataset.bands(), dataset.size()), (1, 3, (10, 10)));
    }
    Ok(())
}

#[test]
fn damaged_archives_are_refused() {
    let folder = TempDir::new().expect("temporary folder");
    let path = folder.path().join("product.zip");
    let good = fs::read(data("enmap/product.zip")).expect("golden file");
    let refused = |bytes: &[u8], options: &OpenOptions| {
        fs::write(&path, bytes).expect("temporary file");
        open(&path, options).expect_err("refused").to_string()
    };
    let any = OpenOptions::default();
    // Without the directory at its end it is no archive.
    let cut = refused(&good[..good.len() - 30], &any);
    assert!(cut.contains("in no supported format"), "{cut}");
    // The archive's stored file is not packed: a byte of it that is changed is told by its sum.
    let stored = fs::read(data("enmap").join(&names_in("enmap", "PIXELMASK.TIF")[0]));
    let stored = stored.expect("golden file");
    let at = good.windows(stored.len()).position(|part| part == stored).expect("stored");
    let mut changed = good.clone();
    changed[at + stored.len() - 1] ^= 1;
    let damaged = refused(&changed, &any);
    assert!(damaged.contains("PIXELMASK.TIF` is damaged"), "{damaged}");
    let small = OpenOptions { max_unpacked: Some(1000), ..OpenOptions::default() };
    let limit = refused(&good, &small);
    assert!(limit.contains("above the limit of 1000"), "{limit}");
    // An archive of something else.
    let empty = [b"PK\x03\x04".as_slice(), &[0; 40], b"PK\x05\x06", &[0; 18]].concat();
    let other = refused(&empty, &any);
    assert!(other.contains("in no supported format"), "{other}");
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

/// Gains that differ from band to band are kept, and not applied as if they were one.
#[test]
fn gains_of_each_band_are_kept() -> Result<()> {
    let folder = TempDir::new().expect("temporary folder");
    let xml = data("enmap").join(&names_in("enmap", "-METADATA.XML")[0]);
    let xml = fs::read_to_string(xml).expect("golden file");
    let other = xml.replacen("<GainOfBand>0.0001<", "<GainOfBand>0.0002<", 1);
    let path = changed(&folder, "METADATA.XML", Some(other.as_bytes()));
    let copy = folder.path().join("copy.tif");
    let physical = ConvertOptions { scaling: Some(Scaling::Physical), ..Default::default() };
    let error = convert(&path, &copy, &physical).expect_err("several gains");
    assert!(error.to_string().contains("differ from band to band"), "{error}");
    convert(&path, &copy, &ConvertOptions::default())?;
    for path in [&path, &copy] {
        let cube = open(path, &OpenOptions::default())?;
        assert_eq!(cube.meta().scale, None);
        let source = cube.meta().source.clone().expect("a source");
        let gains = source.extras.iter().find(|(name, _)| name.ends_with("|scale|SCALE"));
        let list = ["0.0002", "0.0001", "0.0001", "0.0001"].map(str::to_owned);
        assert_eq!(gains.map(|(_, gains)| gains), Some(&Extra::PerBand(list.to_vec())));
    }
    Ok(())
}

#[test]
fn incomplete_products_are_refused_by_name() {
    let folder = TempDir::new().expect("temporary folder");
    let band = "<bandID number='1'><wavelengthCenterOfBand>x</wavelengthCenterOfBand></bandID>";
    let one = format!("<a><bandCharacterisation>{band}</bandCharacterisation></a>");
    let names = ["wavelengthCenterOfBand", "FWHMOfBand", "GainOfBand", "OffsetOfBand"];
    let fields = names.map(|name| format!("<{name}>1</{name}>")).concat();
    let channels = format!(
        "<a><bandCharacterisation><bandID number='1'>{fields}</bandID></bandCharacterisation>\
         <missingChannelsList>1,x</missingChannelsList></a>"
    );
    for (ending, content, wanted) in [
        ("SPECTRAL_IMAGE.TIF", None, "there is no `*-SPECTRAL_IMAGE.TIF`"),
        ("SPECTRAL_IMAGE.TIF", Some(&b""[..]), "the spectral image of the product is empty"),
        ("QL_PIXELMASK.TIF", Some(&b"II"[..]), "QL_PIXELMASK.TIF`: bad tiff file"),
        ("METADATA.XML", Some(&b"<a/>"[..]), "`bandCharacterisation` is missing"),
        ("METADATA.XML", Some(&b"<a>"[..]), "no XML"),
        ("METADATA.XML", Some(&b"\xff"[..]), "not UTF-8"),
        ("METADATA.XML", Some(channels.as_bytes()), "`missingChannelsList` has `x`"),
        ("METADATA.XML", Some(one.as_bytes()), "`wavelengthCenterOfBand` of a band is `x`"),
    ] {
        let path = changed(&folder, ending, content);
        let error = open(&path, &OpenOptions::default()).expect_err(wanted).to_string();
        assert!(error.contains(wanted), "{error}");
        fs::remove_dir_all(path).expect("temporary folder");
    }
    // Without a mask nothing is flagged, nor by an empty file.
    for content in [None, Some(&b""[..])] {
        let path = changed(&folder, "QL_PIXELMASK.TIF", content);
        let cube = open(&path, &OpenOptions::default()).expect("no mask");
        assert_eq!(cube.view()[[0, 3, 4]], 34.0);
        fs::remove_dir_all(path).expect("temporary folder");
    }
}

#[test]
fn the_metadata_of_a_real_product_are_read() -> Result<()> {
    let Some(root) = std::env::var_os("HSI_TEST_DATA") else {
        eprintln!("skipped: HSI_TEST_DATA is not set");
        return Ok(());
    };
    let archive =
        Path::new(&root).join("data/formats/enmap_l2a_metadata/enmap_L2A_gtif_qualification.zip");
    if !archive.is_file() {
        eprintln!("skipped: `{}` is not there", archive.display());
        return Ok(());
    }
    // All of its rasters but one are empty.
    let error = open(&archive, &OpenOptions::default()).expect_err("an empty raster");
    assert!(matches!(error, Error::EmptyImage { .. }), "{error}");
    let real = product(&archive)?;
    let empty = |name: &str| real.layers.iter().find(|l| l.name == name).map(|l| l.bytes == 0);
    assert_eq!((real.layers.len(), empty("SPECTRAL_IMAGE.TIF")), (11, Some(true)));
    assert_eq!(empty("QL_QUALITY_CLASSES.TIF"), Some(false));
    let meta = &real.meta;
    let nm = meta.wavelengths_nm.as_deref().unwrap_or_default();
    assert_eq!((nm.len(), nm[0], nm[217]), (218, 423.03, 2438.6));
    let widths = meta.fwhm_nm.as_deref().unwrap_or_default();
    assert_eq!((widths[0], widths[217]), (6.93, 8.95));
    assert_eq!((meta.scale, meta.offset, meta.nodata), (Some(1e-4), Some(0.0), Some(0.0)));
    assert_eq!(meta.bad_bands, None);
    let comment = "EnMAP Level 2A Product of datatake 326721, tile 1";
    assert_eq!(meta.description.as_deref(), Some(comment));
    Ok(())
}
