//! What a MATLAB 5 file holds: every array with its class, shape and place, no samples.

use super::class::{
    MI_COMPRESSED, MI_INT8, MI_INT32, MI_MATRIX, MI_UINT8, MI_UINT16, MI_UINT32, MI_UTF8, MI_UTF16,
    MatClass, stored_type,
};
use super::stream::{Stream, word};
use crate::fault::{Parsed, bad, unsupported};
use crate::meta::SampleType;
use crate::sample::ByteOrder;

/// Bytes before the first element.
pub(super) const HEADER: usize = 128;
/// Structs and cells deeper than this are not looked into.
const MAX_DEPTH: usize = 16;
/// Arrays that are listed at most, those inside structs and cells included.
const MAX_ARRAYS: usize = 10_000;
/// Axes of an array at most.
const MAX_RANK: u64 = 32;
/// Bytes of a name at most; MATLAB's own limit is 63.
const MAX_NAME: u64 = 256;
/// Bytes of the names of a struct's fields together at most.
const MAX_NAMES: u64 = 1 << 20;

/// An array of a MATLAB 5 file.
#[derive(Clone, Debug)]
pub(super) struct Array {
    /// Name; that of a struct's field is `struct.field`, that of a cell's element `cell{1}`.
    pub(super) name: String,
    pub(super) class: MatClass,
    pub(super) complex: bool,
    pub(super) shape: Vec<usize>,
    /// Where the real part lies, for numbers and text.
    pub(super) data: Option<Data>,
}

/// Samples of an array.
#[derive(Clone, Debug)]
pub(super) struct Data {
    /// The compressed element that holds them, as a range of the file.
    compressed: Option<(usize, usize)>,
    /// Position of the first byte in the file or in the inflated element.
    start: u64,
    /// Bytes.
    pub(super) size: u64,
    /// Number of the data type.
    pub(super) kind: u32,
}

impl Array {
    /// The type in which numbers are stored, which may be narrower than the class.
    pub(super) fn stored(&self) -> Option<SampleType> {
        let stored = stored_type(self.data.as_ref()?.kind)?;
        match self.class.dtype()? {
            SampleType::Bool => Some(SampleType::Bool),
            _ => Some(stored),
        }
    }
}

/// The arrays of a file.
#[derive(Clone, Debug)]
pub(super) struct Contents {
    pub(super) order: ByteOrder,
    pub(super) arrays: Vec<Array>,
}

impl Contents {
    /// Lists the arrays of a whole file.
    pub(super) fn parse(file: &[u8]) -> Parsed<Self> {
        let order = read_header(file)?;
        let mut contents = Self { order, arrays: Vec::new() };
        let mut stream = Stream::plain(file, HEADER as u64, order);
        while stream.left() >= 8 {
            let tag = stream.tag(file.len() as u64)?;
            match tag.kind {
                MI_MATRIX => contents.array(&mut stream, tag.start + tag.size, None, "", 0)?,
                MI_COMPRESSED => {
                    let place = (tag.start as usize, (tag.start + tag.size) as usize);
                    let bytes = file.get(place.0..place.1).unwrap_or_default();
                    let mut inner = Stream::inflated(bytes, order);
                    let limit = inner.left();
                    let tag = inner.tag(limit)?;
                    if tag.kind != MI_MATRIX {
                        return bad!("a compressed element of type {}", tag.kind);
                    }
                    contents.array(&mut inner, tag.start + tag.size, Some(place), "", 0)?;
                }
                // Elements of other types carry no array.
                1..=18 => {}
                kind => return bad!("an element of the unknown type {kind}"),
            }
            // Compressed elements are not padded.
            let next = if tag.kind == MI_COMPRESSED { tag.start + tag.size } else { tag.next };
            stream.seek(next)?;
        }
        Ok(contents)
    }

