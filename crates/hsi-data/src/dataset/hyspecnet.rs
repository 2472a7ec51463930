//! The folder structure of HySpecNet-11k.

use std::collections::HashMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use ndarray::Array3;
use rayon::prelude::*;

use super::Dataset;
use super::folder::{file_name, sorted_entries};
use crate::bands::{ENMAP_BANDS, HYSPECNET_BANDS, enmap_202_wavelengths_nm, hyspecnet_202};
use crate::cube::check_finite;
use crate::error::{Error, Result};
use crate::io::{OpenOptions, open_reader};
use crate::meta::Axes;
use crate::npy::{self, MappedNpy};
use crate::splits::{Split, SplitKind, SplitSource};

const SUFFIX: &str = "-DATA.npy";
/// The patches before they were prepared.
const RAW_SUFFIX: &str = "-SPECTRAL_IMAGE.TIF";
/// Raw sample value that becomes one: reflectance times 10000.
const RAW_ONE: f32 = 10_000.0;

/// Patches under `patches/<tile>/<patch>/<patch>-DATA.npy`, in the order of their names.
///
/// Where there is none, `<patch>-SPECTRAL_IMAGE.TIF` is prepared as those were: 202 of the 224
/// bands, clipped to 0..10000 and divided by 10000; nodata becomes 0.
///
/// With a sample size below that of the patches, each patch is cut into as many samples without
/// overlap as fit.
#[derive(Clone, Debug)]
pub struct HySpecNet {
    root: PathBuf,
    patches: Vec<Patch>,
    bands: usize,
    /// Rows and columns of a patch.
    patch_size: (usize, usize),
    /// Rows and columns of a sample.
    size: (usize, usize),
}

#[derive(Clone, Debug)]
struct Patch {
    tile: String,
    name: String,
    path: PathBuf,
    /// Whether it is a raw GeoTIFF.
    raw: bool,
}

impl Patch {
    /// Bands as they are given, rows and columns.
    fn shape(&self) -> Result<(usize, usize, usize)> {
        if self.raw {
            let [bands, rows, cols] = open_reader(&self.path, &OpenOptions::default())?.shape();
            return match bands {
                ENMAP_BANDS | HYSPECNET_BANDS => Ok((HYSPECNET_BANDS, rows, cols)),
                got => {
                    let name = self.path.display().to_string();
                    Err(Error::BandCount { name, expected: ENMAP_BANDS, got })
                }
            };
        }
        let info = npy::inspect(&self.path)?;
        let &[bands, rows, cols] = info.shape.as_slice() else {
            return Err(Error::NotACube { path: self.path.clone(), shape: info.shape });
        };
        if info.is_empty() {
            return Err(Error::EmptyCube { bands, rows, cols });
        }
        Ok((bands, rows, cols))
    }

    /// A window of a raw patch, prepared.
    fn prepared(&self, rows: Range<usize>, cols: Range<usize>) -> Result<Array3<f32>> {
        let reader = open_reader(&self.path, &OpenOptions::default())?;
        let all: Vec<usize> = (0..reader.shape()[0]).collect();
        let bands = if all.len() == ENMAP_BANDS { hyspecnet_202() } else { &all };
        let mut data = reader.read(bands, rows, cols)?;
        let meta = reader.meta();
        data.mapv_inplace(
            |v| if meta.is_nodata(v) { 0.0 } else { v.clamp(0.0, RAW_ONE) / RAW_ONE },
        );
        Ok(data)
    }
}

impl HySpecNet {
    /// Finds the patches and checks from their headers that all are alike.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::WrongKind`] if there is no such folder, [`Error::NoSamples`] if
    /// it holds no patch, [`Error::BandCount`] or [`Error::PatchSize`] if a patch differs from
    /// the first, [`Error::Config`] if the sample size does not fit into a patch, and those of
    /// [`npy::inspect`].
    pub fn open(root: impl AsRef<Path>, sample_size: Option<usize>) -> Result<Self> {
        let root = root.as_ref();
        let patches = find_patches(root)?;
        let shapes = patches.par_iter().map(Patch::shape).collect::<Result<Vec<_>>>()?;
        let (bands, rows, cols) = shapes[0];
        for (patch, &(got, got_rows, got_cols)) in patches.iter().zip(&shapes) {
            if got != bands {
                let name = patch.path.display().to_string();
                return Err(Error::BandCount { name, expected: bands, got });
            }
            if (got_rows, got_cols) != (rows, cols) {
                let name = patch.path.display().to_string();
                return Err(Error::PatchSize { name, rows, cols, got_rows, got_cols });
            }
        }
        let size = sample_size.map_or((rows, cols), |side| (side, side));
        if size.0 == 0 || size.0 > rows || size.1 > cols {
            let reason = "the sample size should be from one to that of the patches";
            return Err(Error::Config { field: "patch_size", value: size.0.to_string(), reason });
        }
        let root = root.to_path_buf();
        Ok(Self { root, patches, bands, patch_size: (rows, cols), size })
    }

    /// Whether a folder has HySpecNet's structure, judged by its `patches` folder.
    pub fn is_at(root: impl AsRef<Path>) -> bool {
        root.as_ref().join("patches").is_dir()
    }

    /// Samples cut from each patch, down and across.
    fn cuts(&self) -> (usize, usize) {
        (self.patch_size.0 / self.size.0, self.patch_size.1 / self.size.1)
    }

