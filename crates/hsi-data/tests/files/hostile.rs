//! Broken files: a typed error with the path, never a panic, never a large allocation.

use std::fs;
use std::path::{Path, PathBuf};

use hsi_data::npy::inspect;
use hsi_data::{Axes, Error, Format, MappedNpy, OpenOptions, open};
use proptest::prelude::*;
use tempfile::TempDir;

use super::data;

fn write(folder: &TempDir, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("hostile.npy");
    fs::write(&path, bytes).expect("temporary file");
    path
}

fn with_header(header: &str, payload: usize) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + payload, 0);
    bytes
}

fn open_both(path: &Path) -> Error {
    let opened = open(path, &OpenOptions::default()).expect_err("opened");
    MappedNpy::open(path, Axes::Hwb).expect_err("mapped");
    opened
}

#[test]
fn every_truncation_of_a_file_is_an_error() {
    let folder = TempDir::new().expect("temporary folder");
    let whole = fs::read(data("npy/f4_little_C.npy")).expect("golden file");
    for length in 0..whole.len() {
        let path = write(&folder, &whole[..length]);
        let message = open_both(&path).to_string();
        assert!(message.contains("hostile.npy"), "{message}");
    }
    let path = write(&folder, &whole[..whole.len() - 1]);
    match open_both(&path) {
        Error::FileSize { expected, got, .. } => assert_eq!(expected, got + 1),
        other => panic!("{other}"),
    }
    let longer = [whole.as_slice(), &[0]].concat();
    assert!(matches!(open_both(&write(&folder, &longer)), Error::FileSize { .. }));
}

#[test]
fn bad_headers_are_named() {
    let folder = TempDir::new().expect("temporary folder");
    let dict =
        |shape: &str| format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}");
    for (header, wanted) in [
        ("", "expected `{`"),
        ("{", "expected a quoted string"),
        ("{'descr': '<f4'}", "`fortran_order` is missing"),
        ("{'descr': '<f4', 'fortran_order': False}", "`shape` is missing"),
        ("{'fortran_order': False, 'shape': (1, 1, 1)}", "`descr` is missing"),
        ("{'descr': '<f4', 'fortran_order': 0, 'shape': (1, 1, 1)}", "neither"),
        ("{'descr': '<f4', 'other': False}", "unknown key `other`"),
        ("{'descr': '<f4}", "does not end"),
        ("{'descr': [('a', '<f4'}", "does not end"),
        (dict("(1, 1, 1)) ").as_str(), "expected `}`"),
        (dict("(1, -1, 1)").as_str(), "not a tuple"),
        (dict("[1, 1, 1]").as_str(), "expected `(`"),
        (dict("(99999999999999999999999, 1, 1)").as_str(), "too large"),
        ((dict("(1, 1, 1)") + " x").as_str(), "after the closing brace"),
    ] {
        match open_both(&write(&folder, &with_header(header, 4))) {
            Error::NpyHeader { reason, .. } => {
                assert!(reason.contains(wanted), "`{header}` gives `{reason}`");
            }
            other => panic!("`{header}`: {other}"),
        }
    }
    let mut version = with_header(&dict("(1, 1, 1)"), 4);
    version[6] = 9;
    let error = open_both(&write(&folder, &version)).to_string();
    assert!(error.contains("version 9 is unknown"), "{error}");
    // A header of four billion bytes.
    let mut huge = b"\x93NUMPY\x02\x00".to_vec();
    huge.extend([0xff; 64]);
    let error = open_both(&write(&folder, &huge)).to_string();
    assert!(error.contains("implausible"), "{error}");
}

#[test]
fn absurd_shapes_allocate_nothing() {
    let folder = TempDir::new().expect("temporary folder");
    for shape in [
        "(4294967296, 4294967296, 4294967296)",
        "(9223372036854775807, 3, 1)",
        "(0, 18446744073709551615, 18446744073709551615)",
    ] {
        let header = format!("{{'descr': '<f8', 'fortran_order': True, 'shape': {shape}}}");
        let error = open_both(&write(&folder, &with_header(&header, 64)));
        assert!(matches!(error, Error::ShapeOverflow { .. }), "{error}");
    }
    // Possible, but not in a file of this length.
    let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000, 1000)}";
    let error = open_both(&write(&folder, &with_header(header, 64)));
    assert!(matches!(error, Error::FileSize { .. }), "{error}");
}

#[test]
fn what_is_no_cube_file_is_refused_with_the_supported_formats() {
    let folder = TempDir::new().expect("temporary folder");
    for content in [&b"PK\x03\x04"[..], b"", b"\x93NUM"] {
        let path = write(&folder, content);
        let error = open(&path, &OpenOptions::default()).expect_err("no format");
        assert!(matches!(error, Error::UnknownFormat { .. }));
        assert!(error.to_string().contains("npy"), "{error}");
    }
    assert!(matches!(Format::sniff(folder.path()), Err(Error::WrongKind { .. })));
    assert!(matches!(inspect(folder.path()), Err(Error::WrongKind { .. } | Error::Io { .. })));
    let missing = folder.path().join("missing.npy");
    let error = open(&missing, &OpenOptions::default()).expect_err("missing");
    assert!(matches!(error, Error::Io { .. }) && error.to_string().contains("missing.npy"));
}

#[test]
fn bad_metadata_is_named() {
    let folder = TempDir::new().expect("temporary folder");
    let path = folder.path().join("cube.npy");
    fs::copy(data("npy/f4_little_C.npy"), &path).expect("copy");
    let open_with = |json: &str| {
        fs::write(folder.path().join("cube.json"), json).expect("JSON");
        open(&path, &OpenOptions::default())
    };
    for json in ["", "[]", "{\"wavelengths_nm\": 3}", "{\"nodata\": \"none\"}", "{\"scale\": []}"] {
        let error = open_with(json).expect_err(json);
        assert!(matches!(error, Error::Sidecar { .. }), "`{json}`: {error}");
        assert!(error.to_string().contains("cube.json"));
    }
    let error = open_with("{\"wavelengths_nm\": [1, 2, 3]}").expect_err("three wavelengths");
    assert_eq!(error.to_string(), "`wavelengths_nm` has 3 entries for 2 bands");
    assert!(open_with("{\"bad_bands\": [0]}").is_err());
    let cube =
        open_with("{\"other\": 1, \"bad_bands\": [0, true]}").expect("unknown keys are fine");
    assert_eq!(cube.meta().bad_bands, Some(vec![false, true]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_change_of_bytes_makes_the_reader_panic(
        at in prop::collection::vec((0_usize..224, any::<u8>()), 1..6),
        cut in 0_usize..64,
    ) {
        let folder = TempDir::new()?;
        let mut bytes = std::fs::read(data("npy/i2_big_F.npy"))?;
        for (at, byte) in at {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        bytes.truncate(bytes.len() - cut.saturating_sub(56));
        let path = folder.path().join("changed.npy");
        fs::write(&path, bytes)?;
        // Either it is still an array of 24 samples of two bytes, or an error.
        if let Ok(cube) = open(&path, &OpenOptions::default()) {
            prop_assert!(cube.view().len() <= 48);
        }
        MappedNpy::open(&path, Axes::Auto).ok();
    }
}
