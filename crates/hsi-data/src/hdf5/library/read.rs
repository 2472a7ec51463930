//! Datasets and attributes as the C library reads them.

use std::path::{Path, PathBuf};

use hdf5::datatype::ByteOrder;
use hdf5::types::{FixedAscii, FixedUnicode, FloatSize, IntSize, TypeDescriptor};
use hdf5::types::{VarLenAscii, VarLenUnicode};
use hdf5::{Attribute, Dataset, Group, H5Type, Hyperslab, LinkType, LocationType};
use hdf5::{LocationToken, SliceOrIndex, filters::Filter};
use ndarray::IxDyn;

use super::super::native::Type;
use super::super::{Backend, Entry, Stored};
use super::failed;
use crate::arrays::{ArraySource, Value, check_box};
use crate::error::{Error, Result};
use crate::fault::AtPath;
use crate::meta::{Compression, Format, SampleType};
use crate::samples::{Element, with_dtype};

/// Groups in groups at most.
const MAX_DEPTH: usize = 32;
/// Datasets at most.
const MAX_DATASETS: usize = 10_000;
/// Texts of a fixed length up to this many bytes are read.
const MAX_FIXED: usize = 1 << 16;

/// A file that is open in the library.
#[derive(Debug)]
pub(in super::super) struct Library {
    file: hdf5::File,
    entries: Vec<Entry>,
    datasets: Vec<Dataset>,
    path: PathBuf,
    format: Format,
    len: u64,
}

impl Library {
    pub(in super::super) fn open(path: &Path, format: Format) -> Result<Self> {
        let fail = failed(path, format);
        let len = std::fs::metadata(path).map_err(Error::io(path))?.len();
        let file = hdf5::File::open(path).map_err(&fail)?;
        let mut found = Vec::new();
        let mut walk = Walk { found: &mut found, visited: Vec::new() };
        walk.group(&file, "", 0).map_err(&fail)?;
        found.sort_by(|a: &(String, Dataset), b| a.0.cmp(&b.0));
        let entry = |(path, dataset): &(String, Dataset)| {
            let dims = dataset.shape().iter().map(|&dim| dim as u64).collect();
            Entry { path: path.clone(), kind: kind(dataset), dims }
        };
        let entries = found.iter().map(entry).collect();
        let datasets = found.into_iter().map(|(_, dataset)| dataset).collect();
        Ok(Self { file, entries, datasets, path: path.to_path_buf(), format, len })
    }
}

/// Collects the datasets below a group; each group is visited once.
struct Walk<'a> {
    found: &'a mut Vec<(String, Dataset)>,
    visited: Vec<LocationToken>,
}