    fn locate(&self, index: usize) -> Result<(&Patch, usize, usize)> {
        let (down, across) = self.cuts();
        let at = || Error::SampleIndex { index, len: self.len() };
        let patch = self.patches.get(index / (down * across)).ok_or_else(at)?;
        let cut = index % (down * across);
        Ok((patch, cut / across * self.size.0, cut % across * self.size.1))
    }

    fn read_split(&self, folder: &Path) -> Result<Option<Split>> {
        let parts = ["train", "val", "test"].map(|part| folder.join(format!("{part}.csv")));
        if !parts.iter().any(|file| file.is_file()) {
            return Ok(None);
        }
        let by_name: HashMap<(&str, &str), usize> = self
            .patches
            .iter()
            .enumerate()
            .map(|(i, patch)| ((patch.tile.as_str(), patch.name.as_str()), i))
            .collect();
        let (down, across) = self.cuts();
        let mut taken = vec![false; self.patches.len()];
        let mut missing = 0;
        let mut read = |file: &Path| {
            let mut samples = Vec::new();
            let text = fs::read_to_string(file).map_err(Error::io(file))?;
            for (line, entry) in text.lines().enumerate() {
                let bad = |reason: &str| Error::SplitFile {
                    path: file.to_path_buf(),
                    line: line + 1,
                    reason: reason.to_owned(),
                };
                let entry = entry.trim().trim_matches('"').replace('\\', "/");
                if entry.is_empty() {
                    continue;
                }
                let mut words = entry.split('/').rev();
                let (Some(_), Some(name), Some(tile)) = (words.next(), words.next(), words.next())
                else {
                    return Err(bad("expected `<tile>/<patch>/<patch>-DATA.npy`"));
                };
                let Some(&patch) = by_name.get(&(tile, name)) else {
                    missing += 1;
                    continue;
                };
                if std::mem::replace(&mut taken[patch], true) {
                    return Err(bad("this patch was listed before"));
                }
                samples.extend((0..down * across).map(|cut| patch * down * across + cut));
            }
            samples.sort_unstable();
            Ok(samples)
        };
        let (train, val, test) = (read(&parts[0])?, read(&parts[1])?, read(&parts[2])?);
        Ok(Some(Split { train, val, test, source: SplitSource::Official { missing } }))
    }
}

impl Dataset for HySpecNet {
    fn len(&self) -> usize {
        let (down, across) = self.cuts();
        self.patches.len() * down * across
    }

    fn bands(&self) -> usize {
        self.bands
    }

    fn size(&self) -> (usize, usize) {
        self.size
    }

    fn get(&self, index: usize) -> Result<Array3<f32>> {
        let (patch, row, col) = self.locate(index)?;
        let data = if patch.raw {
            patch.prepared(row..row + self.size.0, col..col + self.size.1)?
        } else if self.cuts() == (1, 1) && self.size == self.patch_size {
            npy::read_cube(&patch.path, Axes::Bhw)?.0
        } else {
            let map = MappedNpy::open(&patch.path, Axes::Bhw)?;
            map.window(0..self.bands, row..row + self.size.0, col..col + self.size.1)?
        };
        let (bands, rows, cols) = data.dim();
        if (bands, rows, cols) != (self.bands, self.size.0, self.size.1) {
            let expected = vec![self.bands, self.size.0, self.size.1];
            let got = vec![bands, rows, cols];
            return Err(Error::Shape { what: "a patch that changed on disk", expected, got });
        }
        check_finite(data.view(), None, || patch.path.display().to_string())?;
        Ok(data)
    }

    fn name(&self, index: usize) -> String {
        let whole = self.cuts() == (1, 1);
        self.locate(index).map_or_else(
            |_| String::new(),
            |(patch, row, col)| {
                if whole { patch.name.clone() } else { format!("{}_r{row}_c{col}", patch.name) }
            },
        )
    }

    fn group(&self, index: usize) -> String {
        self.locate(index).map(|(patch, ..)| patch.tile.clone()).unwrap_or_default()
    }

    fn patch(&self, index: usize) -> String {
        let name = |patch: &Patch| format!("{}/{}", patch.tile, patch.name);
        self.locate(index).map(|(patch, ..)| name(patch)).unwrap_or_default()
    }

    fn wavelengths_nm(&self) -> Option<Vec<f32>> {
        (self.bands == HYSPECNET_BANDS).then(enmap_202_wavelengths_nm)
    }

    fn official_split(&self, kind: SplitKind) -> Result<Option<Split>> {
        match kind {
            SplitKind::Easy => self.read_split(&self.root.join("splits/easy")),
            SplitKind::Hard => self.read_split(&self.root.join("splits/hard")),
            SplitKind::Random => Ok(None),
        }
    }
}

fn find_patches(root: &Path) -> Result<Vec<Patch>> {
    let mut patches = Vec::new();
    for tile in sorted_entries(&root.join("patches"), true)? {
        for folder in sorted_entries(&tile, true)? {
            let name = file_name(&folder);
            let path = |suffix: &str| folder.join(format!("{name}{suffix}"));
            let found = [(path(SUFFIX), false), (path(RAW_SUFFIX), true)];
            if let Some((path, raw)) = found.into_iter().find(|(path, _)| path.is_file()) {
                patches.push(Patch { tile: file_name(&tile), name, path, raw });
            }
        }
    }
    if patches.is_empty() {
        let wanted = format!("`patches/<tile>/<patch>/<patch>{SUFFIX}`");
        return Err(Error::NoSamples { path: root.to_path_buf(), wanted });
    }
    Ok(patches)
}
