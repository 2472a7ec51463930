//! The header of a `.npy` file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};
use crate::meta::SampleType;
use crate::sample::ByteOrder;

/// The first bytes of every `.npy` file.
pub(crate) const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// Longest header that is read; NumPy's own are a few hundred bytes.
const MAX_HEADER: usize = 1 << 20;

/// What the header of a `.npy` file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NpyInfo {
    /// Size of each axis; any rank.
    pub shape: Vec<usize>,
    /// Type of the samples.
    pub dtype: SampleType,
    /// Whether the first axis varies fastest.
    pub fortran_order: bool,
    /// Byte order of the samples (little for single bytes).
    pub byte_order: ByteOrder,
    /// Bytes before the first sample.
    pub data_offset: u64,
}

impl NpyInfo {
    /// Number of samples; checked when the header was read.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Reads the header of a `.npy` file and checks it against the length of the file.
///
/// # Errors
/// [`Error::Io`], [`Error::NpyHeader`], [`Error::UnsupportedDtype`], [`Error::ShapeOverflow`], or
/// [`Error::FileSize`] if the samples are fewer or more than the header asks for.
pub fn inspect(path: impl AsRef<Path>) -> Result<NpyInfo> {
    open_checked(path.as_ref()).map(|(_, info)| info)
}

/// Opens a file, reads and checks its header; the file stands at the first sample.
pub(crate) fn open_checked(path: &Path) -> Result<(File, NpyInfo)> {
    let mut file = File::open(path).map_err(Error::io(path))?;
    let metadata = file.metadata().map_err(Error::io(path))?;
    if !metadata.is_file() {
        return Err(Error::WrongKind { path: path.to_path_buf(), expected: "file" });
    }
    let info = read_header(&mut file, path)?;
    let overflow = || Error::ShapeOverflow { path: path.to_path_buf(), shape: info.shape.clone() };
    // Zero axes must not hide an overflow of the others.
    let count = info.shape.iter().try_fold(1_usize, |n, &axis| n.checked_mul(axis.max(1)));
    let count = count.filter(|n| n.checked_mul(8).is_some_and(|b| isize::try_from(b).is_ok()));
    let count = count.ok_or_else(overflow)?;
    let count = if info.shape.contains(&0) { 0 } else { count };
    let expected = info.data_offset + (count * info.dtype.size()) as u64;
    if metadata.len() != expected {
        return Err(Error::FileSize { path: path.to_path_buf(), expected, got: metadata.len() });
    }
    Ok((file, info))
}

fn read_header(file: &mut File, path: &Path) -> Result<NpyInfo> {
    let bad = |reason: String| Error::NpyHeader { path: path.to_path_buf(), reason };
    let mut exact = |buffer: &mut [u8], what: &str| {
        file.read_exact(buffer).map_err(|error| {
            if error.kind() == std::io::ErrorKind::UnexpectedEof {
                bad(format!("the file ends within the {what}"))
            } else {
                Error::Io { path: path.to_path_buf(), source: error }
            }
        })
    };
    let mut start = [0_u8; 8];
    exact(&mut start, "magic string")?;
    if &start[..6] != MAGIC {
        return Err(bad("the magic string is not that of an npy file".to_owned()));
    }
    let (length, fixed) = match start[6] {
        1 => {
            let mut bytes = [0_u8; 2];
            exact(&mut bytes, "header length")?;
            (usize::from(u16::from_le_bytes(bytes)), 10)
        }
        2 | 3 => {
            let mut bytes = [0_u8; 4];
            exact(&mut bytes, "header length")?;
            (u32::from_le_bytes(bytes) as usize, 12)
        }
        version => return Err(bad(format!("version {version} is unknown"))),
    };
    if length > MAX_HEADER {
        return Err(bad(format!("a header of {length} bytes is implausible")));
    }
    let mut text = vec![0_u8; length];
    exact(&mut text, "header")?;
    let text = String::from_utf8_lossy(&text);
    let fields = Parser::new(&text).dict().map_err(&bad)?;
    let descr = fields.descr.ok_or_else(|| bad("`descr` is missing".to_owned()))?;
    let fortran_order =
        fields.fortran_order.ok_or_else(|| bad("`fortran_order` is missing".to_owned()))?;
    let shape = fields.shape.ok_or_else(|| bad("`shape` is missing".to_owned()))?;
    let (dtype, byte_order) = parse_descr(&descr)
        .ok_or_else(|| Error::UnsupportedDtype { path: path.to_path_buf(), descr })?;
    let data_offset = (fixed + length) as u64;
    Ok(NpyInfo { shape, dtype, fortran_order, byte_order, data_offset })
}

fn parse_descr(descr: &str) -> Option<(SampleType, ByteOrder)> {
    let native = if cfg!(target_endian = "big") { ByteOrder::Big } else { ByteOrder::Little };
    let mut rest = descr.chars();
    let order = match rest.next()? {
        '<' => ByteOrder::Little,
        '>' => ByteOrder::Big,
        '=' | '|' => native,
        _ => return None,
    };
    let code = rest.as_str();
    let dtype = SampleType::ALL.into_iter().find(|dtype| dtype.numpy_code() == code)?;
    Some((dtype, if dtype.size() == 1 { ByteOrder::Little } else { order }))
}

/// Renders a header of version 1.0, padded so that the samples start at a multiple of 64 bytes.
pub(crate) fn render_header(info: &NpyInfo) -> Vec<u8> {
    let order = match (info.dtype.size(), info.byte_order) {
        (1, _) => '|',
        (_, ByteOrder::Little) => '<',
        (_, ByteOrder::Big) => '>',
    };
    let fortran = if info.fortran_order { "True" } else { "False" };
    let shape: Vec<String> = info.shape.iter().map(ToString::to_string).collect();
    let comma = if shape.len() == 1 { "," } else { "" };
    let mut dict = format!(
        "{{'descr': '{order}{}', 'fortran_order': {fortran}, 'shape': ({}{comma}), }}",
        info.dtype.numpy_code(),
        shape.join(", "),
    );
    let unpadded = MAGIC.len() + 4 + dict.len() + 1;
    dict.push_str(&" ".repeat(unpadded.next_multiple_of(64) - unpadded));
    dict.push('\n');
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&[1, 0]);
    bytes.extend_from_slice(&(dict.len() as u16).to_le_bytes());
    bytes.extend_from_slice(dict.as_bytes());
    bytes
}

