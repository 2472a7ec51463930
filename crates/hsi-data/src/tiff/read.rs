//! Windows of a TIFF file.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use ndarray::Array3;
use rayon::prelude::*;

use super::codec::Method;
use super::directory::Input;
use super::layout::Layout;
use super::meta;
use super::predict::Rows;
use crate::arrays::FileBytes;
use crate::error::{Error, Result};
use crate::fault::{AtPath, Parsed, bad};
use crate::io::OpenOptions;
use crate::meta::{Axes, CubeMeta, Format, SampleType, Source};
use crate::samples::{Element, Samples, check_selection, with_dtype};
use crate::stream::CubeReader;

/// Tiles of a row that are unpacked at once.
const TILES: usize = 8;

/// A TIFF file, of which the strips and tiles of a window are unpacked when it is read.
#[derive(Debug)]
pub(crate) struct TiffReader {
    input: Input,
    path: PathBuf,
    layout: Layout,
    meta: CubeMeta,
}

/// Rows of a chunk, unpacked.
struct Piece {
    bytes: Vec<u8>,
    /// Bytes before the first row that was asked for.
    skip: usize,
}

impl TiffReader {
    pub(crate) fn open(path: &Path, options: &OpenOptions) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path))?;
        let bytes = FileBytes::file(file).map_err(Error::io(path))?;
        let (input, first) = Input::open(bytes).at(path, Format::Tiff)?;
        let directories = input.directories(first).at(path, Format::Tiff)?;
        let layout = Layout::read(&input, &directories).at(path, Format::Tiff)?;
        let overflow =
            || Error::ShapeOverflow { path: path.to_path_buf(), shape: layout.shape.to_vec() };
        let unpacked = layout.unpacked().ok_or_else(overflow)?;
        if unpacked > input.bytes.len() {
            options.check_unpacked(path, unpacked, input.bytes.len())?;
        }
        let described = directories.first().map(|first| meta::read(&input, first, layout.shape[0]));
        let (mut meta, extras) =
            described.unwrap_or_else(|| Ok(Default::default())).at(path, Format::Tiff)?;
        meta.nodata = options.nodata.or(meta.nodata);
        meta.validate(layout.shape[0])?;
        let filter = layout.predictor != super::predict::Predictor::None;
        meta.source = Some(Source {
            big_endian: input.big_endian,
            axes: if layout.together == 1 { Axes::Bhw } else { Axes::Hwb },
            compression: layout.method.compression(filter),
            chunk: Some([layout.together, layout.size[0], layout.size[1]]),
            extras,
            ..Source::new(path, Format::Tiff, layout.dtype)
        });
        Ok(Self { input, path: path.to_path_buf(), layout, meta })
    }

    /// Some rows of a chunk, counted from its first one.
    fn piece(&self, nth: usize, height: usize, rows: Range<usize>) -> Parsed<Piece> {
        let layout = &self.layout;
        let row = layout.row_bytes().ok_or("too large a strip or tile")?;
        let chunk = *layout.chunks.get(nth).ok_or("a strip or tile is missing")?;
        let skip = rows.start * row;
        if chunk.len == 0 {
            // It was never written: nothing was measured there.
            let mut bytes = Vec::new();
            let fill = self.meta.nodata.unwrap_or(0.0);
            with_dtype!(layout.dtype, T => {
                let samples = vec![<T as Element>::from_f64(fill); rows.len() * row / size_of::<T>()];
                T::encode(&samples, self.input.big_endian, &mut bytes);
            });
            return Ok(Piece { bytes, skip: 0 });
        }
        if layout.method == Method::None {
            let wanted = (height * row) as u64;
            if chunk.len < wanted {
                return bad!("a strip or tile of {} bytes, not {wanted}", chunk.len);
            }
            let at = chunk.at.checked_add(skip as u64).ok_or("an address beyond 64 bits")?;
            let bytes = self.input.bytes.bytes(at, (rows.len() * row) as u64)?;
            return Ok(Piece { bytes, skip: 0 });
        }
        let packed = self.input.bytes.bytes(chunk.at, chunk.len)?;
        let mut bytes = layout.method.unpack(packed, height * row)?;
        let form = Rows {
            count: layout.size[1] * layout.together,
            together: layout.together,
            size: layout.dtype.size(),
            big_endian: self.input.big_endian,
        };
        let wanted = bytes.get_mut(skip..rows.end * row).ok_or("a strip or tile is too short")?;
        layout.predictor.undo(form, wanted);
        Ok(Piece { bytes, skip })
    }

    fn decode<T: Element>(
        &self,
        bands: &[usize],
        rows: Range<usize>,
        cols: Range<usize>,
    ) -> Parsed<Array3<T>> {
        let layout = &self.layout;
        let planar = layout.together == 1;
        let (planes, pixel) = if planar { (bands.len(), 1) } else { (1, bands.len()) };
        let line = cols.len() * pixel;
        let mut out = vec![T::default(); planes * rows.len() * line];
        // The rows of each plane, cut where chunks end.
        let mut slabs = Vec::new();
        for (nth, mut plane) in out.chunks_mut(rows.len() * line).enumerate() {
            let mut start = rows.start;
            while start < rows.end {
                let end = ((start / layout.size[0] + 1) * layout.size[0]).min(rows.end);
                let (slab, rest) = plane.split_at_mut((end - start) * line);
                slabs.push((if planar { bands[nth] } else { 0 }, start..end, slab));
                (plane, start) = (rest, end);
            }
        }
        slabs.into_par_iter().try_for_each(|(plane, rows, slab)| {
            self.slab(plane, bands, rows, cols.clone(), slab)
        })?;
        let array = if planar {
            Array3::from_shape_vec((bands.len(), rows.len(), cols.len()), out)
        } else {
            Array3::from_shape_vec((rows.len(), cols.len(), bands.len()), out)
                .map(|array| array.permuted_axes([2, 0, 1]))
        };
        Ok(array.unwrap_or_default())
    }

    /// Fills rows that lie in one row of chunks of a plane.
    fn slab<T: Element>(
        &self,
        plane: usize,
        bands: &[usize],
        rows: Range<usize>,
        cols: Range<usize>,
        out: &mut [T],
    ) -> Parsed<()> {
        let layout = &self.layout;
        let [height, width] = layout.size;
        let [per_column, across] = layout.grid();
        let down = rows.start / height;
        let first = (plane * per_column + down) * across;
        let inside = rows.start - down * height..rows.end - down * height;
        let chunks: Vec<usize> = (cols.start / width..=(cols.end - 1) / width).collect();
        for group in chunks.chunks(TILES) {
            let piece = |&at: &usize| self.piece(first + at, layout.height(down), inside.clone());
            let pieces: Vec<Piece> = match group {
                [only] => vec![piece(only)?],
                several => several.par_iter().map(piece).collect::<Parsed<_>>()?,
            };
            for (piece, at) in pieces.iter().zip(group) {
                let left = at * width;
                let part = cols.start.max(left)..cols.end.min(left + width);
                let pixel = if layout.together == 1 { 1 } else { bands.len() };
                let lines = out.chunks_mut(cols.len() * pixel);
                let start = (part.start - cols.start) * pixel;
                let lines = lines.map(|line| &mut line[start..start + part.len() * pixel]);
                self.copy(piece, part.start - left, bands, lines);
            }
        }
        Ok(())
    }

    /// Decodes some columns of a piece, row by row.
    fn copy<'a, T: Element>(
        &self,
        piece: &Piece,
        col: usize,
        bands: &[usize],
        lines: impl Iterator<Item = &'a mut [T]>,
    ) {
        let (size, together) = (self.layout.dtype.size(), self.layout.together);
        let (big, row_bytes) = (self.input.big_endian, self.layout.row_bytes().unwrap_or(0));
        let ordered = bands.windows(2).all(|pair| pair[1] == pair[0] + 1);
        for (row, out) in lines.enumerate() {
            let at = piece.skip + row * row_bytes + col * together * size;
            let bytes = piece.bytes.get(at..).unwrap_or_default();
            if together == 1 || (ordered && bands.len() == together) {
                T::decode(bytes, size, big, out);
                continue;
            }
            for (pixel, out) in out.chunks_mut(bands.len()).enumerate() {
                let pixel = bytes.get(pixel * together * size..).unwrap_or_default();
                if ordered {
                    let from = pixel.get(bands[0] * size..).unwrap_or_default();
                    T::decode(from, size, big, out);
                    continue;
                }
                for (out, band) in out.iter_mut().zip(bands) {
                    let from = pixel.get(band * size..).unwrap_or_default();
                    T::decode(from, size, big, std::slice::from_mut(out));
                }
            }
        }
    }
}

impl CubeReader for TiffReader {
    fn shape(&self) -> [usize; 3] {
        self.layout.shape
    }

    fn meta(&self) -> &CubeMeta {
        &self.meta
    }

    fn dtype(&self) -> SampleType {
        self.layout.dtype
    }

    fn block_rows(&self) -> usize {
        // Rows of what is not packed are read one by one.
        if self.layout.method == Method::None { 1 } else { self.layout.size[0] }
    }

    fn read_samples(
        &self,
        bands: &[usize],
        rows: Range<usize>,
        cols: Range<usize>,
    ) -> Result<Samples> {
        check_selection(self.layout.shape, bands, &rows, &cols)?;
        with_dtype!(self.layout.dtype, T => {
            self.decode::<T>(bands, rows, cols).map(T::wrap).at(&self.path, Format::Tiff)
        })
    }
}
