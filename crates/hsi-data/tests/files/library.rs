//! The C library beside the reader and writer in Rust alone: the same from either.

use hsi_data::{
    Cube, CubeMeta, Error, Format, Hdf5Backend, OpenOptions, Result, SampleType, SaveOptions, open,
    save,
};
use tempfile::TempDir;

use super::arrays_round_trip::{cube, forms};
use super::{data, names_in};

fn reading(by: Hdf5Backend, options: &OpenOptions) -> OpenOptions {
    OpenOptions { hdf5: by, ..options.clone() }
}

/// Samples and metadata; where the file lies is no part of them.
fn both(path: &std::path::Path, options: &OpenOptions) -> Result<[Cube; 2]> {
    Ok([
        open(path, &reading(Hdf5Backend::Rust, options))?,
        open(path, &reading(Hdf5Backend::Library, options))?,
    ])
}

fn is_too_new(error: &Error) -> bool {
    error.to_string().contains("bad version number")
}

#[test]
fn golden_files_are_read_alike() -> Result<()> {
    let mut count = 0;
    for (folder, ending) in [("hdf5", ".h5"), ("mat", ".mat")] {
        for name in names_in(folder, ending) {
            let is_left_out = name.starts_with("bad_") || name.contains("lzf");
            if folder == "mat" && !name.starts_with("v73") || is_left_out {
                continue; // LZF is a filter of h5py's, which the library has as a plugin
            }
            let options = match name.as_str() {
                "v73_several.mat" => {
                    OpenOptions { variable: Some("cube".to_owned()), ..OpenOptions::default() }
                }
                _ => OpenOptions::default(),
            };
            let path = data(&format!("{folder}/{name}"));
            let [ours, theirs] = match both(&path, &options) {
                // A file of several has no cube of this name: both say so in the same words.
                Err(Error::NoSuchArray { .. }) => continue,
                // The library of the system may be older than the form of the file.
                Err(error) if !cfg!(feature = "hdf5-bundled") && is_too_new(&error) => continue,
                read => read?,
            };
            assert_eq!(ours.view(), theirs.view(), "{name}");
            assert_eq!(ours.meta(), theirs.meta(), "{name}");
            count += 1;
        }
    }
    assert!(count > 80, "{count} files");
    Ok(())
}

#[test]
fn what_one_writes_both_read() -> Result<()> {
    let folder = TempDir::new().expect("temporary folder");
    let cube = cube([5, 7, 6]);
    let mut count = 0;
    for (name, options) in forms() {
        let big = options.big_endian == Some(true);
        if options.format == Some(Format::Mat5) || big {
            continue;
        }
        let ask = OpenOptions { axes: options.axes, ..OpenOptions::default() };
        let mut written = Vec::new();
        for by in [Hdf5Backend::Rust, Hdf5Backend::Library] {
            let path = folder.path().join(&name);
            save(&cube, &path, &SaveOptions { hdf5: by, ..options.clone() })?;
            let [ours, theirs] = both(&path, &ask)?;
            assert_eq!(ours.view(), theirs.view(), "{name} written by {by}");
            assert_eq!(ours.meta(), theirs.meta(), "{name} written by {by}");
            written.push(ours);
        }
        assert_eq!(written[0], written[1], "{name}");
        count += 1;
    }
    assert!(count > 50, "{count} forms");
    Ok(())
}

#[test]
fn what_only_the_library_reads_and_what_it_does_not_write() {
    let path = data("hdf5/bad_filter.h5");
    let error = open(&path, &OpenOptions::default()).expect_err("scale-offset");
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    let by_library = reading(Hdf5Backend::Library, &OpenOptions::default());
    assert!(open(&path, &by_library).is_ok());
    let folder = TempDir::new().expect("temporary folder");
    let options = SaveOptions {
        hdf5: Hdf5Backend::Library,
        big_endian: Some(true),
        dtype: Some(SampleType::I16),
        ..SaveOptions::default()
    };
    let small = Cube::new(ndarray::Array3::zeros((1, 2, 2)), CubeMeta::default()).expect("a cube");
    let error = save(&small, folder.path().join("big.h5"), &options).expect_err("big-endian");
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("folder").collect();
    assert!(left.is_empty(), "{left:?}");
}
