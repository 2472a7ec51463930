//! Datasets: equally sized samples with a name and a group, by index.

mod cubes;
mod folder;
mod hyspecnet;
mod spec;
mod synthetic;

use std::sync::Arc;

use ndarray::Array3;

use crate::error::{Error, Result};
use crate::splits::{Split, SplitKind};

pub(crate) use folder::sorted_entries;

pub use cubes::{BandSelection, CutOptions, PatchDataset};
pub use hyspecnet::HySpecNet;
pub use spec::{DataSpec, DatasetOptions};
pub use synthetic::SyntheticDataset;

/// Samples of one size and one number of bands.
///
/// A sample is a pure function of its index, so that samples may be made in any order by any
/// number of threads.
pub trait Dataset: Send + Sync {
    /// Number of samples.
    fn len(&self) -> usize;

    /// Whether there is no sample.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bands of every sample.
    fn bands(&self) -> usize;

    /// Rows and columns of every sample.
    fn size(&self) -> (usize, usize);

    /// A sample, finite everywhere.
    ///
    /// # Shapes
    /// - output: `[bands, rows, cols]`, in standard layout
    ///
    /// # Errors
    /// [`Error::SampleIndex`] beyond the last sample, [`Error::NotFinite`] for NaN pixels, and
    /// what reading a file may bring.
    fn get(&self, index: usize) -> Result<Array3<f32>>;

    /// Name of a sample, unique in the dataset; empty beyond the last.
    fn name(&self, index: usize) -> String;

    /// The tile, scene or file that a sample is of. Samples of one group see the same place on the
    /// same day, so a hard split keeps them together.
    fn group(&self, index: usize) -> String;

    /// The patch that a sample is cut from. Every split keeps the samples of one patch together.
    fn patch(&self, index: usize) -> String {
        self.name(index)
    }

    /// Centre wavelengths in nanometres, if they are known.
    fn wavelengths_nm(&self) -> Option<Vec<f32>>;

    /// The split that the dataset's authors published, if it came with one of this kind.
    ///
    /// # Errors
    /// [`Error::SplitFile`] if it cannot be used.
    fn official_split(&self, _kind: SplitKind) -> Result<Option<Split>> {
        Ok(None)
    }
}

/// Some of the samples of a dataset, in a given order.
#[derive(Clone)]
pub struct Subset {
    dataset: Arc<dyn Dataset>,
    indices: Vec<usize>,
}

impl Subset {
    /// Picks samples.
    ///
    /// # Errors
    /// [`Error::SampleIndex`] for an index that the dataset does not have.
    pub fn new(dataset: Arc<dyn Dataset>, indices: Vec<usize>) -> Result<Self> {
        let len = dataset.len();
        match indices.iter().find(|&&index| index >= len) {
            Some(&index) => Err(Error::SampleIndex { index, len }),
            None => Ok(Self { dataset, indices }),
        }
    }

    /// Index in the whole dataset of each sample.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    fn whole(&self, index: usize) -> Result<usize> {
        let len = self.indices.len();
        self.indices.get(index).copied().ok_or(Error::SampleIndex { index, len })
    }
}

impl Dataset for Subset {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn bands(&self) -> usize {
        self.dataset.bands()
    }

    fn size(&self) -> (usize, usize) {
        self.dataset.size()
    }

    fn get(&self, index: usize) -> Result<Array3<f32>> {
        self.dataset.get(self.whole(index)?)
    }

    fn name(&self, index: usize) -> String {
        self.whole(index).map(|index| self.dataset.name(index)).unwrap_or_default()
    }

    fn group(&self, index: usize) -> String {
        self.whole(index).map(|index| self.dataset.group(index)).unwrap_or_default()
    }

    fn patch(&self, index: usize) -> String {
        self.whole(index).map(|index| self.dataset.patch(index)).unwrap_or_default()
    }

    fn wavelengths_nm(&self) -> Option<Vec<f32>> {
        self.dataset.wavelengths_nm()
    }
}

impl std::fmt::Debug for Subset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subset").field("indices", &self.indices).finish_non_exhaustive()
    }
}
