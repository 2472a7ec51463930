//! Cubes to HDF5 files, chunk by chunk.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use rayon::prelude::*;

use super::native::{Attribute, Described, FileWriter, Filter, Storage, apply};
use super::{Sink, Small, Spec};
use crate::arrays::{Side, Value, advance, copy_box, encode, fields, matlab_name, place, strides};
use crate::atomic::PartialFile;
use crate::error::{Error, Result};
use crate::io::SaveOptions;
use crate::mat::MatClass;
use crate::meta::{Axes, Compression, CubeMeta, Format, SampleType};
use crate::samples::{Element, RawLayout, Samples, with_dtype};
use crate::sidecar::write_sidecar;
use crate::stream::{CubeWriter, RowCount};

/// Bytes of a chunk, and of a row of chunks, about.
const CHUNK: usize = 1 << 20;
const SLAB: usize = 64 << 20;
/// Bytes that are packed before they are written, about.
const BATCH: usize = 32 << 20;

/// An HDF5 file being written.
#[derive(Debug)]
pub(crate) struct Hdf5Writer {
    sink: Box<dyn Sink>,
    partial: PartialFile,
    rows: RowCount,
    shape: [usize; 3],
    /// Axes of the cube from the slowest in the file to the fastest.
    order: [usize; 3],
    axes: Axes,
    meta: CubeMeta,
    format: Format,
    dtype: SampleType,
    big_endian: bool,
    /// Rows of a chunk; as many are collected in `slab`.
    step: usize,
    slab: Vec<u8>,
    waiting: usize,
    done: usize,
}

impl Hdf5Writer {
    pub(crate) fn create(
        path: &Path,
        format: Format,
        shape: [usize; 3],
        meta: &CubeMeta,
        options: &SaveOptions,
    ) -> Result<Self> {
        let matlab = format == Format::Mat73;
        let rows = RowCount::new(shape)?;
        let dtype = match options.dtype.unwrap_or(SampleType::F32) {
            // There are no half precision numbers in MATLAB.
            SampleType::F16 if matlab => SampleType::F32,
            dtype => dtype,
        };
        let axes = options.axes.or(if matlab { Axes::Hwb } else { Axes::Bhw });
        let order = RawLayout::order_of(axes, matlab);
        let compression = options.compression.unwrap_or_default();
        if !matches!(compression, Compression::None | Compression::Deflate { .. }) {
            let feature = format!("compression by {compression}");
            return Err(Error::Unsupported { path: path.to_path_buf(), format, feature });
        }
        let packed = compression != Compression::None || options.chunk.is_some();
        // Rows are a fast axis of MATLAB's arrays: without chunks each of them would be scattered.
        let chunked = packed || order[2] == 1;
        let chunk = chunked.then(|| {
            let chunk = options.chunk.unwrap_or_else(|| usual_chunk(shape, dtype.size()));
            [0, 1, 2].map(|axis| chunk[axis].clamp(1, shape[axis]))
        });
        let in_file = |cube: [usize; 3]| order.map(|axis| cube[axis] as u64).to_vec();
        let row_bytes = shape[0] * shape[2] * dtype.size();
        let step = chunk.map_or_else(|| (CHUNK / row_bytes.max(1)).max(1), |chunk| chunk[1]);
        let step = step.min(shape[1]);
        let big_endian = options.big_endian.unwrap_or(false);
        let variable = options.variable.as_deref();
        let spec = Spec {
            name: if matlab { matlab_name(variable) } else { plain_name(variable) },
            dtype,
            big_endian,
            dims: in_file(shape),
            chunk: chunk.map(in_file),
            compression,
            fill: meta.nodata.map(|nodata| fill_bytes(nodata, dtype, big_endian)),
            matlab,
        };
        let mut partial = PartialFile::create(path)?;
        let sink = options.hdf5.create(&mut partial, spec)?;
        Ok(Self {
            sink,
            partial,
            rows,
            shape,
            order,
            axes,
            meta: meta.clone(),
            format,
            dtype,
            big_endian,
            step,
            slab: Vec::new(),
            waiting: 0,
            done: 0,
        })
    }

    fn in_file(&self, cube: [usize; 3]) -> [u64; 3] {
        self.order.map(|axis| cube[axis] as u64)
    }