#[derive(Default)]
struct Fields {
    descr: Option<String>,
    fortran_order: Option<bool>,
    shape: Option<Vec<usize>>,
}

/// Reader of the Python literal that is the header.
struct Parser<'a> {
    rest: &'a str,
}

type Parsed<T> = std::result::Result<T, String>;

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    fn dict(mut self) -> Parsed<Fields> {
        let mut fields = Fields::default();
        self.expect('{')?;
        while !self.accept('}') {
            let key = self.string()?;
            self.expect(':')?;
            match key {
                "descr" => fields.descr = Some(self.descr()?),
                "fortran_order" => fields.fortran_order = Some(self.boolean()?),
                "shape" => fields.shape = Some(self.tuple()?),
                other => return Err(format!("unknown key `{other}`")),
            }
            if !self.accept(',') {
                self.expect('}')?;
                break;
            }
        }
        if self.rest.trim().is_empty() {
            Ok(fields)
        } else {
            Err("text after the closing brace".to_owned())
        }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn accept(&mut self, wanted: char) -> bool {
        self.skip_space();
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, wanted: char) -> Parsed<()> {
        if self.accept(wanted) {
            return Ok(());
        }
        Err(match self.rest.chars().next() {
            Some(got) => format!("expected `{wanted}`, found `{got}`"),
            None => format!("expected `{wanted}`, found the end"),
        })
    }

    fn string(&mut self) -> Parsed<&'a str> {
        self.skip_space();
        let quote = self.rest.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let quote = quote.ok_or("expected a quoted string")?;
        let body = &self.rest[1..];
        let end = body.find(quote).ok_or("a quoted string does not end")?;
        self.rest = &body[end + 1..];
        Ok(&body[..end])
    }

    /// A type string; a list of fields is returned as its text, which is no supported type.
    fn descr(&mut self) -> Parsed<String> {
        self.skip_space();
        if !self.rest.starts_with('[') {
            return self.string().map(str::to_owned);
        }
        let mut depth = 0_usize;
        for (at, c) in self.rest.char_indices() {
            match c {
                '[' => depth += 1,
                ']' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let (list, rest) = self.rest.split_at(at + 1);
                self.rest = rest;
                return Ok(list.to_owned());
            }
        }
        Err("a list of fields does not end".to_owned())
    }

    fn boolean(&mut self) -> Parsed<bool> {
        self.skip_space();
        for (word, value) in [("True", true), ("False", false)] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(value);
            }
        }
        Err("`fortran_order` is neither `True` nor `False`".to_owned())
    }

    fn tuple(&mut self) -> Parsed<Vec<usize>> {
        let mut sizes = Vec::new();
        self.expect('(')?;
        while !self.accept(')') {
            self.skip_space();
            let digits = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
            let (number, rest) = self.rest.split_at(digits);
            if number.is_empty() {
                return Err("`shape` is not a tuple of sizes".to_owned());
            }
            sizes.push(number.parse().map_err(|_| format!("the size {number} is too large"))?);
            // Python 2 wrote long integers with a suffix.
            self.rest = rest.strip_prefix('L').unwrap_or(rest);
            if !self.accept(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(sizes)
    }
}
