//! Forged MATLAB and HDF5 files: an error or a cube, never a panic, never a large allocation.

use std::fs;
use std::path::Path;

use hsi_data::{OpenOptions, contents, open, open_reader, read_matrix};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use super::data;

/// Cases of each format.
const CASES: usize = 3000;
/// Most bytes that a forged file may unpack to.
const LIMIT: u64 = 16 << 20;

/// A golden file, with the structures in it that end in a checksum: forging one without a new
/// checksum would only test the checksum.
struct Seed {
    bytes: Vec<u8>,
    checked: Vec<(usize, usize)>,
}

impl Seed {
    fn read(path: &Path) -> Self {
        let bytes = fs::read(path).expect("golden file");
        let mut checked = Vec::new();
        for at in 0..bytes.len().saturating_sub(8) {
            let signature = &bytes[at..at + 4];
            let has_sum = ["OHDR", "OCHK", "BTHD", "BTIN", "BTLF", "FRHP", "FHIB", "FAHD", "FADB"]
                .into_iter()
                .chain(["EAHD", "EAIB", "EASB", "EADB"])
                .any(|name| name.as_bytes() == signature);
            if !has_sum {
                continue;
            }
            let ends = |length: &usize| {
                let end = at + length;
                bytes.get(end..end + 4).is_some_and(|sum| sum == lookup3(&bytes[at..end]))
            };
            checked.extend((8..2048).find(ends).map(|length| (at, length)));
        }
        if bytes.get(8).is_some_and(|version| *version >= 2) && bytes.starts_with(b"\x89HDF") {
            checked.push((0, 44));
        }
        Self { bytes, checked }
    }

    /// A forged copy: numbers exchanged for others, pieces copied elsewhere, the end cut off.
    fn forge(&self, rng: &mut ChaCha8Rng) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let mut touched = Vec::new();
        for _ in 0..rng.random_range(1..4) {
            // Mostly where structures are: near the start, or in one with a checksum.
            let (start, length) = match self.checked.get(rng.random_range(0..=self.checked.len())) {
                Some(&place) if rng.random_bool(0.8) => place,
                _ => (0, bytes.len().min(6000)),
            };
            let at = start + rng.random_range(0..length);
            let width = [1, 2, 4, 8][rng.random_range(0..4)];
            let value: u64 = match rng.random_range(0..8) {
                0 => 0,
                1 => u64::MAX,
                2 => 1 << rng.random_range(0..64),
                3 => bytes.len() as u64,
                4 => rng.random_range(0..bytes.len() as u64),
                5 => rng.random_range(0..64),
                6 => rng.random(),
                // An address or size from elsewhere: cycles, structures in place of others.
                _ => {
                    let from = rng.random_range(0..bytes.len());
                    let mut raw = [0; 8];
                    for (to, from) in raw.iter_mut().zip(&self.bytes[from..]) {
                        *to = *from;
                    }
                    u64::from_le_bytes(raw)
                }
            };
            let order =
                if rng.random_bool(0.1) { value.to_be_bytes() } else { value.to_le_bytes() };
            for (to, from) in bytes[at..].iter_mut().zip(&order[..width]) {
                *to = *from;
            }
            touched.push(at);
        }
        for &(start, length) in &self.checked {
            if touched.iter().any(|at| (start..start + length).contains(at)) {
                let sum = lookup3(&bytes[start..start + length]);
                bytes[start + length..start + length + 4].copy_from_slice(&sum);
            }
        }
        if rng.random_bool(0.1) {
            bytes.truncate(rng.random_range(0..bytes.len()));
        }
        bytes
    }
}

/// The checksum of HDF5's structures (Bob Jenkins' lookup3), little-endian.
fn lookup3(bytes: &[u8]) -> [u8; 4] {
    let start = 0xdead_beef_u32.wrapping_add(bytes.len() as u32);
    let [mut a, mut b, mut c] = [start; 3];
    let blocks = bytes.len().div_ceil(12);
    for (nth, block) in bytes.chunks(12).enumerate() {
        let mut raw = [0; 12];
        raw[..block.len()].copy_from_slice(block);
        let word = |i: usize| u32::from_le_bytes([raw[i], raw[i + 1], raw[i + 2], raw[i + 3]]);
        a = a.wrapping_add(word(0));
        b = b.wrapping_add(word(4));
        c = c.wrapping_add(word(8));
        if nth + 1 == blocks {
            for turns in [[14, 11, 25], [16, 4, 14]] {
                c = (c ^ b).wrapping_sub(b.rotate_left(turns[0]));
                a = (a ^ c).wrapping_sub(c.rotate_left(turns[1]));
                b = (b ^ a).wrapping_sub(a.rotate_left(turns[2]));
            }
            c = (c ^ b).wrapping_sub(b.rotate_left(24));
            break;
        }
        for turns in [[4, 6, 8], [16, 19, 4]] {
            a = a.wrapping_sub(c) ^ c.rotate_left(turns[0]);
            c = c.wrapping_add(b);
            b = b.wrapping_sub(a) ^ a.rotate_left(turns[1]);
            a = a.wrapping_add(c);
            c = c.wrapping_sub(b) ^ b.rotate_left(turns[2]);
            b = b.wrapping_add(a);
        }
    }
    c.to_le_bytes()
}

/// Forges files of a folder of golden files; returns how many were listed, and how many held a cube
/// that was read.
fn forge_all(folder: &str, extension: &str, seed: u64) -> (usize, usize) {
    let mut paths: Vec<_> = fs::read_dir(data(folder))
        .expect("golden files")
        .map(|entry| entry.expect("golden file").path())
        .filter(|path| path.metadata().is_ok_and(|meta| meta.len() < 20_000))
        .collect();
    paths.sort();
    let seeds: Vec<Seed> = paths.iter().map(|path| Seed::read(path)).collect();
    let temporary = TempDir::new().expect("temporary folder");
    let path = temporary.path().join(format!("forged.{extension}"));
    let options = OpenOptions { max_unpacked: Some(LIMIT), ..OpenOptions::default() };
    let (mut listed, mut opened) = (0, 0);
    for case in 0..CASES {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(case as u64);
        let bytes = seeds[case % seeds.len()].forge(&mut rng);
        fs::write(&path, &bytes).expect("temporary file");
        listed += usize::from(contents(&path).is_ok());
        if case % 8 == 0 {
            read_matrix(&path, None).ok();
        }
        let Ok(reader) = open_reader(&path, &options) else { continue };
        let [bands, rows, cols] = reader.shape();
        let few = |size: usize| size.min(3);
        let bands: Vec<usize> = (0..few(bands)).rev().collect();
        if reader.read(&bands, rows - few(rows)..rows, cols - few(cols)..cols).is_ok() {
            opened += 1;
        }
        if reader.shape().iter().product::<usize>() < 1 << 20 {
            open(&path, &options).ok();
        }
    }
    (listed, opened)
}

#[test]
fn forged_matlab_files_are_errors_or_cubes() {
    let (listed, opened) = forge_all("mat", "mat", 5);
    // So many get past the headers that what lies behind them is tested too.
    assert!(listed > CASES / 10 && opened > CASES / 20, "{listed} listed, {opened} opened");
}

#[test]
fn forged_hdf5_files_are_errors_or_cubes() {
    let (listed, opened) = forge_all("hdf5", "h5", 6);
    assert!(listed > CASES / 10 && opened > CASES / 20, "{listed} listed, {opened} opened");
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
