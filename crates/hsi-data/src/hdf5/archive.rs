//! What an HDF5 file holds.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::native::{Dataset, Filter, Found, Native, Type};
use super::{Backend, Entry, Hdf5Backend, Stored};
use crate::arrays::{ArraySource, FileBytes, StoredArray, Value, is_known, numbers};
use crate::error::{Error, Result};
use crate::fault::AtPath;
use crate::io::OpenOptions;
use crate::meta::{Compression, Format, SampleType};

/// Numbers of a list in the metadata at most.
const MAX_SMALL: u64 = 1 << 17;

/// An HDF5 file whose datasets have been listed.
#[derive(Debug)]
pub(crate) struct Archive {
    backend: Box<dyn Backend>,
    format: Format,
    path: PathBuf,
    /// MATLAB's class of each dataset, in files of MATLAB's.
    classes: Vec<Option<String>>,
}

impl Archive {
    /// Opens a file and lists its datasets; their samples are not touched.
    pub(crate) fn open(path: &Path, format: Format, by: Hdf5Backend) -> Result<Self> {
        Self::new(by.open(path, format)?, path, format)
    }

    fn new(backend: Box<dyn Backend>, path: &Path, format: Format) -> Result<Self> {
        let mut classes = Vec::new();
        if format == Format::Mat73 {
            for index in 0..backend.entries().len() {
                let attributes = backend.attributes(Some(index))?;
                let empty = attributes.iter().any(|(name, _)| name == "MATLAB_empty");
                let class = attributes.iter().find(|(name, _)| name == "MATLAB_class");
                let class = class.and_then(|(_, value)| value.text()).map(str::to_owned);
                classes.push(if empty { Some("empty".to_owned()) } else { class });
            }
        }
        Ok(Self { backend, format, path: path.to_path_buf(), classes })
    }

    /// The datasets as the format's own programs show them. The places of the list are those that
    /// [`source`](Self::source) takes.
    pub(crate) fn arrays(&self) -> Vec<StoredArray> {
        let entries = self.backend.entries().iter().enumerate();
        entries.map(|(index, entry)| self.describe(index, entry)).collect()
    }

    fn describe(&self, index: usize, entry: &Entry) -> StoredArray {
        let number = match entry.kind {
            Type::Number { dtype, .. } => Some(dtype),
            _ => None,
        };
        let mut shape: Vec<usize> = entry.dims.iter().map(|&dim| dim as usize).collect();
        if self.format != Format::Mat73 {
            let (name, kind) = (entry.path.clone(), entry.kind.name().to_owned());
            return StoredArray { name, kind, shape, dtype: number };
        }
        shape.reverse();
        let class = self.classes.get(index).and_then(Option::as_deref);
        // Contents of cells, and what MATLAB keeps for itself, are no arrays of the user's.
        let hidden = entry.path.starts_with('#');
        let dtype = match class {
            Some("logical") => Some(SampleType::Bool),
            Some("char" | "cell" | "empty" | "function_handle") => None,
            _ => number,
        };
        StoredArray {
            name: entry.path.replace('/', "."),
            kind: class.unwrap_or(entry.kind.name()).to_owned(),
            shape,
            dtype: dtype.filter(|_| !hidden),
        }
    }

    /// Opens a dataset of numbers, which may unpack to as much as the options allow.
    pub(crate) fn source(
        &self,
        index: usize,
        options: &OpenOptions,
    ) -> Result<(Box<dyn ArraySource>, Compression)> {
        let dataset = self.backend.dataset(index)?;
        if !dataset.is_plain() {
            let count = dataset.dims().iter().fold(1_u64, |n, &dim| n.saturating_mul(dim));
            let bytes = count.saturating_mul(dataset.dtype().size() as u64);
            options.check_unpacked(&self.path, bytes, self.backend.len())?;
        }
        let compression = dataset.compression();
        let source = dataset.into_source();
        let class = self.classes.get(index).and_then(Option::as_deref);
        if class == Some("logical") && source.dtype() == SampleType::U8 {
            return Ok((Box::new(Logical(source)), compression));
        }
        Ok((source, compression))
    }

