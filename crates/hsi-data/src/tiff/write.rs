//! Cubes to TIFF files, a row of strips or tiles at a time.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use rayon::prelude::*;

use super::codec::{Method, Packer};
use super::predict::{Predictor, Rows};
use super::write_tags::{Field, Values, directory, head};
use super::{meta, tag};
use crate::atomic::PartialFile;
use crate::error::{Error, Result};
use crate::io::SaveOptions;
use crate::meta::{Axes, Compression, CubeMeta, Format, SampleType};
use crate::samples::Samples;
use crate::stream::{CubeWriter, RowCount};

/// Bytes before the first strip: room for either kind of head.
const HEAD: u64 = 16;
/// Bytes of a strip, and of a row of strips, about.
const STRIP: usize = 128 << 10;
const SLAB: usize = 16 << 20;
/// Bytes that are packed before they are written, about.
const BATCH: usize = 16 << 20;

/// A TIFF file being written. It becomes a BigTIFF if it does not end within 4 GiB.
#[derive(Debug)]
pub(crate) struct TiffWriter {
    partial: PartialFile,
    rows: RowCount,
    shape: [usize; 3],
    meta: CubeMeta,
    dtype: SampleType,
    big_endian: bool,
    planar: bool,
    compression: Compression,
    predictor: Predictor,
    /// Rows and columns of a strip or tile.
    size: [usize; 2],
    tiled: bool,
    /// Rows that do not fill a row of chunks yet, as the file has them.
    slab: Vec<u8>,
    waiting: usize,
    /// Rows of chunks that are written.
    down: usize,
    /// Address and length of the chunks, in the order of the tables.
    chunks: Vec<[u64; 2]>,
    end: u64,
    /// The last address of a file that is no BigTIFF.
    classic_end: u64,
}

impl TiffWriter {
    pub(crate) fn create(
        path: &Path,
        shape: [usize; 3],
        meta: &CubeMeta,
        options: &SaveOptions,
    ) -> Result<Self> {
        let rows = RowCount::new(shape)?;
        let [bands, height, cols] = shape;
        let unsupported = |feature: &str| Error::Unsupported {
            path: path.to_path_buf(),
            format: Format::Tiff,
            feature: feature.to_owned(),
        };
        if bands > usize::from(u16::MAX) {
            return Err(unsupported("a cube of more than 65535 bands"));
        }
        if height.max(cols) > i32::MAX as usize {
            return Err(unsupported("a side of more than 2147483647 pixels"));
        }
        let planar = match options.axes.or(Axes::Bhw) {
            Axes::Hbw => return Err(unsupported("interleaving by line (`hbw`)")),
            Axes::Hwb => false,
            Axes::Auto | Axes::Bhw => true,
        };
        let dtype = match options.dtype.unwrap_or(SampleType::F32) {
            SampleType::Bool => SampleType::U8,
            dtype => dtype,
        };
        let compression = options.compression.unwrap_or_default();
        let predictor = match (compression.filter(), dtype.is_float()) {
            (false, _) => Predictor::None,
            (true, false) => Predictor::Samples,
            (true, true) => Predictor::Bytes,
        };
        let (size, tiled) = match options.chunk {
            // The sides of tiles are multiples of 16.
            Some([_, height, width]) if width < cols => {
                ([height, width].map(|side| side.max(1).next_multiple_of(16)), true)
            }
            Some([_, rows, _]) => ([rows.clamp(1, height), cols], false),
            None => ([usual_rows(shape, planar, dtype.size()), cols], false),
        };
        let grid = [height.div_ceil(size[0]), cols.div_ceil(size[1])];
        let count = grid[0] * grid[1] * if planar { bands } else { 1 };
        let mut partial = PartialFile::create(path)?;
        partial.file().write_all(&[0; HEAD as usize]).map_err(Error::io(path))?;
        Ok(Self {
            partial,
            rows,
            shape,
            meta: meta.clone(),
            dtype,
            big_endian: options.big_endian.unwrap_or(false),
            planar,
            compression,
            predictor,
            size,
            tiled,
            slab: Vec::new(),
            waiting: 0,
            down: 0,
            chunks: vec![[0; 2]; count],
            end: HEAD,
            classic_end: u64::from(u32::MAX),
        })
    }

    fn axes(&self) -> Axes {
        if self.planar { Axes::Bhw } else { Axes::Hwb }
    }

    /// Rows that the next row of chunks holds.
    fn height(&self) -> usize {
        self.size[0].min(self.shape[1] - self.down * self.size[0])
    }

