//! Arrays of an open MATLAB 5 file.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use super::class::{MI_UINT16, MI_UTF8, MI_UTF16, MatClass};
use super::contents::{Array, Contents, Data};
use crate::arrays::{ArraySource, FileBytes, StoredArray, Value, is_known, numbers, read_run};
use crate::error::{Error, Result};
use crate::fault::{AtPath, Parsed};
use crate::io::OpenOptions;
use crate::meta::{Format, SampleType};
use crate::sample::ByteOrder;

/// Bytes of text, or of a list in the metadata, at most.
const MAX_SMALL: u64 = 1 << 20;
/// Bytes that are unpacked in memory; more go to a temporary file.
const IN_MEMORY: u64 = 64 << 20;

/// A MATLAB 5 file whose arrays have been listed.
#[derive(Debug)]
pub(crate) struct MatFile {
    map: Mmap,
    file: FileBytes,
    contents: Contents,
    path: PathBuf,
}

impl MatFile {
    /// Opens a file and lists its arrays; their samples are not touched.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path))?;
        if !file.metadata().map_err(Error::io(path))?.is_file() {
            return Err(Error::WrongKind { path: path.to_path_buf(), expected: "file" });
        }
        // SAFETY: the map is read-only and every access to it is checked against its length; that
        // nobody shortens the file meanwhile is the documented condition of every memory map.
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io(path))?;
        let file = FileBytes::file(file).map_err(Error::io(path))?;
        let contents = Contents::parse(&map).at(path, Format::Mat5)?;
        Ok(Self { map, file, contents, path: path.to_path_buf() })
    }

    /// The arrays, in the order of the file; fields follow their struct.
    pub(crate) fn arrays(&self) -> Vec<StoredArray> {
        self.contents.arrays.iter().map(describe).collect()
    }

    pub(crate) fn order(&self) -> ByteOrder {
        self.contents.order
    }

    /// Whether an array is compressed.
    pub(crate) fn is_packed(&self, index: usize) -> bool {
        self.data(index).is_some_and(|data| data.plain().is_none())
    }

    fn data(&self, index: usize) -> Option<&Data> {
        self.contents.arrays.get(index)?.data.as_ref()
    }

    /// An array of numbers for reading; a compressed one is unpacked.
    pub(crate) fn source(
        &self,
        index: usize,
        options: &OpenOptions,
    ) -> Result<Box<dyn ArraySource>> {
        let array = self.contents.arrays.get(index);
        let found = array.and_then(|array| Some((array, array.stored()?, array.data.as_ref()?)));
        let Some((array, dtype, data)) = found else {
            let descr = array.map_or_else(String::new, |array| array.class.to_string());
            return Err(Error::UnsupportedDtype { path: self.path.clone(), descr });
        };
        let (bytes, first) = if let Some(range) = data.plain() {
            (self.file.clone(), range.start as u64)
        } else {
            options.check_unpacked(&self.path, data.size, self.map.len() as u64)?;
            (self.unpack(data)?, 0)
        };
        Ok(Box::new(MatSource {
            bytes,
            first,
            dims: array.shape.iter().rev().map(|&size| size as u64).collect(),
            dtype,
            big_endian: self.contents.order == ByteOrder::Big,
            path: self.path.clone(),
        }))
    }

    /// Unpacks samples, to memory or to a temporary file.
    fn unpack(&self, data: &Data) -> Result<FileBytes> {
        if data.size <= IN_MEMORY {
            return self.small(data, IN_MEMORY).map(FileBytes::memory);
        }
        let mut stream =
            data.stream(&self.map, self.contents.order).at(&self.path, Format::Mat5)?;
        let mut file = tempfile::tempfile().map_err(Error::io(&self.path))?;
        let mut left = data.size;
        let mut buffer = vec![0; 1 << 20];
        while left > 0 {
            let part = left.min(buffer.len() as u64) as usize;
            stream.exact(&mut buffer[..part]).at(&self.path, Format::Mat5)?;
            file.write_all(&buffer[..part]).map_err(Error::io(&self.path))?;
            left -= part as u64;
        }
        file.seek(SeekFrom::Start(0)).map_err(Error::io(&self.path))?;
        FileBytes::file(file).map_err(Error::io(&self.path))
    }

    /// The stored bytes of an array, at most `limit` of them.
    fn small(&self, data: &Data, limit: u64) -> Result<Vec<u8>> {
        if data.size > limit {
            let path = self.path.clone();
            return Err(Error::Limit { path, bytes: data.size, limit });
        }
        let read = || -> Parsed<Vec<u8>> {
            let mut stream = data.stream(&self.map, self.contents.order)?;
            // In pieces, so that nothing is allocated for bytes that do not come.
            let mut bytes = Vec::new();
            while (bytes.len() as u64) < data.size {
                let done = bytes.len();
                let part = (data.size - done as u64).min(1 << 16) as usize;
                bytes.resize(done + part, 0);
                stream.exact(&mut bytes[done..])?;
            }
            Ok(bytes)
        };
        read().at(&self.path, Format::Mat5)
    }

    /// Numbers and texts whose names belong to the metadata of cubes.
    pub(crate) fn values(&self) -> Result<Vec<(String, Value)>> {
        let mut values = Vec::new();
        for array in self.contents.arrays.iter().filter(|array| is_known(&array.name)) {
            let Some(data) = array.data.as_ref().filter(|data| data.size <= MAX_SMALL) else {
                continue;
            };
            let bytes = self.small(data, MAX_SMALL)?;
            let value = if array.class == MatClass::Char {
                Value::Text(vec![text(&bytes, data.kind, self.contents.order)])
            } else {
                let Some(dtype) = array.stored().filter(|_| !array.complex) else { continue };
                Value::Numbers(numbers(dtype, self.contents.order == ByteOrder::Big, &bytes))
            };
            values.push((array.name.clone(), value));
        }
        Ok(values)
    }
}

/// Text of one row; what is no text is replaced.
fn text(bytes: &[u8], kind: u32, order: ByteOrder) -> String {
    if !matches!(kind, MI_UTF16 | MI_UINT16) {
        debug_assert!(kind <= MI_UTF8);
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let unit = |&raw: &[u8; 2]| match order {
        ByteOrder::Little => u16::from_le_bytes(raw),
        ByteOrder::Big => u16::from_be_bytes(raw),
    };
    let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(unit).collect();
    String::from_utf16_lossy(&units)
}

fn describe(array: &Array) -> StoredArray {
    let mut kind = array.class.name().to_owned();
    if array.complex {
        kind.insert_str(0, "complex ");
    }
    let dtype = array.stored().filter(|_| !array.complex);
    StoredArray { name: array.name.clone(), kind, shape: array.shape.clone(), dtype }
}

/// Samples in one run, column-major, so that the axes in C order are reversed.
#[derive(Debug)]
struct MatSource {
    bytes: FileBytes,
    first: u64,
    dims: Vec<u64>,
    dtype: SampleType,
    big_endian: bool,
    path: PathBuf,
}

impl ArraySource for MatSource {
    fn dtype(&self) -> SampleType {
        self.dtype
    }

    fn big_endian(&self) -> bool {
        self.big_endian
    }

    fn dims(&self) -> &[u64] {
        &self.dims
    }

    fn read(&self, start: &[u64], count: &[u64], out: &mut [u8]) -> Result<()> {
        let array = (self.dims.as_slice(), self.dtype.size());
        let read = read_run(&self.bytes, self.first, array, (start, count), out);
        read.at(&self.path, Format::Mat5)
    }
}