    /// Writes a row of chunks.
    fn flush(&mut self) -> Result<()> {
        let [bands, _, cols] = self.shape;
        let start = self.in_file([0, self.done, 0]);
        let count = self.in_file([bands, self.waiting, cols]);
        self.sink.write(&start, &count, &self.slab)?;
        self.done += self.waiting;
        self.waiting = 0;
        Ok(())
    }

    fn attributes(&self) -> Vec<(String, Attribute)> {
        let mut out = vec![(
            "axes".to_owned(),
            Attribute::text(match self.axes {
                Axes::Hwb => "hwb",
                Axes::Hbw => "hbw",
                Axes::Auto | Axes::Bhw => "bhw",
            }),
        )];
        for (name, value) in fields(&self.meta) {
            out.push((name.to_owned(), attribute(name, &value)));
        }
        if let Some(nodata) = self.meta.nodata {
            // CF's name, in the type of the samples.
            let bytes = fill_bytes(nodata, self.dtype, false);
            let value = Attribute::Numbers { dtype: self.dtype, list: false, bytes };
            out.push(("_FillValue".to_owned(), value));
        }
        out
    }
}

impl CubeWriter for Hdf5Writer {
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

    fn block_rows(&self) -> usize {
        self.step
    }

    fn write_samples(&mut self, samples: Samples) -> Result<()> {
        let [bands, rows, cols] = samples.shape();
        self.rows.take([bands, rows, cols], self.partial.path())?;
        let samples = samples.cast(self.dtype);
        if rows == 0 {
            return Ok(());
        }
        let size = self.dtype.size();
        let bytes = encode(&samples, self.order, self.big_endian);
        drop(samples);
        let mut taken = 0;
        while taken < rows {
            let height = self.step.min(self.shape[1] - self.done);
            let part = (rows - taken).min(height - self.waiting);
            if part == rows && part == height {
                // The block is a row of chunks already.
                self.slab = bytes;
                self.waiting = part;
                return self.flush();
            }
            self.slab.resize(bands * height * cols * size, 0);
            let from_steps = strides(&self.in_file([bands, rows, cols]), size);
            let to_steps = strides(&self.in_file([bands, height, cols]), size);
            let from = place(&self.in_file([0, taken, 0]), &from_steps);
            let to = place(&self.in_file([0, self.waiting, 0]), &to_steps);
            copy_box(
                (&bytes, Side { at: from, steps: &from_steps }),
                (&mut self.slab, Side { at: to, steps: &to_steps }),
                &self.order.map(|axis| [bands, part, cols][axis] as u64),
                size,
            );
            self.waiting += part;
            taken += part;
            if self.waiting == height {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let path = self.partial.path().to_path_buf();
        self.rows.complete(&path)?;
        if self.format == Format::Mat73 {
            let class = Attribute::Fixed(MatClass::of(self.dtype).name().to_owned());
            let mut attributes = vec![("MATLAB_class".to_owned(), class)];
            if self.dtype == SampleType::Bool {
                attributes.push(("MATLAB_int_decode".to_owned(), Attribute::i32(1)));
            }
            let small = fields(&self.meta);
            let small = small.iter().map(|(name, value)| matlab_variable(name, value));
            self.sink.finish(attributes, small.collect())?;
        } else {
            let attributes = self.attributes();
            self.sink.finish(attributes, Vec::new())?;
        }
        // The file says it all; a JSON file of another one would say it wrongly.
        self.partial.sync()?;
        write_sidecar(&path, &CubeMeta::default())?;
        self.partial.commit()
    }
}

/// The name of a dataset: the last part of a path.
fn plain_name(name: Option<&str>) -> String {
    let name = name.unwrap_or("cube").rsplit('/').next().unwrap_or("cube");
    if name.is_empty() || name == "." || name.len() > 255 || name.contains('\0') {
        return "cube".to_owned();
    }
    name.to_owned()
}

/// The shape of chunks of about a mebibyte, of which a row is not too large.
fn usual_chunk([bands, rows, cols]: [usize; 3], size: usize) -> [usize; 3] {
    let row = bands.saturating_mul(cols).saturating_mul(size);
    let height = (SLAB / row.max(1)).clamp(1, 64).min(rows);
    let width = cols.min(256);
    let depth = (CHUNK / (height * width * size).max(1)).clamp(1, bands);
    [depth, height, width]
}

/// The nodata value as a stored sample.
fn fill_bytes(nodata: f64, dtype: SampleType, big_endian: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    with_dtype!(dtype, T => T::encode(&[<T as Element>::from_f64(nodata)], big_endian, &mut bytes));
    bytes
}

fn attribute(name: &str, value: &Value) -> Attribute {
    match (name, value) {
        ("bad_bands", Value::Numbers(flags)) => {
            Attribute::u8s(&flags.iter().map(|&v| u8::from(v != 0.0)).collect::<Vec<_>>())
        }
        ("wavelengths_nm" | "fwhm_nm", Value::Numbers(list)) => {
            Attribute::f32s(&list.iter().map(|&v| v as f32).collect::<Vec<_>>())
        }
        ("epsg", Value::Numbers(list)) => Attribute::u32(list.first().map_or(0, |&v| v as u32)),
        ("band_names", Value::Text(texts)) => Attribute::texts(texts),
        (_, Value::Text(texts)) => Attribute::text(&texts.join("\n")),
        (_, Value::Numbers(list)) => match list.as_slice() {
            [one] => Attribute::f64(*one),
            list => Attribute::f64s(list),
        },
    }
}

/// A variable of MATLAB's: a row of doubles, or of characters.
fn matlab_variable(name: &str, value: &Value) -> Small {
    let class = |class: &str| ("MATLAB_class".to_owned(), Attribute::Fixed(class.to_owned()));
    match value {
        Value::Numbers(list) => Small {
            name: name.to_owned(),
            dtype: SampleType::F64,
            dims: vec![list.len() as u64, 1],
            bytes: list.iter().flat_map(|v| v.to_le_bytes()).collect(),
            attributes: vec![class("double")],
        },
        Value::Text(lines) => {
            let units: Vec<u16> = lines.join("\n").encode_utf16().collect();
            Small {
                name: name.to_owned(),
                dtype: SampleType::U16,
                dims: vec![units.len() as u64, 1],
                bytes: units.iter().flat_map(|v| v.to_le_bytes()).collect(),
                attributes: vec![
                    class("char"),
                    ("MATLAB_int_decode".to_owned(), Attribute::i32(2)),
                ],
            }
        }
    }
}

/// The 512 bytes before the HDF5 part of MATLAB's files.
pub(super) fn user_block() -> Vec<u8> {
    let text = "MATLAB 7.3 MAT-file, written by hsi-data";
    let mut out = format!("{text:<116}").into_bytes();
    out.resize(124, 0);
    out.extend(*b"\x00\x02IM");
    out.resize(512, 0);
    out
}

/// A file that is written in Rust alone.
#[derive(Debug)]
pub(super) struct NativeSink {
    file: FileWriter<BufWriter<File>>,
    path: std::path::PathBuf,
    spec: Spec,
    filters: Vec<Filter>,
    /// Place of the samples that are written in one run: address, and place in the file.
    run: Option<(u64, u64)>,
    chunks: Vec<(Vec<u64>, u64, u64)>,
}

impl NativeSink {
    pub(super) fn create(partial: &mut PartialFile, spec: Spec) -> Result<Self> {
        let path = partial.path().to_path_buf();
        let file = partial.file().try_clone().map_err(Error::io(&path))?;
        let file = BufWriter::with_capacity(1 << 16, file);
        let user_block = if spec.matlab { user_block() } else { Vec::new() };
        let mut file = FileWriter::new(file, &user_block).map_err(Error::io(&path))?;
        let size = spec.dtype.size();
        let filters = match spec.compression {
            Compression::Deflate { level, filter: true } if size > 1 => {
                vec![Filter::Shuffle { size }, Filter::Deflate { level }]
            }
            Compression::Deflate { level, .. } => vec![Filter::Deflate { level }],
            _ => Vec::new(),
        };
        let bytes = spec.dims.iter().product::<u64>() * size as u64;
        let run = spec.chunk.is_none().then(|| file.reserve(bytes));
        Ok(Self { file, path, spec, filters, run, chunks: Vec::new() })
    }

    fn write_run(
        &mut self,
        place_in_file: u64,
        start: &[u64],
        count: &[u64],
        bytes: &[u8],
    ) -> std::io::Result<()> {
        use std::io::{Seek, SeekFrom};
        let size = self.spec.dtype.size();
        let steps = strides(&self.spec.dims, size);
        // Axes of which all is written, and the one before them, are one run.
        let mut axis = count.len() - 1;
        while axis > 0 && count[axis] == self.spec.dims[axis] {
            axis -= 1;
        }
        let run = count[axis..].iter().product::<u64>() as usize * size;
        let mut position = start.to_vec();
        for bytes in bytes.chunks(run.max(1)) {
            let at = place_in_file + place(&position, &steps) as u64;
            self.file.file().seek(SeekFrom::Start(at))?;
            self.file.file().write_all(bytes)?;
            advance(&mut position[..axis], &start[..axis], &count[..axis]);
        }
        Ok(())
    }

    fn write_chunks(&mut self, start: &[u64], count: &[u64], bytes: &[u8]) -> std::io::Result<()> {
        let size = self.spec.dtype.size();
        let chunk = self.spec.chunk.clone().unwrap_or_default();
        let chunk_bytes = chunk.iter().product::<u64>() as usize * size;
        let many: Vec<u64> = count.iter().zip(&chunk).map(|(n, c)| n.div_ceil(*c)).collect();
        let total: u64 = many.iter().product();
        let zero = vec![0; many.len()];
        let mut position = zero.clone();
        let places: Vec<Vec<u64>> = (0..total)
            .map(|_| {
                let here = position.clone();
                advance(&mut position, &zero, &many);
                here
            })
            .collect();
        let (steps, chunk_steps) = (strides(count, size), strides(&chunk, size));
        let pack = |nth: &Vec<u64>| -> std::io::Result<Vec<u8>> {
            let first: Vec<u64> = nth.iter().zip(&chunk).map(|(n, c)| n * c).collect();
            let part: Vec<u64> = first
                .iter()
                .zip(&chunk)
                .zip(count)
                .map(|((first, chunk), count)| (*chunk).min(count - first))
                .collect();
            let mut whole = match &self.spec.fill {
                Some(fill) if part != chunk => fill.repeat(chunk_bytes / size),
                _ => vec![0; chunk_bytes],
            };
            let from = Side { at: place(&first, &steps), steps: &steps };
            let to = Side { at: 0, steps: &chunk_steps };
            copy_box((bytes, from), (&mut whole, to), &part, size);
            apply(&self.filters, whole)
        };
        for places in places.chunks((BATCH / chunk_bytes.max(1)).max(1)) {
            let packed: Vec<std::io::Result<Vec<u8>>> = places.par_iter().map(pack).collect();
            for (nth, packed) in places.iter().zip(packed) {
                let packed = packed?;
                let at = self.file.append(&packed)?;
                let first = nth.iter().zip(&chunk).zip(start).map(|((n, c), s)| n * c + s);
                self.chunks.push((first.collect(), at, packed.len() as u64));
            }
        }
        Ok(())
    }
}

impl Sink for NativeSink {
    fn write(&mut self, start: &[u64], count: &[u64], bytes: &[u8]) -> Result<()> {
        let written = match self.run {
            Some((_, at)) => self.write_run(at, start, count, bytes),
            None => self.write_chunks(start, count, bytes),
        };
        written.map_err(Error::io(&self.path))
    }

    fn finish(
        mut self: Box<Self>,
        attributes: Vec<(String, Attribute)>,
        small: Vec<Small>,
    ) -> Result<()> {
        let bytes = self.spec.dims.iter().product::<u64>() * self.spec.dtype.size() as u64;
        let storage = match self.run {
            Some((at, _)) => Storage::Run { at, size: bytes },
            None => Storage::Chunks {
                chunk: self.spec.chunk.clone().unwrap_or_default(),
                chunks: std::mem::take(&mut self.chunks),
            },
        };
        for small in small {
            let at = self.file.append(&small.bytes).map_err(Error::io(&self.path))?;
            self.file.describe(Described {
                name: small.name,
                dtype: small.dtype,
                big_endian: false,
                dims: small.dims,
                storage: Storage::Run { at, size: small.bytes.len() as u64 },
                filters: Vec::new(),
                fill: None,
                attributes: small.attributes,
            });
        }
        let Self { mut file, path, spec, filters, .. } = *self;
        // MATLAB's truth values are plain bytes.
        let dtype = match spec.dtype {
            SampleType::Bool if spec.matlab => SampleType::U8,
            dtype => dtype,
        };
        file.describe(Described {
            name: spec.name,
            dtype,
            big_endian: spec.big_endian,
            dims: spec.dims,
            storage,
            filters,
            fill: spec.fill,
            attributes,
        });
        file.finish().map(|_| ()).map_err(Error::io(&path))
    }
}
