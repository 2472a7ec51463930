//! Cubes to MATLAB 5 files.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use super::class::{MatClass, data_type};
use super::write::{Form, MAX_BYTES, array, header, value};
use crate::arrays::{FileBytes, encode, fields, matlab_name};
use crate::atomic::PartialFile;
use crate::error::{Error, Result};
use crate::fault::AtPath;
use crate::io::SaveOptions;
use crate::meta::{Axes, Compression, CubeMeta, Format, SampleType};
use crate::samples::{RawLayout, Samples};
use crate::sidecar::write_sidecar;
use crate::stream::{CubeWriter, RowCount};

/// Bytes that are put in order at a time, about.
const STEP: u64 = 16 << 20;

/// A MATLAB 5 file being written.
///
/// Rows are the fastest axis of a MATLAB array, so the blocks that come are kept in a second
/// temporary file and put in order at the end.
#[derive(Debug)]
pub(crate) struct MatWriter {
    partial: PartialFile,
    blocks: File,
    /// Rows of each block.
    rows_of: Vec<usize>,
    rows: RowCount,
    shape: [usize; 3],
    order: [usize; 3],
    meta: CubeMeta,
    dtype: SampleType,
    form: Form,
    name: String,
}

impl MatWriter {
    pub(crate) fn create(
        path: &Path,
        shape: [usize; 3],
        meta: &CubeMeta,
        options: &SaveOptions,
    ) -> Result<Self> {
        // There are no half precision numbers in MATLAB.
        let dtype = match options.dtype.unwrap_or(SampleType::F32) {
            SampleType::F16 => SampleType::F32,
            dtype => dtype,
        };
        let rows = RowCount::new(shape)?;
        let bytes = shape.iter().fold(dtype.size() as u64, |n, &d| n.saturating_mul(d as u64));
        if bytes > MAX_BYTES {
            let feature = format!("an array of {bytes} bytes, which `mat73` can hold,");
            let path = path.to_path_buf();
            return Err(Error::Unsupported { path, format: Format::Mat5, feature });
        }
        let compression = match options.compression.unwrap_or_default() {
            Compression::None => Compression::None,
            Compression::Deflate { level, .. } => Compression::Deflate { level, filter: false },
            other => {
                let feature = format!("compression by {other}");
                let path = path.to_path_buf();
                return Err(Error::Unsupported { path, format: Format::Mat5, feature });
            }
        };
        let partial = PartialFile::create(path)?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let blocks = tempfile::tempfile_in(folder).map_err(Error::io(path))?;
        let axes = options.axes.or(Axes::Hwb);
        Ok(Self {
            partial,
            blocks,
            rows_of: Vec::new(),
            rows,
            shape,
            order: RawLayout::order_of(axes, true),
            meta: meta.clone(),
            dtype,
            form: Form { big_endian: options.big_endian.unwrap_or(false), compression },
            name: matlab_name(options.variable.as_deref()),
        })
    }

    /// Writes the samples in the order of the file.
    fn put_in_order(&self, blocks: &FileBytes, out: &mut dyn Write) -> Result<()> {
        let path = self.partial.path();
        let size = self.dtype.size();
        let place = self.order.iter().position(|&axis| axis == 1).unwrap_or(2);
        let sizes = self.order.map(|axis| self.shape[axis]);
        let outer: usize = sizes[..place].iter().product();
        let inner = sizes[place + 1..].iter().product::<usize>() * size;
        let line = self.shape[1] * inner;
        let step = ((STEP / line.max(1) as u64) as usize).clamp(1, outer);
        let mut lines = Vec::new();
        let mut piece = Vec::new();
        for first in (0..outer).step_by(step) {
            let count = step.min(outer - first);
            lines.resize(count * line, 0);
            let (mut start, mut row) = (0, 0);
            for &rows in &self.rows_of {
                let run = rows * inner;
                piece.resize(count * run, 0);
                let at = start + (first * run) as u64;
                blocks.read_at(at, &mut piece).at(path, Format::Mat5)?;
                for (line, run) in lines.chunks_mut(line).zip(piece.chunks(run)) {
                    line[row * inner..][..run.len()].copy_from_slice(run);
                }
                start += (outer * run) as u64;
                row += rows;
            }
            out.write_all(&lines).map_err(Error::io(path))?;
        }
        Ok(())
    }
}

impl CubeWriter for MatWriter {
    fn shape(&self) -> [usize; 3] {
        self.shape
    }

    fn meta(&self) -> &CubeMeta {
        &self.meta
    }

    fn dtype(&self) -> SampleType {
        self.dtype
    }

    fn path(&self) -> &Path {
        self.partial.path()
    }

    fn write_samples(&mut self, samples: Samples) -> Result<()> {
        let path = self.partial.path();
        let shape = samples.shape();
        self.rows.take(shape, path)?;
        if shape[1] == 0 {
            return Ok(());
        }
        let bytes = encode(&samples.cast(self.dtype), self.order, self.form.big_endian);
        self.blocks.write_all(&bytes).map_err(Error::io(path))?;
        self.rows_of.push(shape[1]);
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        let path = self.partial.path().to_path_buf();
        self.rows.complete(&path)?;
        self.blocks.seek(SeekFrom::Start(0)).map_err(Error::io(&path))?;
        let blocks = self.blocks.try_clone().and_then(FileBytes::file).map_err(Error::io(&path))?;
        let file = self.partial.file().try_clone().map_err(Error::io(&path))?;
        let mut file = BufWriter::with_capacity(1 << 20, file);
        file.write_all(&header(self.form)).map_err(Error::io(&path))?;
        let mut shape = self.order.map(|axis| self.shape[axis]);
        shape.reverse();
        let class = MatClass::of(self.dtype);
        let bytes = shape.iter().product::<usize>() * self.dtype.size();
        let samples = (data_type(self.dtype), bytes as u64);
        let fill = |out: &mut dyn Write| {
            self.put_in_order(&blocks, out).map_err(|error| match error {
                Error::Io { source, .. } => source,
                other => std::io::Error::other(other),
            })
        };
        let write = array(&mut file, self.form, (&self.name, class, &shape), samples, fill);
        write.map_err(Error::io(&path))?;
        for (name, content) in fields(&self.meta) {
            value(&mut file, self.form, name, &content).map_err(Error::io(&path))?;
        }
        file.flush().map_err(Error::io(&path))?;
        drop(file);
        // The file says it all; a JSON file of another one would say it wrongly.
        self.partial.sync()?;
        write_sidecar(&path, &CubeMeta::default())?;
        self.partial.commit()
    }
}