    /// Reads one array whose tag has been read and that ends at `end`.
    fn array(
        &mut self,
        stream: &mut Stream<'_>,
        end: u64,
        compressed: Option<(usize, usize)>,
        outer: &str,
        depth: usize,
    ) -> Parsed<()> {
        if self.arrays.len() >= MAX_ARRAYS {
            return bad!("more than {MAX_ARRAYS} arrays");
        }
        let index = self.arrays.len();
        if stream.at() == end {
            // MATLAB writes an empty field as an element without content.
            self.push(outer.to_owned(), MatClass::Double, false, vec![0, 0]);
            return Ok(());
        }
        let (kind, flags) = stream.element(end, 8)?;
        let flags: [u8; 8] = flags.try_into().map_err(|_| "bad array flags")?;
        let flags = word([flags[0], flags[1], flags[2], flags[3]], stream.order());
        let class = MatClass::from_code(flags & 0xff).filter(|_| kind == MI_UINT32);
        let class =
            class.ok_or_else(|| format!("an array of the unknown class {}", flags & 0xff))?;
        let complex = flags & 0x0800 != 0;
        let class = match class {
            MatClass::Uint8 if flags & 0x0200 != 0 => MatClass::Logical,
            class => class,
        };
        if class == MatClass::Opaque {
            let (_, name) = stream.element(end, MAX_NAME)?;
            let name = if outer.is_empty() { text(&name) } else { outer.to_owned() };
            self.push(name, class, false, Vec::new());
            return Ok(());
        }
        let (kind, sizes) = stream.element(end, MAX_RANK * 4)?;
        if kind != MI_INT32 || sizes.is_empty() || sizes.len() % 4 != 0 {
            return bad!("bad array dimensions");
        }
        let order = stream.order();
        let shape: Parsed<Vec<usize>> = sizes
            .chunks_exact(4)
            .map(|raw| match word([raw[0], raw[1], raw[2], raw[3]], order) {
                size if size >> 31 == 0 => Ok(size as usize),
                size => bad!("a dimension of {}", size as i32),
            })
            .collect();
        let shape = shape?;
        // Zero axes must not hide an overflow of the others.
        let count = shape.iter().try_fold(1_u64, |n, &axis| n.checked_mul(axis.max(1) as u64));
        let count = count.filter(|n| n.checked_mul(8).is_some_and(|b| isize::try_from(b).is_ok()));
        let count = count.ok_or_else(|| format!("the shape {shape:?} is impossibly large"))?;
        let count = if shape.contains(&0) { 0 } else { count };
        let (kind, name) = stream.element(end, MAX_NAME)?;
        if !matches!(kind, MI_INT8 | MI_UINT8 | MI_UTF8) {
            return bad!("an array's name of type {kind}");
        }
        let name = if outer.is_empty() { text(&name) } else { outer.to_owned() };
        self.push(name, class, complex, shape);
        match class {
            MatClass::Struct | MatClass::Object if depth < MAX_DEPTH => {
                if class == MatClass::Object {
                    stream.element(end, MAX_NAME)?;
                }
                self.fields(stream, end, compressed, index, count, depth)?;
            }
            MatClass::Cell if depth < MAX_DEPTH => {
                for place in 0..count {
                    let name = format!("{}{{{}}}", self.name(index), place + 1);
                    self.nested(stream, end, compressed, &name, depth)?;
                }
            }
            MatClass::Char | MatClass::Logical => {
                self.arrays[index].data = samples(stream, end, compressed, class, count)?;
            }
            class if class.dtype().is_some() => {
                self.arrays[index].data = samples(stream, end, compressed, class, count)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn push(&mut self, name: String, class: MatClass, complex: bool, shape: Vec<usize>) {
        self.arrays.push(Array { name, class, complex, shape, data: None });
    }

    fn name(&self, index: usize) -> &str {
        self.arrays.get(index).map_or("", |array| &array.name)
    }

    fn fields(
        &mut self,
        stream: &mut Stream<'_>,
        end: u64,
        compressed: Option<(usize, usize)>,
        index: usize,
        count: u64,
        depth: usize,
    ) -> Parsed<()> {
        let (kind, length) = stream.element(end, 4)?;
        let length: [u8; 4] = length.try_into().map_err(|_| "bad length of field names")?;
        let length = word(length, stream.order()) as usize;
        if kind != MI_INT32 || length == 0 || length as u64 > MAX_NAME {
            return bad!("field names of {length} bytes");
        }
        let (_, names) = stream.element(end, MAX_NAMES)?;
        let names: Vec<String> = names.chunks_exact(length).map(text).collect();
        // A struct without fields has nothing to walk through, whatever its shape says.
        let count = if names.is_empty() { 0 } else { count };
        for element in 0..count {
            for field in &names {
                let outer = self.name(index);
                let name = if count == 1 {
                    format!("{outer}.{field}")
                } else {
                    format!("{outer}({}).{field}", element + 1)
                };
                self.nested(stream, end, compressed, &name, depth)?;
            }
        }
        Ok(())
    }

    fn nested(
        &mut self,
        stream: &mut Stream<'_>,
        end: u64,
        compressed: Option<(usize, usize)>,
        name: &str,
        depth: usize,
    ) -> Parsed<()> {
        let tag = stream.tag(end)?;
        if tag.kind != MI_MATRIX {
            return bad!("`{name}` is an element of type {}", tag.kind);
        }
        self.array(stream, tag.start + tag.size, compressed, name, depth + 1)?;
        stream.seek(tag.next)
    }
}

/// The tag of an array's samples, checked against its shape.
fn samples(
    stream: &mut Stream<'_>,
    end: u64,
    compressed: Option<(usize, usize)>,
    class: MatClass,
    count: u64,
) -> Parsed<Option<Data>> {
    if stream.at() == end && count == 0 {
        return Ok(None);
    }
    let tag = stream.tag(end)?;
    let expected = match (class, tag.kind) {
        (MatClass::Char, MI_UTF8 | MI_UTF16 | MI_INT8 | MI_UINT8 | MI_UINT16) => None,
        (MatClass::Char, kind) => return bad!("text of type {kind}"),
        (_, kind) => {
            let stored = stored_type(kind).ok_or_else(|| format!("numbers of type {kind}"))?;
            Some(count * stored.size() as u64)
        }
    };
    if let Some(expected) = expected.filter(|&expected| expected != tag.size) {
        return bad!("the shape asks for {expected} bytes, there are {}", tag.size);
    }
    Ok(Some(Data { compressed, start: tag.start, size: tag.size, kind: tag.kind }))
}

impl Data {
    /// A stream that stands at the first sample.
    pub(super) fn stream<'a>(&self, file: &'a [u8], order: ByteOrder) -> Parsed<Stream<'a>> {
        let Some((start, end)) = self.compressed else {
            return Ok(Stream::plain(file, self.start, order));
        };
        let mut stream = Stream::inflated(file.get(start..end).unwrap_or_default(), order);
        stream.skip(self.start)?;
        Ok(stream)
    }

    /// The samples as they lie in the file, if they are not compressed.
    pub(super) fn plain(&self) -> Option<std::ops::Range<usize>> {
        let start = self.start as usize;
        self.compressed.is_none().then_some(start..start + self.size as usize)
    }
}

/// Checks the header and returns the byte order.
fn read_header(file: &[u8]) -> Parsed<ByteOrder> {
    let header = file.get(..HEADER).ok_or("the file ends within the header")?;
    match super::version(header) {
        Some(super::Version::V5(order)) => Ok(order),
        Some(super::Version::V4) => unsupported!("version 4"),
        Some(super::Version::V73) => bad!("a file of version 7.3 without its HDF5 part"),
        None => bad!("the header is not that of a MATLAB file"),
    }
}

/// Text up to the first zero.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