    /// Attributes of a dataset and of the file, and small datasets, whose names belong to the
    /// metadata of cubes.
    pub(crate) fn values(&self, index: usize) -> Result<Vec<(String, Value)>> {
        let mut values = self.backend.attributes(Some(index))?;
        values.extend(self.backend.attributes(None)?);
        for (other, entry) in self.backend.entries().iter().enumerate() {
            let count = entry.dims.iter().fold(1_u64, |n, &dim| n.saturating_mul(dim));
            if other == index || count > MAX_SMALL || !is_known(&entry.path) {
                continue;
            }
            let Type::Number { dtype, big_endian } = entry.kind else { continue };
            let source = self.backend.dataset(other)?;
            let mut bytes = vec![0; count as usize * dtype.size()];
            source.read(&vec![0; entry.dims.len()], &entry.dims, &mut bytes)?;
            let numbers = numbers(dtype, big_endian, &bytes);
            let class = self.classes.get(other).and_then(Option::as_deref);
            let value = if class == Some("char") {
                let units: Vec<u16> = numbers.iter().map(|&v| v as u16).collect();
                Value::Text(vec![String::from_utf16_lossy(&units)])
            } else {
                Value::Numbers(numbers)
            };
            values.push((entry.path.clone(), value));
            // An axis' own unit.
            let unit = self.backend.attributes(Some(other))?;
            let unit = unit.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("units"));
            values.extend(unit.map(|(_, value)| (format!("{}_units", entry.path), value)));
        }
        Ok(values)
    }
}

/// Bytes that are truth values.
#[derive(Debug)]
struct Logical(Box<dyn ArraySource>);

impl ArraySource for Logical {
    fn dtype(&self) -> SampleType {
        SampleType::Bool
    }

    fn big_endian(&self) -> bool {
        false
    }

    fn dims(&self) -> &[u64] {
        self.0.dims()
    }

    fn chunk(&self) -> Option<&[u64]> {
        self.0.chunk()
    }

    fn read(&self, start: &[u64], count: &[u64], out: &mut [u8]) -> Result<()> {
        self.0.read(start, count, out)
    }
}

/// A file that is read in Rust alone.
#[derive(Debug)]
pub(super) struct NativeFile {
    native: Native,
    entries: Vec<Entry>,
    found: Vec<Found>,
    path: PathBuf,
    format: Format,
}

impl NativeFile {
    pub(super) fn open(path: &Path, format: Format) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path))?;
        let bytes = FileBytes::file(file).map_err(Error::io(path))?;
        let native = Native::open(bytes).at(path, format)?;
        let entry = |found: &Found| Entry {
            path: found.path.clone(),
            kind: found.kind.clone(),
            dims: found.dims.clone(),
        };
        let entries = native.datasets().iter().map(entry).collect();
        let found = native.datasets().to_vec();
        Ok(Self { native, entries, found, path: path.to_path_buf(), format })
    }
}

impl Backend for NativeFile {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn attributes(&self, of: Option<usize>) -> Result<Vec<(String, Value)>> {
        let of = of.and_then(|index| self.found.get(index));
        self.native.attributes(of).at(&self.path, self.format)
    }

    fn dataset(&self, index: usize) -> Result<Box<dyn Stored>> {
        let open = || {
            let found = self.found.get(index).ok_or("a dataset that is not there")?;
            self.native.dataset(found)
        };
        let dataset = open().at(&self.path, self.format)?;
        let Type::Number { dtype, big_endian } = dataset.kind else {
            let descr = dataset.kind.name().to_owned();
            return Err(Error::UnsupportedDtype { path: self.path.clone(), descr });
        };
        let (path, format) = (self.path.clone(), self.format);
        Ok(Box::new(NativeDataset { dataset, dtype, big_endian, path, format }))
    }

    fn len(&self) -> u64 {
        self.native.len()
    }
}

#[derive(Debug)]
struct NativeDataset {
    dataset: Dataset,
    dtype: SampleType,
    big_endian: bool,
    path: PathBuf,
    format: Format,
}

impl ArraySource for NativeDataset {
    fn dtype(&self) -> SampleType {
        self.dtype
    }

    fn big_endian(&self) -> bool {
        self.big_endian
    }

    fn dims(&self) -> &[u64] {
        &self.dataset.dims
    }

    fn chunk(&self) -> Option<&[u64]> {
        self.dataset.chunk()
    }

    fn read(&self, start: &[u64], count: &[u64], out: &mut [u8]) -> Result<()> {
        self.dataset.read(start, count, out).at(&self.path, self.format)
    }
}

impl Stored for NativeDataset {
    fn is_plain(&self) -> bool {
        self.dataset.is_plain()
    }

    fn compression(&self) -> Compression {
        let filters = self.dataset.filters();
        let shuffled = filters.iter().any(|filter| matches!(filter, Filter::Shuffle { .. }));
        let level = filters.iter().find_map(|filter| match filter {
            Filter::Deflate { level } => Some((*level).clamp(1, 9)),
            // What is not written is replaced by what is.
            Filter::Lzf => Some(1),
            _ => None,
        });
        level.map_or(Compression::None, |level| Compression::Deflate { level, filter: shuffled })
    }

    fn into_source(self: Box<Self>) -> Box<dyn ArraySource> {
        self
    }
}