    /// Keeps rows that do not fill a row of chunks.
    fn keep(&mut self, samples: &Samples, rows: std::ops::Range<usize>) {
        let [bands, _, cols] = self.shape;
        let (row, height) = (cols * self.dtype.size(), self.height());
        self.slab.resize(bands * height * row, 0);
        let mut bytes = Vec::new();
        let planes = if self.planar { bands } else { 1 };
        for plane in 0..planes {
            bytes.clear();
            let part = if self.planar { plane..plane + 1 } else { 0..bands };
            samples.encode_box(
                self.axes(),
                [part, rows.clone(), 0..cols],
                self.big_endian,
                &mut bytes,
            );
            let row = row * (bands / planes);
            let at = (plane * height + self.waiting) * row;
            if let Some(to) = self.slab.get_mut(at..at + bytes.len()) {
                to.copy_from_slice(&bytes);
            }
        }
        self.waiting += rows.len();
    }

    /// Writes a row of chunks from rows of a block.
    fn flush(&mut self, samples: &Samples, start: usize) -> std::io::Result<()> {
        let [down, across] =
            [self.shape[1].div_ceil(self.size[0]), self.shape[2].div_ceil(self.size[1])];
        let planes = if self.planar { self.shape[0] } else { 1 };
        let together = self.shape[0] / planes;
        let raw = self.size[0] * self.size[1] * together * self.dtype.size();
        let all: Vec<(usize, usize)> =
            (0..planes).flat_map(|plane| (0..across).map(move |at| (plane, at))).collect();
        for batch in all.chunks((BATCH / raw.max(1)).max(rayon::current_num_threads())) {
            let (writer, above) = (&*self, self.down);
            let packed = batch.par_iter().map_init(
                || Packer::new(writer.compression),
                |packer, &(plane, at)| match packer {
                    Ok(packer) => packer.pack(writer.chunk(samples, start, plane, at)),
                    Err(error) => Err(std::io::Error::other(error.to_string())),
                },
            );
            let packed = packed.collect::<std::io::Result<Vec<Vec<u8>>>>()?;
            for (bytes, &(plane, at)) in packed.iter().zip(batch) {
                let nth = (plane * down + above) * across + at;
                self.chunks[nth] = [self.end, bytes.len() as u64];
                self.end += bytes.len() as u64;
            }
            self.partial.file().write_all(&packed.concat())?;
        }
        self.down += 1;
        self.waiting = 0;
        Ok(())
    }

    /// The bytes of a strip or tile before they are packed.
    fn chunk(&self, samples: &Samples, start: usize, plane: usize, across: usize) -> Vec<u8> {
        let [bands, _, cols] = self.shape;
        let [height, width] = self.size;
        let size = self.dtype.size();
        let rows = start..start + self.height();
        let left = across * width;
        let right = (left + width).min(cols);
        let (part, together) = if self.planar { (plane..plane + 1, 1) } else { (0..bands, bands) };
        let mut bytes = Vec::new();
        samples.encode_box(
            self.axes(),
            [part, rows.clone(), left..right],
            self.big_endian,
            &mut bytes,
        );
        if self.tiled && (rows.len() < height || right - left < width) {
            // Tiles reach over the edge.
            let (from, to) = ((right - left) * together * size, width * together * size);
            let mut whole = vec![0; height * to];
            for (to, from) in whole.chunks_mut(to).zip(bytes.chunks(from)) {
                to[..from.len()].copy_from_slice(from);
            }
            bytes = whole;
        }
        let form = Rows { count: width * together, together, size, big_endian: self.big_endian };
        self.predictor.apply(form, &mut bytes);
        bytes
    }

    fn fields(&self) -> Vec<Field> {
        let [bands, rows, cols] = self.shape;
        let format = match self.dtype {
            dtype if dtype.is_float() => 3,
            SampleType::I8 | SampleType::I16 | SampleType::I32 | SampleType::I64 => 2,
            _ => 1,
        };
        let short = |tag: u16, value: u16| Field { tag, values: Values::Shorts(vec![value]) };
        let long =
            |tag: u16, value: usize| Field { tag, values: Values::Longs(vec![value as u64]) };
        let shorts = |tag: u16, value: u16, count: usize| Field {
            tag,
            values: Values::Shorts(vec![value; count]),
        };
        let mut fields = vec![
            long(tag::WIDTH, cols),
            long(tag::HEIGHT, rows),
            shorts(tag::BITS, 8 * self.dtype.size() as u16, bands),
            short(tag::COMPRESSION, Method::code(self.compression)),
            short(tag::PHOTOMETRIC, 1),
            short(tag::SAMPLES, bands as u16),
            short(tag::PLANAR, if self.planar && bands > 1 { 2 } else { 1 }),
            shorts(tag::SAMPLE_FORMAT, format, bands),
        ];
        if bands > 1 {
            fields.push(shorts(tag::EXTRA_SAMPLES, 0, bands - 1));
        }
        if self.predictor != Predictor::None && self.compression != Compression::None {
            fields.push(short(tag::PREDICTOR, self.predictor.code()));
        }
        let (at, len) = if self.tiled {
            fields.push(long(tag::TILE_HEIGHT, self.size[0]));
            fields.push(long(tag::TILE_WIDTH, self.size[1]));
            (tag::TILE_OFFSETS, tag::TILE_COUNTS)
        } else {
            fields.push(long(tag::ROWS_PER_STRIP, self.size[0]));
            (tag::STRIP_OFFSETS, tag::STRIP_COUNTS)
        };
        let table = |which: usize| self.chunks.iter().map(|chunk| chunk[which]).collect();
        fields.push(Field { tag: at, values: Values::Longs(table(0)) });
        fields.push(Field { tag: len, values: Values::Longs(table(1)) });
        fields.extend(meta::fields(&self.meta, bands));
        fields
    }
}

