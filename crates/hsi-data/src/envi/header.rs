//! The text of an ENVI header: `key = value` lines, values in braces over several lines.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::malformed;
use crate::error::{Error, Result};
use crate::meta::SampleType;

/// Longest header that is read; those of sensors with hundreds of bands have some ten thousand
/// bytes.
const MAX_HEADER: u64 = 16 << 20;

/// Keys in the order of the file, in lower case with single spaces, and their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    fields: Vec<(String, String)>,
}

/// Whether a file is an ENVI header, from its first line.
pub(crate) fn is_header(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(64).read_to_end(&mut head));
    read.is_ok() && starts_as_header(&head)
}

pub(crate) fn starts_as_header(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    head.strip_prefix(b"ENVI").is_some_and(|rest| {
        rest.iter().find(|b| !matches!(b, b' ' | b'\t' | b'\r')) == Some(&b'\n')
    })
}

impl Header {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path))?;
        let mut bytes = Vec::new();
        file.take(MAX_HEADER + 1).read_to_end(&mut bytes).map_err(Error::io(path))?;
        if bytes.len() as u64 > MAX_HEADER {
            return Err(malformed(path, format!("the header is longer than {MAX_HEADER} bytes")));
        }
        if !starts_as_header(&bytes) {
            return Err(malformed(path, "the first line of the header is not `ENVI`"));
        }
        // Headers older than UTF-8 are in Latin-1.
        let latin = |error: std::string::FromUtf8Error| {
            error.into_bytes().into_iter().map(char::from).collect()
        };
        let text = String::from_utf8(bytes).unwrap_or_else(latin);
        Self::parse(&text).map_err(|reason| malformed(path, reason))
    }

    /// Keys that come twice keep their last value.
    fn parse(text: &str) -> std::result::Result<Self, String> {
        let mut header = Self::default();
        let mut lines = text.lines().skip(1);
        while let Some(line) = lines.next() {
            if line.trim_start().starts_with(';') {
                continue;
            }
            let Some((key, value)) = line.split_once('=') else { continue };
            let key = key.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
            let mut value = value.trim().to_owned();
            if value.starts_with('{') {
                while !value.contains('}') {
                    let Some(line) = lines.next() else {
                        return Err(format!("the braces of `{key}` do not close"));
                    };
                    value.push('\n');
                    value.push_str(line.trim());
                }
                let end = value.find('}').unwrap_or(value.len());
                value = format!("{{{}}}", value[1..end].trim());
            }
            header.set(&key, value);
        }
        Ok(header)
    }

    /// A value; what stood in braces stands in braces.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.fields.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    pub(super) fn set(&mut self, key: &str, value: String) {
        match self.fields.iter_mut().find(|(k, _)| k == key) {
            Some((_, old)) => *old = value,
            None => self.fields.push((key.to_owned(), value)),
        }
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// A whole number that has to be there.
    pub(super) fn size(&self, key: &str, path: &Path) -> Result<usize> {
        let value = self.get(key).ok_or_else(|| malformed(path, format!("`{key}` is missing")))?;
        value.parse().map_err(|_| malformed(path, format!("`{key}` is `{value}`")))
    }

    /// A whole number of an optional key.
    pub(super) fn number(&self, key: &str, default: u64, path: &Path) -> Result<u64> {
        self.get(key).map_or(Ok(default), |value| {
            value.parse().map_err(|_| malformed(path, format!("`{key}` is `{value}`")))
        })
    }

    /// The entries of a list.
    pub(super) fn list(&self, key: &str) -> Option<Vec<&str>> {
        self.get(key).map(entries)
    }

    pub(super) fn render(&self) -> String {
        let mut text = "ENVI\n".to_owned();
        for (key, value) in &self.fields {
            text.push_str(key);
            text.push_str(" = ");
            text.push_str(value);
            text.push('\n');
        }
        text
    }
}

/// What stands between the braces of a value.
pub(super) fn inner(value: &str) -> &str {
    value.strip_prefix('{').and_then(|value| value.strip_suffix('}')).unwrap_or(value).trim()
}

/// The entries of a list in braces.
pub(super) fn entries(value: &str) -> Vec<&str> {
    let inner = inner(value);
    if inner.is_empty() { Vec::new() } else { inner.split(',').map(str::trim).collect() }
}

/// A list in braces, a few entries a line.
pub(super) fn braces<T: AsRef<str>>(items: &[T]) -> String {
    let lines: Vec<String> = items
        .chunks(8)
        .map(|line| line.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", "))
        .collect();
    format!("{{\n {}}}", lines.join(",\n "))
}

/// The sample type of a code of `data type`.
pub(super) fn sample_type(code: u64, path: &Path) -> Result<SampleType> {
    Ok(match code {
        1 => SampleType::U8,
        2 => SampleType::I16,
        3 => SampleType::I32,
        4 => SampleType::F32,
        5 => SampleType::F64,
        12 => SampleType::U16,
        13 => SampleType::U32,
        14 => SampleType::I64,
        15 => SampleType::U64,
        6 | 9 => {
            let descr = format!("complex{}", if code == 6 { 64 } else { 128 });
            return Err(Error::UnsupportedDtype { path: path.to_path_buf(), descr });
        }
        _ => return Err(malformed(path, format!("`data type` is `{code}`"))),
    })
}

/// The nearest type that ENVI has, and its code.
pub(super) fn envi_type(dtype: SampleType) -> (SampleType, u64) {
    match dtype {
        SampleType::Bool | SampleType::U8 => (SampleType::U8, 1),
        SampleType::I8 | SampleType::I16 => (SampleType::I16, 2),
        SampleType::I32 => (SampleType::I32, 3),
        SampleType::F16 | SampleType::F32 => (SampleType::F32, 4),
        SampleType::F64 => (SampleType::F64, 5),
        SampleType::U16 => (SampleType::U16, 12),
        SampleType::U32 => (SampleType::U32, 13),
        SampleType::I64 => (SampleType::I64, 14),
        SampleType::U64 => (SampleType::U64, 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_braces_are_read_and_rendered() {
        let text = "ENVI\r\n; a = comment\nno equals sign\nSamples  =  3 \n Band   Names = {a,\n b , \
                    c} after\ndescription = {x = y}\nsamples = 4\n";
        let header = Header::parse(text).expect("a header");
        assert_eq!(header.get("samples"), Some("4"));
        assert_eq!(header.list("band names"), Some(vec!["a", "b", "c"]));
        assert_eq!(header.get("description").map(inner), Some("x = y"));
        assert_eq!(Header::parse(&header.render()).as_ref(), Ok(&header));
        assert!(Header::parse("ENVI\nwavelength = {1,\n2,").is_err());
        assert!(starts_as_header(b"ENVI \r\nx") && !starts_as_header(b"ENVIRON\n"));
        assert_eq!(entries("{}"), Vec::<&str>::new());
        assert_eq!(entries(&braces(&["1", "2"])), ["1", "2"]);
    }
}
