//! Forged files: structure-aware changes to golden files, and what reading them came to. Shared by
//! the tests and by the program behind `cargo xtask hostile`.

mod binary;
mod packed;
mod text;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hsi_data::{
    Format, OpenOptions, contents, open, open_reader, product, read_matrix, statistics,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Most bytes that a forged file may unpack to.
const UNPACKED: u64 = 16 << 20;
/// Samples of a cube that is read whole at most.
const WHOLE: usize = 1 << 18;

/// What came of a number of forged files.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Files that were tried.
    pub(crate) cases: usize,
    /// Files that were told to be of a format.
    pub(crate) recognised: usize,
    /// Files whose headers were read: what they hold was listed, or a cube was opened.
    pub(crate) past_header: usize,
    /// Files of which a window of samples was read.
    pub(crate) read: usize,
    /// Cases that panicked.
    pub(crate) panics: Vec<usize>,
    /// The longest that a case took.
    pub(crate) slowest: Duration,
}

/// A golden file and the files that belong to it, by their names.
struct Seed {
    files: Vec<(String, Vec<u8>)>,
}

/// The formats that can be forged: name, folder of golden files, and ending of the file to open.
const FORMATS: [(&str, &str, &str); 8] = [
    ("npy", "npy", ".npy"),
    ("envi", "envi", ".img"),
    ("mat5", "mat", ".mat"),
    ("mat73", "mat", ".mat"),
    ("hdf5", "hdf5", ".h5"),
    ("tiff", "tiff", ".tif"),
    ("enmap", "enmap", "-METADATA.XML"),
    ("zip", "enmap", ".zip"),
];

/// The names of the formats that have golden files.
pub(crate) fn formats() -> Vec<&'static str> {
    let has = |(_, folder, _): &&(&str, &str, &str)| data(folder).is_dir();
    FORMATS.iter().filter(has).map(|(name, ..)| *name).collect()
}

fn data(folder: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder)
}

/// Forges files of a format, each from a golden file and a stream of the seed, and reads them.
/// `reading` is told when a file starts to be read and when it ends.
pub(crate) fn run(
    format: &str,
    cases: usize,
    seed: u64,
    limit_bytes: usize,
    reading: impl Fn(bool),
) -> Outcome {
    let seeds = seeds(format);
    assert!(!seeds.is_empty(), "there are no golden files of `{format}`");
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut outcome = Outcome { cases, ..Outcome::default() };
    for case in 0..cases {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(case as u64);
        let seed = &seeds[case % seeds.len()];
        let path = write(format, seed, folder.path(), &mut rng, limit_bytes);
        let start = Instant::now();
        reading(true);
        match catch_unwind(AssertUnwindSafe(|| try_to_read(&path, case))) {
            Ok([recognised, past_header, read]) => {
                outcome.recognised += usize::from(recognised);
                outcome.past_header += usize::from(past_header);
                outcome.read += usize::from(read);
            }
            Err(_) => outcome.panics.push(case),
        }
        reading(false);
        outcome.slowest = outcome.slowest.max(start.elapsed());
    }
    outcome
}

