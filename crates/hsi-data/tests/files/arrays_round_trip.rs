//! Cubes written as MATLAB and HDF5 files and read again. What scipy and h5py make of such files
//! is checked by `tests/data/check_arrays.py`, by hand, on the files that `WRITE_ARRAYS` names a
//! folder for.

use std::path::{Path, PathBuf};

use hsi_data::{
    Axes, Compression, Cube, CubeMeta, Error, Format, GeoTags, OpenOptions, Result, SampleType,
    Samples, SaveOptions, contents, create, open, open_reader, save,
};
use ndarray::{Array3, s};
use tempfile::TempDir;

pub(super) fn cube(shape: [usize; 3]) -> Cube {
    let data = Array3::from_shape_fn(shape, |(b, r, c)| ((b * 7 + r * 5 + c) % 100) as f32);
    let meta = CubeMeta {
        wavelengths_nm: Some((0..shape[0]).map(|b| 410.25 + 5.5 * b as f32).collect()),
        fwhm_nm: Some(vec![6.5; shape[0]]),
        nodata: Some(99.0),
        bad_bands: Some((0..shape[0]).map(|b| b % 3 == 1).collect()),
        scale: Some(1e-4),
        offset: Some(0.5),
        geo: Some(GeoTags {
            transform: Some([300_000.0, 30.0, 0.0, 5_800_000.0, 0.0, -30.0]),
            epsg: Some(32633),
            wkt: Some("PROJCS[\"UTM 33N\"]".to_owned()),
        }),
        band_names: Some((0..shape[0]).map(|b| format!("band {b}")).collect()),
        description: Some("Täglicher Würfel".to_owned()),
        source: None,
    };
    Cube::new(data, meta).expect("a cube")
}

/// Every form of a file that is tested, by the name of the file.
pub(super) fn forms() -> Vec<(String, SaveOptions)> {
    let mut forms = Vec::new();
    let deflate = |filter| Some(Compression::Deflate { level: 6, filter });
    for dtype in SampleType::ALL {
        for (format, extension) in
            [(Format::Mat5, "mat"), (Format::Mat73, "v73.mat"), (Format::Hdf5, "h5")]
        {
            for (packing, compression) in [("plain", None), ("packed", deflate(true))] {
                let name = format!("{dtype}_{packing}.{extension}");
                let options = SaveOptions {
                    format: Some(format),
                    dtype: Some(dtype),
                    compression,
                    ..SaveOptions::default()
                };
                forms.push((name, options));
            }
        }
    }
    let more = |name: &str, format, options: SaveOptions| {
        (
            name.to_owned(),
            SaveOptions { format: Some(format), dtype: Some(SampleType::I16), ..options },
        )
    };
    let none = SaveOptions::default;
    forms.push(more("big.mat", Format::Mat5, SaveOptions { big_endian: Some(true), ..none() }));
    let big = SaveOptions { big_endian: Some(true), compression: deflate(false), ..none() };
    forms.push(more("big_packed.mat", Format::Mat5, big.clone()));
    forms.push(more("big_packed.h5", Format::Hdf5, big));
    for (name, axes) in [("bhw", Axes::Bhw), ("hbw", Axes::Hbw), ("hwb", Axes::Hwb)] {
        for (format, extension) in
            [(Format::Mat5, "mat"), (Format::Mat73, "v73.mat"), (Format::Hdf5, "h5")]
        {
            let options = SaveOptions { axes, compression: deflate(true), ..none() };
            forms.push(more(&format!("{name}_packed.{extension}"), format, options));
            let options = SaveOptions { axes, ..none() };
            forms.push(more(&format!("{name}_plain.{extension}"), format, options));
        }
    }
    for (name, chunk) in [("ones", [1, 1, 1]), ("odd", [2, 3, 5]), ("whole", [99, 99, 99])] {
        let options = SaveOptions { chunk: Some(chunk), compression: deflate(false), ..none() };
        forms.push(more(&format!("chunk_{name}.h5"), Format::Hdf5, options.clone()));
        forms.push(more(&format!("chunk_{name}.v73.mat"), Format::Mat73, options));
    }
    let named = SaveOptions { variable: Some("scene/reflectance".to_owned()), ..none() };
    forms.push(more("named.h5", Format::Hdf5, named.clone()));
    forms.push(more("named.mat", Format::Mat5, named));
    forms
}

/// The folder to write to: a temporary one, or the one that is kept for the check by hand.
fn folder() -> (Option<TempDir>, PathBuf) {
    if let Some(kept) = std::env::var_os("WRITE_ARRAYS") {
        return (None, PathBuf::from(kept));
    }
    let temporary = TempDir::new().expect("temporary folder");
    let path = temporary.path().to_path_buf();
    (Some(temporary), path)
}

