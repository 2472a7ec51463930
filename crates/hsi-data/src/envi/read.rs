//! Windows of an ENVI file.

use std::fs::File;
use std::io::{Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::header::{Header, is_header, sample_type};
use super::{data_beside, header_beside, malformed, meta};
use crate::error::{Error, Result};
use crate::io::OpenOptions;
use crate::meta::{Axes, Compression, CubeMeta, Format, SampleType, Source};
use crate::samples::{RawLayout, Samples};
use crate::stream::CubeReader;

/// An ENVI file, read window by window through memory maps. A gzipped one is unpacked to a
/// temporary file first.
///
/// The file must not be shortened while it is read: the operating system then ends the program.
#[derive(Debug)]
pub(crate) struct EnviReader {
    file: File,
    path: PathBuf,
    layout: RawLayout,
    meta: CubeMeta,
}

impl EnviReader {
    /// Opens a cube from its header or from its file of samples.
    pub(crate) fn open(path: &Path, options: &OpenOptions) -> Result<Self> {
        let (header_path, data_path) = if is_header(path) {
            (path.to_path_buf(), data_beside(path)?)
        } else {
            let header = header_beside(path)
                .ok_or_else(|| malformed(path, "there is no header (`.hdr`) beside it"))?;
            (header, path.to_path_buf())
        };
        let header = Header::read(&header_path)?;
        check_supported(&header, &header_path)?;
        let axes = match header.get("interleave").map(str::to_lowercase).as_deref() {
            Some("bsq") => Axes::Bhw,
            Some("bil") => Axes::Hbw,
            Some("bip") => Axes::Hwb,
            Some(other) => {
                return Err(malformed(&header_path, format!("`interleave` is `{other}`")));
            }
            None => return Err(malformed(&header_path, "`interleave` is missing")),
        };
        let axes = options.axes.or(axes);
        let [bands, rows, cols] = [
            header.size("bands", &header_path)?,
            header.size("lines", &header_path)?,
            header.size("samples", &header_path)?,
        ];
        if [bands, rows, cols].contains(&0) {
            return Err(Error::EmptyCube { bands, rows, cols });
        }
        let code = header.number("data type", u64::MAX, &header_path)?;
        let dtype = sample_type(code, &header_path)?;
        let big_endian = match header.number("byte order", 0, &header_path)? {
            0 => false,
            1 => true,
            other => return Err(malformed(&header_path, format!("`byte order` is `{other}`"))),
        };
        let offset = header.number("header offset", 0, &header_path)?;
        let packed = header.number("file compression", 0, &header_path)? != 0;
        let shape = [bands, rows, cols];
        let layout = RawLayout { dtype, big_endian, offset, shape, order: axes.order() };
        let overflow = || Error::ShapeOverflow { path: header_path.clone(), shape: shape.to_vec() };
        let expected = layout.file_len().ok_or_else(overflow)?;
        let file = File::open(&data_path).map_err(Error::io(&data_path))?;
        let got = file.metadata().map_err(Error::io(&data_path))?.len();
        let (file, got) = if packed {
            options.check_unpacked(&data_path, expected, got)?;
            unpack(file, expected, &data_path)?
        } else {
            (file, got)
        };
        // Some programs leave something behind the samples.
        if got < expected {
            return Err(Error::FileSize { path: data_path, expected, got });
        }
        let (mut meta, extras) = meta::read(&header, bands);
        meta.nodata = options.nodata.or(meta.nodata);
        meta.validate(bands)?;
        let compression = if packed {
            Compression::Deflate { level: 6, filter: false }
        } else {
            Compression::None
        };
        meta.source = Some(Source {
            big_endian,
            axes,
            compression,
            extras,
            ..Source::new(&data_path, Format::Envi, dtype)
        });
        Ok(Self { file, path: data_path, layout, meta })
    }
}

/// Refuses headers whose samples would be read as something else.
fn check_supported(header: &Header, path: &Path) -> Result<()> {
    let is_library = header
        .get("file type")
        .is_some_and(|kind| kind.to_lowercase().contains("spectral library"));
    let framed = ["major frame offsets", "minor frame offsets"]
        .into_iter()
        .any(|key| header.list(key).unwrap_or_default().iter().any(|bytes| bytes.parse() != Ok(0)));
    let feature = match (is_library, framed) {
        (true, _) => "a spectral library",
        (_, true) => "a gap between the lines (`major frame offsets`)",
        _ => return Ok(()),
    };
    let (path, feature) = (path.to_path_buf(), feature.to_owned());
    Err(Error::Unsupported { path, format: Format::Envi, feature })
}

/// Unpacks to a file without a name, up to the bytes that are expected.
fn unpack(packed: File, expected: u64, path: &Path) -> Result<(File, u64)> {
    let mut file = tempfile::tempfile().map_err(Error::io(path))?;
    let mut decoder = MultiGzDecoder::new(std::io::BufReader::new(packed)).take(expected);
    let mut buffer = vec![0; 1 << 16];
    let mut total = 0;
    loop {
        let count = match decoder.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) => return Err(malformed(path, format!("gzip: {error}"))),
        };
        file.write_all(&buffer[..count]).map_err(Error::io(path))?;
        total += count as u64;
    }
    Ok((file, total))
}

impl CubeReader for EnviReader {
    fn shape(&self) -> [usize; 3] {
        self.layout.shape
    }

    fn meta(&self) -> &CubeMeta {
        &self.meta
    }

    fn dtype(&self) -> SampleType {
        self.layout.dtype
    }

    fn read_samples(
        &self,
        bands: &[usize],
        rows: Range<usize>,
        cols: Range<usize>,
    ) -> Result<Samples> {
        self.layout.read(&self.file, &self.path, bands, rows, cols)
    }
}