/// The golden files of a format that are small enough to be forged often.
fn seeds(format: &str) -> Vec<Seed> {
    let Some((_, folder, ending)) = FORMATS.iter().find(|(name, ..)| *name == format) else {
        return Vec::new();
    };
    let Ok(entries) = fs::read_dir(data(folder)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut seeds = Vec::new();
    for path in paths.iter().filter(|path| name(path).ends_with(ending)) {
        let is_wanted = match format {
            "mat5" => !name(path).starts_with("v73"),
            "mat73" => name(path).starts_with("v73"),
            _ => true,
        };
        if !is_wanted {
            continue;
        }
        // An ENVI cube and a product are several files.
        let stem = name(path).trim_end_matches(ending).to_owned();
        let together: Vec<&PathBuf> = match format {
            "envi" | "enmap" => paths.iter().filter(|p| name(p).starts_with(&stem)).collect(),
            _ => vec![path],
        };
        let read = |path: &&PathBuf| (name(path), fs::read(path).expect("golden file"));
        let files: Vec<_> = together.iter().map(read).collect();
        if files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() < 40_000 {
            seeds.push(Seed { files });
        }
    }
    seeds
}

/// Writes a forged copy; returns the file, or for products the folder, to be opened.
fn write(
    format: &str,
    seed: &Seed,
    folder: &Path,
    rng: &mut ChaCha8Rng,
    limit_bytes: usize,
) -> PathBuf {
    let target = match format {
        "envi" | "enmap" => seed.files.len(),
        _ => 1,
    };
    // One of the files is forged, sometimes all.
    let chosen = if rng.random_bool(0.1) { target } else { rng.random_range(0..target) };
    let mut main = folder.to_path_buf();
    for (nth, (name, bytes)) in seed.files.iter().enumerate() {
        let forged = if nth == chosen || chosen == target {
            forge(format, name, bytes, rng, limit_bytes)
        } else {
            bytes.clone()
        };
        // Under one name, so that the folder does not fill up.
        let name = match format {
            "enmap" => name.clone(),
            "envi" if is_text(name) => "forged.hdr".to_owned(),
            _ => format!("forged.{}", name.rsplit('.').next().unwrap_or_default()),
        };
        let path = folder.join(name);
        fs::write(&path, forged).expect("temporary file");
        if format != "enmap" {
            main = path;
        }
    }
    if format == "envi" { folder.join("forged.hdr") } else { main }
}

fn forge(
    format: &str,
    name: &str,
    bytes: &[u8],
    rng: &mut ChaCha8Rng,
    limit_bytes: usize,
) -> Vec<u8> {
    let mut forged = match format {
        "npy" if rng.random_bool(0.4) => text::npy_of_any_shape(bytes, rng),
        "npy" if rng.random_bool(0.7) => text::npy(bytes, rng),
        _ if is_text(name) => text::any(bytes, rng),
        "mat5" if rng.random_bool(0.5) => packed::mat(bytes, rng, limit_bytes),
        "envi" if bytes.starts_with(&[0x1f, 0x8b]) => packed::gzip(bytes, rng, limit_bytes),
        "hdf5" | "mat73" => binary::hdf5(bytes, rng),
        "zip" => binary::zip(bytes, rng),
        _ if bytes.starts_with(b"II") || bytes.starts_with(b"MM") => binary::tiff(bytes, rng),
        _ => binary::any(bytes, rng),
    };
    if rng.random_bool(0.1) && !forged.is_empty() {
        forged.truncate(rng.random_range(0..forged.len()));
    }
    forged
}

/// Whether a file is a header in words.
fn is_text(name: &str) -> bool {
    let ending = Path::new(name).extension().unwrap_or_default().to_ascii_lowercase();
    ending == "hdr" || ending == "xml"
}

/// Reads a file in every way there is: whether it was recognised, listed or opened, and read.
fn try_to_read(path: &Path, case: usize) -> [bool; 3] {
    let options = OpenOptions { max_unpacked: Some(UNPACKED), ..OpenOptions::default() };
    if Format::sniff(path).is_err() {
        return [false; 3];
    }
    let listed = contents(path).is_ok() || product(path).is_ok();
    if case.is_multiple_of(8) {
        read_matrix(path, None).ok();
    }
    let Ok(reader) = open_reader(path, &options) else { return [true, listed, false] };
    let [bands, rows, cols] = reader.shape();
    let few = |size: usize| size.min(3);
    let some: Vec<usize> = (0..few(bands)).rev().collect();
    let read = reader.read(&some, rows - few(rows)..rows, cols - few(cols)..cols).is_ok();
    let samples = reader.shape().iter().try_fold(1_usize, |n, &size| n.checked_mul(size));
    if samples.is_some_and(|samples| samples < WHOLE) {
        statistics(&*reader).ok();
        if let Ok(cube) = open(path, &options) {
            // A sane cube: what the metadata says fits.
            cube.meta().validate(cube.bands()).expect("metadata that fit");
            assert_eq!(cube.view().dim(), (bands, rows, cols));
        }
    }
    [true, true, read]
}