/// Rows of strips of about 128 KiB, of which a row is not too large.
fn usual_rows([bands, rows, cols]: [usize; 3], planar: bool, size: usize) -> usize {
    let row = cols.saturating_mul(size).max(1);
    let all = row.saturating_mul(bands);
    let strip = STRIP / if planar { row } else { all };
    strip.min(SLAB / all).clamp(1, rows)
}

impl CubeWriter for TiffWriter {
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
        self.size[0]
    }

    fn write_samples(&mut self, samples: Samples) -> Result<()> {
        let [bands, rows, cols] = samples.shape();
        self.rows.take([bands, rows, cols], self.partial.path())?;
        let samples = samples.cast(self.dtype);
        let path = self.partial.path().to_path_buf();
        let mut taken = 0;
        while taken < rows {
            let height = self.height();
            if self.waiting == 0 && rows - taken >= height {
                self.flush(&samples, taken).map_err(Error::io(&path))?;
                taken += height;
                continue;
            }
            let part = (rows - taken).min(height - self.waiting);
            self.keep(&samples, taken..taken + part);
            taken += part;
            if self.waiting == height {
                let slab = std::mem::take(&mut self.slab);
                let shape = [bands, height, cols];
                let whole =
                    Samples::from_bytes(self.dtype, self.big_endian, shape, self.axes(), &slab);
                drop(slab);
                if let Some(whole) = whole {
                    self.flush(&whole, 0).map_err(Error::io(&path))?;
                }
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        let path = self.partial.path().to_path_buf();
        self.rows.complete(&path)?;
        let at = self.end.next_multiple_of(8);
        let classic = directory(self.fields(), at, false, self.big_endian);
        let wide = at + classic.len() as u64 > self.classic_end;
        let table =
            if wide { directory(self.fields(), at, true, self.big_endian) } else { classic };
        let mut bytes = vec![0; (at - self.end) as usize];
        bytes.extend(table);
        let start = head(at, wide, self.big_endian);
        let file = self.partial.file();
        file.write_all(&bytes)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(&start))
            .map_err(Error::io(&path))?;
        self.partial.commit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::OpenOptions;
    use crate::stream::CubeReader;
    use crate::tiff::TiffReader;
    use ndarray::Array3;

    #[test]
    fn files_that_would_be_too_long_become_wide() -> Result<()> {
        let folder = tempfile::tempdir().map_err(Error::io(Path::new(".")))?;
        let path = folder.path().join("wide.tif");
        let data = Array3::from_shape_fn((3, 20, 7), |(b, r, c)| (b * 200 + r * 7 + c) as f32);
        for big_endian in [false, true] {
            for (classic_end, version) in [(u64::from(u32::MAX), 42), (1000, 43)] {
                let options =
                    SaveOptions { big_endian: Some(big_endian), ..SaveOptions::default() };
                let meta = CubeMeta { nodata: Some(-1.0), ..CubeMeta::default() };
                let mut writer = TiffWriter::create(&path, [3, 20, 7], &meta, &options)?;
                writer.classic_end = classic_end;
                writer.write(data.view())?;
                Box::new(writer).finish()?;
                let head = std::fs::read(&path).map_err(Error::io(&path))?;
                assert_eq!(head[if big_endian { 3 } else { 2 }], version);
                let reader = TiffReader::open(&path, &OpenOptions::default())?;
                assert_eq!(reader.read(&[0, 1, 2], 0..20, 0..7)?, data);
                assert_eq!(reader.meta().nodata, Some(-1.0));
            }
        }
        Ok(())
    }
}
