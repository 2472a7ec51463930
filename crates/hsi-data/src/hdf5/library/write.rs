//! Datasets and attributes as the C library writes them.

use std::path::{Path, PathBuf};

use hdf5::filters::Filter;
use hdf5::types::{FixedAscii, FloatSize, IntSize, TypeDescriptor, VarLenUnicode};
use hdf5::{Dataset, H5Type, Hyperslab, Location, SliceOrIndex};
use ndarray::{ArrayView1, ArrayViewD, IxDyn};

use super::super::native::Attribute;
use super::super::writer::user_block;
use super::super::{Sink, Small, Spec};
use super::failed;
use crate::atomic::PartialFile;
use crate::error::{Error, Result};
use crate::meta::{Compression, Format, SampleType};
use crate::samples::{Element, with_dtype};

/// Bytes before the HDF5 part of MATLAB's files.
const USER_BLOCK: u64 = 512;
/// Bytes of a text of fixed length at most.
const MAX_FIXED: usize = 256;

/// A file that is written by the library.
#[derive(Debug)]
pub(in super::super) struct LibrarySink {
    file: hdf5::File,
    dataset: Dataset,
    spec: Spec,
    /// The name that the file has until it is complete.
    temporary: PathBuf,
    path: PathBuf,
    format: Format,
}

impl LibrarySink {
    pub(in super::super) fn create(partial: &mut PartialFile, spec: Spec) -> Result<Self> {
        let format = if spec.matlab { Format::Mat73 } else { Format::Hdf5 };
        let (path, temporary) = (partial.path().to_path_buf(), partial.temporary().to_path_buf());
        if spec.big_endian && spec.dtype.size() > 1 {
            let feature = "writing big-endian samples through the C library".to_owned();
            return Err(Error::Unsupported { path, format, feature });
        }
        let fail = failed(&path, format);
        let block = if spec.matlab { USER_BLOCK } else { 0 };
        let mut options = hdf5::File::with_options();
        options.with_fcpl(|list| list.userblock(block));
        let file = options.create(&temporary).map_err(&fail)?;
        let dims: Vec<usize> = spec.dims.iter().map(|&dim| dim as usize).collect();
        // MATLAB's truth values are plain bytes.
        let kind = match spec.dtype {
            SampleType::Bool if spec.matlab => descriptor(SampleType::U8),
            dtype => descriptor(dtype),
        };
        let mut builder = file.new_dataset_builder().empty_as(&kind).shape(dims);
        if let Some(chunk) = &spec.chunk {
            let chunk: Vec<usize> = chunk.iter().map(|&n| n as usize).collect();
            builder = builder.chunk(chunk);
            if let Compression::Deflate { level, filter } = spec.compression {
                let mut filters = vec![Filter::Deflate(level)];
                if filter && spec.dtype.size() > 1 {
                    filters.insert(0, Filter::Shuffle);
                }
                builder = builder.set_filters(&filters);
            }
        }
        if let Some(fill) = spec.fill.as_ref().filter(|_| spec.dtype != SampleType::Bool) {
            builder = with_dtype!(spec.dtype, T => {
                let mut value = [T::default()];
                T::decode(fill, spec.dtype.size(), false, &mut value);
                builder.fill_value(value[0])
            });
        }
        let dataset = builder.create(spec.name.as_str()).map_err(fail)?;
        Ok(Self { file, dataset, spec, temporary, path, format })
    }
}

impl Sink for LibrarySink {
    fn write(&mut self, start: &[u64], count: &[u64], bytes: &[u8]) -> Result<()> {
        let slab: Vec<SliceOrIndex> = start
            .iter()
            .zip(count)
            .map(|(&start, &count)| SliceOrIndex::SliceCount {
                start: start as usize,
                step: 1,
                count: count as usize,
                block: 1,
            })
            .collect();
        let shape: Vec<usize> = count.iter().map(|&n| n as usize).collect();
        let dtype = match self.spec.dtype {
            SampleType::Bool if self.spec.matlab => SampleType::U8,
            dtype => dtype,
        };
        let written = with_dtype!(dtype, T => {
            let samples = decoded::<T>(bytes);
            let view = ArrayViewD::from_shape(IxDyn(&shape), &samples);
            let view = view.map_err(|error| hdf5::Error::from(error.to_string()));
            view.and_then(|view| self.dataset.write_slice(view, Hyperslab::from(slab)))
        });
        written.map_err(failed(&self.path, self.format))
    }

