//! Cubes, one or a folder of them, cut into samples.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::{Array3, Axis, s};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Dataset;
use super::folder::file_stem;
use crate::bands::{ENMAP_224_WAVELENGTHS_NM, ENMAP_BANDS, hyspecnet_202};
use crate::cube::{Cube, check_finite, is_nodata_band};
use crate::error::{Error, Result};
use crate::io::{OpenOptions, open_reader};
use crate::meta::{CubeMeta, Format, equals_nodata};
use crate::stream::CubeReader;

/// Largest side of a sample when none is asked for.
const DEFAULT_SIDE: usize = 128;

/// Which bands of a cube the samples have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BandSelection {
    /// Those that are neither flagged bad nor nodata in every pixel.
    #[default]
    Valid,
    /// HySpecNet's 202 of a cube with EnMAP's 224 bands; the valid ones of any other.
    HySpecNet,
    /// All.
    All,
}

/// How cubes are cut.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CutOptions {
    /// Rows and columns of a sample; by default the shortest side of the cubes, at most 128.
    pub patch_size: Option<usize>,
    /// Pixels from one sample to the next; by default the sample size, so that none overlap.
    pub stride: Option<usize>,
    /// Which bands are kept.
    pub bands: BandSelection,
    /// How the cubes are read.
    pub open: OpenOptions,
}

/// Samples cut from cubes, row by row, from cube after cube.
///
/// Windows with nodata in a kept band are left out. Overlapping samples (a stride below the
/// sample size) share pixels, also across the parts of an easy or random split.
#[derive(Debug)]
pub struct PatchDataset {
    cubes: Vec<Pixels>,
    samples: Vec<Sample>,
    bands: usize,
    side: usize,
    wavelengths_nm: Option<Vec<f32>>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    cube: usize,
    row: usize,
    col: usize,
}

/// The pixels of one cube, in memory or on disk, and the bands kept of it.
#[derive(Debug)]
struct Pixels {
    name: String,
    store: Store,
    meta: CubeMeta,
    keep: Vec<usize>,
}

#[derive(Debug)]
enum Store {
    Memory(Arc<Cube>),
    Disk(Box<dyn CubeReader>),
}

impl PatchDataset {
    /// Cuts one file, which stays on disk.
    ///
    /// # Errors
    /// Those of [`open`](crate::open()), [`Error::NoValidBand`], [`Error::Config`] if the sample
    /// size does not fit, and [`Error::NoSamples`] if every window has nodata.
    pub fn from_file(path: impl AsRef<Path>, options: &CutOptions) -> Result<Self> {
        let path = path.as_ref();
        Self::build(vec![Pixels::on_disk(path, options)?], path, options)
    }

    /// Cuts every cube of a folder, in the order of their names. The cubes stay on disk.
    ///
    /// # Errors
    /// Those of [`from_file`](Self::from_file), and [`Error::BandCount`] if the cubes do not have
    /// the same number of bands.
    pub fn from_folder(folder: impl AsRef<Path>, options: &CutOptions) -> Result<Self> {
        let folder = folder.as_ref();
        let files = Format::files_in(folder)?;
        let cubes =
            files.iter().map(|path| Pixels::on_disk(path, options)).collect::<Result<Vec<_>>>()?;
        Self::build(cubes, folder, options)
    }

    /// Cuts a cube in memory.
    ///
    /// # Errors
    /// Those of [`from_file`](Self::from_file).
    pub fn from_cube(cube: Arc<Cube>, options: &CutOptions) -> Result<Self> {
        let path = PathBuf::from(cube.name());
        let keep = choose_bands(cube.bands(), options.bands, || cube.valid_bands());
        let meta =
            CubeMeta { nodata: options.open.nodata.or(cube.meta().nodata), ..cube.meta().clone() };
        let store = Store::Memory(Arc::clone(&cube));
        let pixels = Pixels { name: file_stem(&path), store, meta, keep };
        Self::build(vec![pixels], &path, options)
    }

    fn build(cubes: Vec<Pixels>, path: &Path, options: &CutOptions) -> Result<Self> {
        let none =
            |wanted: &str| Error::NoSamples { path: path.to_path_buf(), wanted: wanted.to_owned() };
        let shortest = cubes.iter().map(|cube| cube.size().0.min(cube.size().1)).min();
        let shortest = shortest.ok_or_else(|| none("cube"))?;
        let bands = cubes[0].keep.len();
        for cube in &cubes {
            if cube.keep.is_empty() {
                return Err(Error::NoValidBand { name: cube.name.clone() });
            }
            if cube.keep.len() != bands {
                let (name, got) = (cube.name.clone(), cube.keep.len());
                return Err(Error::BandCount { name, expected: bands, got });
            }
        }
        let side = options.patch_size.unwrap_or(shortest.min(DEFAULT_SIDE));
        let stride = options.stride.unwrap_or(side);
        if side == 0 || side > shortest {
            let reason = "a sample should be at least one pixel and at most the smallest cube";
            return Err(Error::Config { field: "patch_size", value: side.to_string(), reason });
        }
        if stride == 0 {
            let reason = "the stride should be at least one pixel";
            return Err(Error::Config { field: "stride", value: "0".to_owned(), reason });
        }
        let mut samples = Vec::new();
        for (nth, cube) in cubes.iter().enumerate() {
            let (rows, cols) = cube.size();
            let places: Vec<Sample> = (0..=rows - side)
                .step_by(stride)
                .flat_map(|row| {
                    (0..=cols - side).step_by(stride).map(move |col| Sample { cube: nth, row, col })
                })
                .collect();
            samples.extend(cube.without_nodata(places, side)?);
        }
        if samples.is_empty() {
            return Err(none("window without nodata"));
        }
        let wavelengths_nm = cubes[0].wavelengths_nm();
        Ok(Self { cubes, samples, bands, side, wavelengths_nm })
    }