impl Walk<'_> {
    fn group(&mut self, group: &Group, outer: &str, depth: usize) -> hdf5::Result<()> {
        let token = group.loc_info()?.token;
        if depth > MAX_DEPTH || self.visited.contains(&token) {
            return Ok(());
        }
        self.visited.push(token);
        let mut names = Vec::new();
        group.iter_visit_default(|name, link| {
            if link.link_type != LinkType::External {
                names.push(name.to_owned());
            }
            Ok(())
        })?;
        for name in names {
            let path = if outer.is_empty() { name.clone() } else { format!("{outer}/{name}") };
            // A link that leads nowhere is no array.
            let Ok(kind) = group.loc_type_by_name(&name) else { continue };
            match kind {
                LocationType::Group => self.group(&group.group(&name)?, &path, depth + 1)?,
                LocationType::Dataset if self.found.len() < MAX_DATASETS => {
                    self.found.push((path, group.dataset(&name)?));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The type of a dataset's samples.
fn kind(dataset: &Dataset) -> Type {
    let Ok(stored) = dataset.dtype() else { return Type::Other { name: "unknown", size: 1 } };
    let big_endian = stored.byte_order() == ByteOrder::BigEndian;
    let other = |name| Type::Other { name, size: stored.size().max(1) };
    let number = |dtype| Type::Number { dtype, big_endian };
    match stored.to_descriptor() {
        Ok(TypeDescriptor::Integer(size)) => number(integer(size, true)),
        Ok(TypeDescriptor::Unsigned(size)) => number(integer(size, false)),
        Ok(TypeDescriptor::Float(FloatSize::U2)) => number(SampleType::F16),
        Ok(TypeDescriptor::Float(FloatSize::U4)) => number(SampleType::F32),
        Ok(TypeDescriptor::Float(FloatSize::U8)) => number(SampleType::F64),
        Ok(TypeDescriptor::Boolean) => Type::Number { dtype: SampleType::Bool, big_endian: false },
        Ok(TypeDescriptor::Enum(kind)) => number(integer(kind.size, kind.signed)),
        Ok(TypeDescriptor::Compound(_)) => other("compound"),
        Ok(TypeDescriptor::FixedAscii(size) | TypeDescriptor::FixedUnicode(size)) => {
            Type::Text { size: size.max(1) }
        }
        Ok(TypeDescriptor::VarLenAscii | TypeDescriptor::VarLenUnicode) => {
            Type::AnyText { size: stored.size().max(1) }
        }
        Ok(TypeDescriptor::FixedArray(..)) => other("array"),
        Ok(TypeDescriptor::VarLenArray(_)) => other("list of variable length"),
        Ok(TypeDescriptor::Reference(_)) => other("reference"),
        Err(_) => other("unusual"),
    }
}

fn integer(size: IntSize, signed: bool) -> SampleType {
    match (size, signed) {
        (IntSize::U1, false) => SampleType::U8,
        (IntSize::U1, true) => SampleType::I8,
        (IntSize::U2, false) => SampleType::U16,
        (IntSize::U2, true) => SampleType::I16,
        (IntSize::U4, false) => SampleType::U32,
        (IntSize::U4, true) => SampleType::I32,
        (IntSize::U8, false) => SampleType::U64,
        (IntSize::U8, true) => SampleType::I64,
    }
}

impl Backend for Library {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn attributes(&self, of: Option<usize>) -> Result<Vec<(String, Value)>> {
        let fail = failed(&self.path, self.format);
        let location: &hdf5::Location = match of.and_then(|index| self.datasets.get(index)) {
            Some(dataset) => dataset,
            None => &self.file,
        };
        let mut found = Vec::new();
        for name in location.attr_names().map_err(&fail)? {
            let attribute = location.attr(&name).map_err(&fail)?;
            found.extend(value(&attribute).map_err(&fail)?.map(|value| (name, value)));
        }
        Ok(found)
    }

    fn dataset(&self, index: usize) -> Result<Box<dyn Stored>> {
        let (path, format) = (self.path.clone(), self.format);
        let (Some(entry), Some(dataset)) = (self.entries.get(index), self.datasets.get(index))
        else {
            let reason = "a dataset that is not there".to_owned();
            return Err(Error::Malformed { path, format, reason });
        };
        let Type::Number { dtype, big_endian } = entry.kind else {
            return Err(Error::UnsupportedDtype { path, descr: entry.kind.name().to_owned() });
        };
        let chunk = dataset.chunk().map(|chunk| chunk.iter().map(|&n| n as u64).collect());
        let (dataset, dims) = (dataset.clone(), entry.dims.clone());
        Ok(Box::new(LibraryDataset { dataset, dtype, big_endian, dims, chunk, path, format }))
    }

    fn len(&self) -> u64 {
        self.len
    }
}

/// Numbers or texts of an attribute; `None` for what has no meaning here.
fn value(attribute: &Attribute) -> hdf5::Result<Option<Value>> {
    if attribute.space()?.is_null() {
        return Ok(None);
    }
    let texts = |texts: Vec<String>| {
        let trim = |text: &String| text.trim_end().to_owned();
        Some(Value::Text(texts.iter().map(trim).collect()))
    };
    let Ok(kind) = attribute.dtype()?.to_descriptor() else { return Ok(None) };
    Ok(match kind {
        TypeDescriptor::Integer(_) | TypeDescriptor::Unsigned(_) | TypeDescriptor::Float(_) => {
            Some(Value::Numbers(attribute.read_raw::<f64>()?))
        }
        TypeDescriptor::Boolean => {
            let flags = attribute.read_raw::<bool>()?;
            Some(Value::Numbers(flags.into_iter().map(f64::from).collect()))
        }
        TypeDescriptor::VarLenUnicode => {
            texts(attribute.read_raw::<VarLenUnicode>()?.iter().map(ToString::to_string).collect())
        }
        TypeDescriptor::VarLenAscii => {
            texts(attribute.read_raw::<VarLenAscii>()?.iter().map(ToString::to_string).collect())
        }
        // The library cuts texts or fills them up to the length that is asked for.
        TypeDescriptor::FixedAscii(size) if size <= 256 => {
            texts(fixed(&attribute.read_raw::<FixedAscii<256>>()?))
        }
        TypeDescriptor::FixedAscii(size) if size <= MAX_FIXED => {
            texts(fixed(&attribute.read_raw::<FixedAscii<MAX_FIXED>>()?))
        }
        TypeDescriptor::FixedUnicode(size) if size <= 256 => {
            texts(fixed(&attribute.read_raw::<FixedUnicode<256>>()?))
        }
        TypeDescriptor::FixedUnicode(size) if size <= MAX_FIXED => {
            texts(fixed(&attribute.read_raw::<FixedUnicode<MAX_FIXED>>()?))
        }
        _ => None,
    })
}

fn fixed<T: ToString>(texts: &[T]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

#[derive(Debug)]
struct LibraryDataset {
    dataset: Dataset,
    dtype: SampleType,
    big_endian: bool,
    dims: Vec<u64>,
    chunk: Option<Vec<u64>>,
    path: PathBuf,
    format: Format,
}

impl LibraryDataset {
    fn read_as<T: Element + H5Type>(
        &self,
        start: &[u64],
        count: &[u64],
        out: &mut [u8],
    ) -> Result<()> {
        let fail = failed(&self.path, self.format);
        let axis = |(&start, &count): (&u64, &u64)| {
            let (start, count) = (start as usize, count as usize);
            SliceOrIndex::SliceCount { start, step: 1, count, block: 1 }
        };
        let mut bytes = Vec::new();
        if start.is_empty() {
            let one = self.dataset.read_scalar::<T>().map_err(fail)?;
            T::encode(&[one], self.big_endian, &mut bytes);
        } else {
            let slab: Vec<SliceOrIndex> = start.iter().zip(count).map(axis).collect();
            let array = self.dataset.read_slice::<T, _, IxDyn>(Hyperslab::from(slab));
            let array = array.map_err(fail)?;
            T::encode(array.as_slice().unwrap_or_default(), self.big_endian, &mut bytes);
        }
        if bytes.len() != out.len() {
            let reason = format!("{} bytes were read of {}", bytes.len(), out.len());
            let (path, format) = (self.path.clone(), self.format);
            return Err(Error::Malformed { path, format, reason });
        }
        out.copy_from_slice(&bytes);
        Ok(())
    }
}

impl ArraySource for LibraryDataset {
    fn dtype(&self) -> SampleType {
        self.dtype
    }

    fn big_endian(&self) -> bool {
        self.big_endian
    }

    fn dims(&self) -> &[u64] {
        &self.dims
    }

    fn chunk(&self) -> Option<&[u64]> {
        self.chunk.as_deref()
    }

    fn read(&self, start: &[u64], count: &[u64], out: &mut [u8]) -> Result<()> {
        let size = self.dtype.size();
        check_box(&self.dims, start, count, size, out).at(&self.path, self.format)?;
        if out.is_empty() {
            return Ok(());
        }
        with_dtype!(self.dtype, T => self.read_as::<T>(start, count, out))
    }
}

impl Stored for LibraryDataset {
    fn is_plain(&self) -> bool {
        self.chunk.is_none() && self.dataset.filters().is_empty()
    }

    fn compression(&self) -> Compression {
        let filters = self.dataset.filters();
        let shuffled = filters.contains(&Filter::Shuffle);
        let level = filters.iter().find_map(|filter| match filter {
            Filter::Deflate(level) => Some((*level).clamp(1, 9)),
            Filter::Shuffle | Filter::Fletcher32 => None,
            // What is not written is replaced by what is.
            _ => Some(1),
        });
        level.map_or(Compression::None, |level| Compression::Deflate { level, filter: shuffled })
    }

    fn into_source(self: Box<Self>) -> Box<dyn ArraySource> {
        self
    }
}