    fn finish(
        self: Box<Self>,
        attributes: Vec<(String, Attribute)>,
        small: Vec<Small>,
    ) -> Result<()> {
        let Self { file, dataset, temporary, path, format, spec } = *self;
        let fail = failed(&path, format);
        for (name, value) in &attributes {
            attach(&dataset, name, value).map_err(&fail)?;
        }
        drop(dataset);
        for small in &small {
            write_small(&file, small).map_err(&fail)?;
        }
        file.flush().map_err(&fail)?;
        file.close().map_err(&fail)?;
        if spec.matlab {
            write_block(&temporary).map_err(Error::io(&path))?;
        }
        Ok(())
    }
}

/// The library leaves the user block to its user.
fn write_block(path: &Path) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new().write(true).open(path)?;
    file.write_all(&user_block())
}

fn write_small(file: &hdf5::File, small: &Small) -> hdf5::Result<()> {
    let shape: Vec<usize> = small.dims.iter().map(|&n| n as usize).collect();
    let builder = file.new_dataset_builder().empty_as(descriptor(small.dtype)).shape(shape);
    let dataset = builder.create(small.name.as_str())?;
    with_dtype!(small.dtype, T => {
        let values = decoded::<T>(&small.bytes);
        dataset.write_raw(ArrayView1::from(values.as_slice()))
    })?;
    small.attributes.iter().try_for_each(|(name, value)| attach(&dataset, name, value))
}

/// Writes an attribute.
fn attach(to: &Location, name: &str, value: &Attribute) -> hdf5::Result<()> {
    let builder = to.new_attr_builder();
    match value {
        Attribute::Numbers { dtype, list, bytes } => {
            let empty = builder.empty_as(descriptor(*dtype));
            with_dtype!(*dtype, T => {
                let values = decoded::<T>(bytes);
                let shaped = if *list { empty.shape([values.len()]) } else { empty.shape(()) };
                shaped.create(name)?.write_raw(ArrayView1::from(values.as_slice()))
            })
        }
        Attribute::Fixed(text) => {
            let kind = TypeDescriptor::FixedAscii(text.len().max(1));
            let value = FixedAscii::<MAX_FIXED>::from_ascii(text)
                .map_err(|error| hdf5::Error::from(error.to_string()))?;
            builder.empty_as(&kind).create(name)?.write_scalar(&value)
        }
        Attribute::Text { list, texts } => {
            let parse = |text: &String| text.replace('\0', " ").parse::<VarLenUnicode>();
            let texts: std::result::Result<Vec<_>, _> = texts.iter().map(parse).collect();
            let texts = texts.map_err(|error| hdf5::Error::from(error.to_string()))?;
            let empty = builder.empty::<VarLenUnicode>();
            let shaped = if *list { empty.shape([texts.len()]) } else { empty.shape(()) };
            shaped.create(name)?.write_raw(ArrayView1::from(texts.as_slice()))
        }
    }
}

fn decoded<T: Element + H5Type>(bytes: &[u8]) -> Vec<T> {
    let mut samples = vec![T::default(); bytes.len() / size_of::<T>().max(1)];
    T::decode(bytes, size_of::<T>(), false, &mut samples);
    samples
}

fn descriptor(dtype: SampleType) -> TypeDescriptor {
    match dtype {
        SampleType::Bool => TypeDescriptor::Boolean,
        SampleType::U8 => TypeDescriptor::Unsigned(IntSize::U1),
        SampleType::U16 => TypeDescriptor::Unsigned(IntSize::U2),
        SampleType::U32 => TypeDescriptor::Unsigned(IntSize::U4),
        SampleType::U64 => TypeDescriptor::Unsigned(IntSize::U8),
        SampleType::I8 => TypeDescriptor::Integer(IntSize::U1),
        SampleType::I16 => TypeDescriptor::Integer(IntSize::U2),
        SampleType::I32 => TypeDescriptor::Integer(IntSize::U4),
        SampleType::I64 => TypeDescriptor::Integer(IntSize::U8),
        SampleType::F16 => TypeDescriptor::Float(FloatSize::U2),
        SampleType::F32 => TypeDescriptor::Float(FloatSize::U4),
        SampleType::F64 => TypeDescriptor::Float(FloatSize::U8),
    }
}