#[test]
fn every_form_comes_back() -> Result<()> {
    let (_temporary, folder) = folder();
    let cube = cube([5, 7, 6]);
    for (name, options) in forms() {
        let path = folder.join(&name);
        save(&cube, &path, &options)?;
        let dtype = options.dtype.expect("a type");
        let truth = Samples::from_f32(cube.view(), dtype, None).expect("no NaN").to_f32();
        let ask = OpenOptions { axes: options.axes, ..OpenOptions::default() };
        let reader = open_reader(&path, &ask)?;
        let half = dtype == SampleType::F16 && options.format != Some(Format::Hdf5);
        assert_eq!(reader.dtype(), if half { SampleType::F32 } else { dtype }, "{name}");
        assert_eq!(
            open(&path, &ask)?.view(),
            if half { cube.view() } else { truth.view() },
            "{name}"
        );
        let mut meta = reader.meta().clone();
        let source = meta.source.take().expect("source");
        assert_eq!(Some(source.format), options.format, "{name}");
        assert_eq!(Some(source.big_endian), options.big_endian.or(Some(false)), "{name}");
        assert_eq!(
            source.compression == Compression::None,
            options.compression.is_none(),
            "{name}"
        );
        assert_eq!(meta, *cube.meta(), "{name}");
        if name.starts_with("named") {
            assert_eq!(source.variable.as_deref(), Some("reflectance"));
        }
        // Written again without options, the form is the same.
        let again = folder.join(format!("again_{name}"));
        save(
            &open(&path, &ask)?,
            &again,
            &SaveOptions { format: options.format, ..SaveOptions::default() },
        )?;
        assert!(std::fs::read(&again).ok() == std::fs::read(&path).ok(), "{name}");
        std::fs::remove_file(again).expect("temporary file");
    }
    Ok(())
}

#[test]
fn blocks_of_any_height_give_the_same_file() -> Result<()> {
    let temporary = TempDir::new().expect("temporary folder");
    let cube = cube([4, 23, 9]);
    for (name, chunk) in [("a.h5", Some([3, 4, 5])), ("b.h5", None), ("c.mat", None)] {
        for format in [Format::Hdf5, Format::Mat73, Format::Mat5] {
            let options = SaveOptions { format: Some(format), chunk, ..SaveOptions::default() };
            let path = temporary.path().join(name);
            save(&cube, &path, &options)?;
            let whole = std::fs::read(&path).expect("written");
            for heights in [vec![1; 23], vec![23], vec![4, 4, 4, 4, 4, 3], vec![5, 1, 10, 7]] {
                let mut writer = create(&path, [4, 23, 9], cube.meta(), &options)?;
                let mut row = 0;
                for height in heights {
                    writer.write(cube.view().slice(s![.., row..row + height, ..]))?;
                    row += height;
                }
                writer.finish()?;
                assert!(std::fs::read(&path).expect("written") == whole, "{name} {format}");
            }
        }
    }
    Ok(())
}

#[test]
fn an_unfinished_file_leaves_what_was_there() -> Result<()> {
    let temporary = TempDir::new().expect("temporary folder");
    let cube = cube([3, 8, 4]);
    for format in [Format::Hdf5, Format::Mat73, Format::Mat5] {
        let options = SaveOptions { format: Some(format), ..SaveOptions::default() };
        let path = temporary.path().join("cube");
        std::fs::write(&path, b"old").expect("temporary file");
        let mut writer = create(&path, [3, 8, 4], cube.meta(), &options)?;
        writer.write(cube.view().slice(s![.., ..5, ..]))?;
        let error = writer.finish().expect_err("rows are missing");
        assert!(matches!(error, Error::Rows { expected: 8, got: 5, .. }), "{error}");
        let mut writer = create(&path, [3, 8, 4], cube.meta(), &options)?;
        writer.write(cube.view().slice(s![.., ..5, ..]))?;
        drop(writer);
        assert_eq!(std::fs::read(&path).expect("old file"), b"old");
        let left: Vec<_> = std::fs::read_dir(temporary.path()).expect("folder").collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
    Ok(())
}

#[test]
fn what_a_format_cannot_hold_is_refused() {
    let temporary = TempDir::new().expect("temporary folder");
    let path = temporary.path().join("cube.mat");
    let refused = |shape, options: &SaveOptions| {
        create(&path, shape, &CubeMeta::default(), options).expect_err("refused")
    };
    let large = refused([1000, 1000, 1000], &SaveOptions::default());
    assert!(large.to_string().contains("mat73"), "{large}");
    let zstd = Compression::Zstd { level: 3, filter: false };
    for format in [Format::Hdf5, Format::Mat5] {
        let options =
            SaveOptions { format: Some(format), compression: Some(zstd), ..SaveOptions::default() };
        assert!(matches!(refused([1, 1, 1], &options), Error::Unsupported { .. }));
    }
    assert!(matches!(refused([1, 0, 1], &SaveOptions::default()), Error::EmptyCube { .. }));
    assert!(contents(Path::new("missing.mat")).is_err());
}
