//! Writing ENVI files: samples and header, under temporary names first.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;

use super::header::{Header, envi_type};
use super::meta;
use crate::atomic::PartialFile;
use crate::error::{Error, Result};
use crate::io::SaveOptions;
use crate::meta::{Axes, Compression, CubeMeta, Format, SampleType};
use crate::samples::{RawLayout, Samples};
use crate::stream::{CubeWriter, RowCount};

/// An ENVI file that is being written.
#[derive(Debug)]
pub(crate) struct EnviWriter {
    data: PartialFile,
    /// Samples that will be packed.
    unpacked: Option<File>,
    level: u8,
    header: Header,
    header_path: PathBuf,
    layout: RawLayout,
    rows: RowCount,
    meta: CubeMeta,
}

impl EnviWriter {
    /// Starts `scene.img` and `scene.hdr`, whichever of the two is named.
    pub(crate) fn create(
        path: &Path,
        shape: [usize; 3],
        meta: &CubeMeta,
        options: &SaveOptions,
    ) -> Result<Self> {
        let rows = RowCount::new(shape)?;
        let level = match options.compression.unwrap_or_default() {
            Compression::None => None,
            Compression::Deflate { level, filter: false } => Some(level),
            other => {
                return Err(Error::Unsupported {
                    path: path.to_path_buf(),
                    format: Format::Envi,
                    feature: format!("`{other}`"),
                });
            }
        };
        let names_header = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("hdr"));
        let (data_path, header_path) = if names_header {
            let stem = path.with_extension("");
            let named = stem.extension().is_some() && stem.file_name().is_some();
            (if named { stem } else { path.with_extension("img") }, path.to_path_buf())
        } else {
            // A header that is there already would be found before another one.
            let old = super::header_beside(path);
            (path.to_path_buf(), old.unwrap_or_else(|| path.with_extension("hdr")))
        };
        let axes = options.axes.or(Axes::Bhw);
        let (dtype, code) = envi_type(options.dtype.unwrap_or(SampleType::F32));
        let big_endian = options.big_endian.unwrap_or(false);
        let mut header = Header::default();
        let [bands, lines, samples] = shape;
        let interleave = match axes {
            Axes::Hbw => "bil",
            Axes::Hwb => "bip",
            Axes::Auto | Axes::Bhw => "bsq",
        };
        let sizes = [("samples", samples), ("lines", lines), ("bands", bands)];
        for (key, value) in sizes {
            header.set(key, value.to_string());
        }
        header.set("header offset", "0".to_owned());
        if level.is_some() {
            header.set("file compression", "1".to_owned());
        }
        header.set("file type", "ENVI Standard".to_owned());
        header.set("data type", code.to_string());
        header.set("interleave", interleave.to_owned());
        header.set("byte order", u8::from(big_endian).to_string());
        let source = meta.source.as_ref().filter(|source| source.format == Format::Envi);
        let extras = source.map(|source| source.extras.as_slice()).unwrap_or_default();
        meta::write(&mut header, meta, extras);
        let data = PartialFile::create(&data_path)?;
        let unpacked =
            level.map(|_| tempfile::tempfile()).transpose().map_err(Error::io(&data_path))?;
        let layout = RawLayout { dtype, big_endian, offset: 0, shape, order: axes.order() };
        let (level, meta) = (level.unwrap_or(6), meta.clone());
        Ok(Self { data, unpacked, level, header, header_path, layout, rows, meta })
    }
}

impl CubeWriter for EnviWriter {
    fn shape(&self) -> [usize; 3] {
        self.layout.shape
    }

    fn meta(&self) -> &CubeMeta {
        &self.meta
    }

    fn dtype(&self) -> SampleType {
        self.layout.dtype
    }

    fn path(&self) -> &Path {
        self.data.path()
    }

    fn write_samples(&mut self, samples: Samples) -> Result<()> {
        let row = self.rows.take(samples.shape(), self.data.path())?;
        let samples = samples.cast(self.layout.dtype);
        let path = self.data.path().to_path_buf();
        let file = match &mut self.unpacked {
            Some(file) => file,
            None => self.data.file(),
        };
        self.layout.write_rows(file, row, &samples).map_err(Error::io(&path))
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        let path = self.data.path().to_path_buf();
        self.rows.complete(&path)?;
        if let Some(mut unpacked) = self.unpacked.take() {
            let level = flate2::Compression::new(u32::from(self.level));
            let mut encoder = GzEncoder::new(self.data.file(), level);
            unpacked
                .seek(SeekFrom::Start(0))
                .and_then(|_| std::io::copy(&mut unpacked, &mut encoder))
                .and_then(|_| encoder.finish())
                .map_err(Error::io(&path))?;
        }
        let mut header = PartialFile::create(&self.header_path)?;
        let text = self.header.render();
        header.file().write_all(text.as_bytes()).map_err(Error::io(&self.header_path))?;
        header.sync()?;
        self.data.sync()?;
        // The two files change places while there is no header: whoever comes in between finds no
        // cube rather than one whose header is of another.
        match std::fs::remove_file(&self.header_path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io(&self.header_path)(error));
            }
            _ => {}
        }
        self.data.commit()?;
        header.commit()
    }
}
