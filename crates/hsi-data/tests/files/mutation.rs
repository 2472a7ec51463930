//! Forged files of every format: an error or a cube, never a panic. The long run is
//! `cargo xtask hostile`, which also holds the memory to a limit.

use std::fs;

use hsi_data::{OpenOptions, open};
use tempfile::TempDir;

use super::forge;

/// Cases of each format.
const CASES: usize = 400;
/// What bombs are made for.
const LIMIT: usize = 4 << 20;

#[test]
fn forged_files_are_errors_or_cubes() {
    let formats = forge::formats();
    assert!(formats.len() >= 5, "{formats:?}");
    for format in formats {
        let outcome = forge::run(format, CASES, 5, LIMIT, |_| {});
        assert_eq!((outcome.cases, outcome.panics.as_slice()), (CASES, &[][..]), "{format}");
        // So many get past the headers that what lies behind them is tested too.
        assert!(outcome.past_header > CASES / 10, "{format}: {outcome:?}");
        assert!(
            outcome.read > CASES / 20 && outcome.recognised > CASES / 2,
            "{format}: {outcome:?}"
        );
    }
}

#[test]
fn bombs_are_refused_before_they_unpack() {
    use std::io::Write;
    let temporary = TempDir::new().expect("temporary folder");
    let path = temporary.path().join("bomb.mat");
    // An array of 1000 x 1000 x 1000 doubles that says so, in a file of a few kilobytes.
    let mut element = Vec::new();
    let mut word = |value: u32| element.extend(value.to_le_bytes());
    for value in [14, u32::MAX, 6, 8, 6, 0, 5, 12, 1000, 1000, 400, 0, 1, 1, 0x61, 0, 9] {
        word(value);
    }
    word(3_200_000_000);
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(&element).expect("in memory");
    packer.write_all(&vec![0; 16 << 20]).expect("in memory");
    let packed = packer.finish().expect("in memory");
    let mut file = vec![b' '; 124];
    file.extend(*b"\x00\x01IM");
    file.extend(15_u32.to_le_bytes());
    file.extend((packed.len() as u32).to_le_bytes());
    file.extend(packed);
    fs::write(&path, &file).expect("temporary file");
    let error = open(&path, &OpenOptions::default()).expect_err("a bomb");
    assert!(error.to_string().contains("left"), "{error}");
}