    fn locate(&self, index: usize) -> Result<(&Pixels, Sample)> {
        let len = self.samples.len();
        let sample = *self.samples.get(index).ok_or(Error::SampleIndex { index, len })?;
        Ok((&self.cubes[sample.cube], sample))
    }
}

impl Dataset for PatchDataset {
    fn len(&self) -> usize {
        self.samples.len()
    }

    fn bands(&self) -> usize {
        self.bands
    }

    fn size(&self) -> (usize, usize) {
        (self.side, self.side)
    }

    fn get(&self, index: usize) -> Result<Array3<f32>> {
        let (cube, sample) = self.locate(index)?;
        let data = cube.read(sample, self.side)?;
        check_finite(data.view(), None, || self.name(index))?;
        Ok(data)
    }

    fn name(&self, index: usize) -> String {
        self.locate(index).map_or_else(
            |_| String::new(),
            |(cube, Sample { row, col, .. })| format!("{}_r{row}_c{col}", cube.name),
        )
    }

    fn group(&self, index: usize) -> String {
        self.locate(index).map(|(cube, _)| cube.name.clone()).unwrap_or_default()
    }

    fn wavelengths_nm(&self) -> Option<Vec<f32>> {
        self.wavelengths_nm.clone()
    }
}

impl Pixels {
    fn on_disk(path: &Path, options: &CutOptions) -> Result<Self> {
        let reader = open_reader(path, &options.open)?;
        let meta = reader.meta().clone();
        let bands = reader.shape()[0];
        let keep = choose_bands(bands, options.bands, || valid_bands_of(&*reader));
        Ok(Self { name: file_stem(path), store: Store::Disk(reader), meta, keep })
    }

    fn all_bands(&self) -> usize {
        match &self.store {
            Store::Memory(cube) => cube.bands(),
            Store::Disk(reader) => reader.shape()[0],
        }
    }

    fn size(&self) -> (usize, usize) {
        match &self.store {
            Store::Memory(cube) => (cube.rows(), cube.cols()),
            Store::Disk(reader) => (reader.shape()[1], reader.shape()[2]),
        }
    }

    fn read(&self, Sample { row, col, .. }: Sample, side: usize) -> Result<Array3<f32>> {
        match &self.store {
            Store::Memory(cube) => {
                let view = cube.view();
                let window = view.slice(s![.., row..row + side, col..col + side]);
                Ok(window.select(Axis(0), &self.keep))
            }
            Store::Disk(reader) => reader.read(&self.keep, row..row + side, col..col + side),
        }
    }

    fn without_nodata(&self, places: Vec<Sample>, side: usize) -> Result<Vec<Sample>> {
        let Some(nodata) = self.meta.nodata.map(|nodata| nodata as f32) else {
            return Ok(places);
        };
        let kept = places
            .into_par_iter()
            .map(|place| {
                let window = self.read(place, side)?;
                Ok((!window.iter().any(|&v| equals_nodata(v, nodata))).then_some(place))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(kept.into_iter().flatten().collect())
    }

    /// Those of the metadata, or EnMAP's when the number of bands is.
    fn wavelengths_nm(&self) -> Option<Vec<f32>> {
        let table: Option<&[f32]> = self.meta.wavelengths_nm.as_deref();
        let enmap = || (self.all_bands() == ENMAP_BANDS).then_some(&ENMAP_224_WAVELENGTHS_NM[..]);
        table.or_else(enmap).map(|table| self.keep.iter().map(|&band| table[band]).collect())
    }
}

fn choose_bands(
    bands: usize,
    selection: BandSelection,
    valid: impl FnOnce() -> Vec<usize>,
) -> Vec<usize> {
    match selection {
        BandSelection::All => (0..bands).collect(),
        BandSelection::HySpecNet if bands == ENMAP_BANDS => hyspecnet_202().to_vec(),
        BandSelection::HySpecNet | BandSelection::Valid => valid(),
    }
}

/// [`Cube::valid_bands`] for a cube on disk, a band at a time.
fn valid_bands_of(reader: &dyn CubeReader) -> Vec<usize> {
    let [bands, rows, cols] = reader.shape();
    let meta = reader.meta();
    let bad = meta.bad_bands.as_deref().unwrap_or_default();
    (0..bands)
        .filter(|&band| bad.get(band) != Some(&true))
        .filter(|&band| {
            // Most bands are told from their first row.
            let nodata = |rows| {
                let part = reader.read(&[band], 0..rows, 0..cols);
                part.is_ok_and(|part| is_nodata_band(part.index_axis(Axis(0), 0), meta.nodata))
            };
            !(nodata(1) && nodata(rows))
        })
        .collect()
}
