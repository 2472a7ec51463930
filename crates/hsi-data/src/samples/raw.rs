//! Samples that lie in a file as they are, in some order of axes.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;

use memmap2::MmapOptions;
use ndarray::Array3;
use rayon::prelude::*;

use super::{Element, Samples, inverse, with_dtype};
use crate::cube::check_window;
use crate::error::{Error, Result};
use crate::meta::{Axes, SampleType};

/// Where the samples of a cube lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawLayout {
    pub(crate) dtype: SampleType,
    pub(crate) big_endian: bool,
    /// Bytes before the first sample.
    pub(crate) offset: u64,
    /// Bands, rows, columns.
    pub(crate) shape: [usize; 3],
    /// Axes of the cube (0 bands, 1 rows, 2 columns) from the slowest in the file to the fastest.
    pub(crate) order: [usize; 3],
}

/// Checks that bands and windows lie within a cube.
pub(crate) fn check_selection(
    shape: [usize; 3],
    bands: &[usize],
    rows: &Range<usize>,
    cols: &Range<usize>,
) -> Result<()> {
    if let Some(&index) = bands.iter().find(|&&b| b >= shape[0]) {
        return Err(Error::BandIndex { index, bands: shape[0] });
    }
    if bands.is_empty() {
        return Err(Error::Window { axis: "bands", start: 0, end: 0, size: shape[0] });
    }
    check_window("rows", rows, shape[1])?;
    check_window("columns", cols, shape[2])
}

impl RawLayout {
    /// The order of axes of a file, reversed for column-major files.
    pub(crate) fn order_of(axes: Axes, fortran_order: bool) -> [usize; 3] {
        let [a, b, c] = axes.order();
        if fortran_order { [c, b, a] } else { [a, b, c] }
    }

    /// Offset and all samples, in bytes; `None` if there are impossibly many.
    pub(crate) fn file_len(&self) -> Option<u64> {
        let count = self.shape.iter().try_fold(1_u64, |n, &d| n.checked_mul(d as u64))?;
        // Room for the same samples in the widest type.
        let room = count.checked_mul(8).filter(|&n| isize::try_from(n).is_ok());
        room.and(count.checked_mul(self.dtype.size() as u64)?.checked_add(self.offset))
    }

    /// Distance in bytes from one band, row, column to the next.
    fn strides(&self) -> [usize; 3] {
        let [_, middle, fastest] = self.order.map(|axis| self.shape[axis]);
        let mut strides = [0; 3];
        for (axis, stride) in self.order.into_iter().zip([middle * fastest, fastest, 1]) {
            strides[axis] = stride * self.dtype.size();
        }
        strides
    }

    /// Reads a box through a memory map that lives as long as the call, so that pages once read
    /// do not count as this program's memory.
    ///
    /// The file must not be shortened meanwhile: the operating system then ends the program.
    pub(crate) fn read(
        &self,
        file: &File,
        path: &Path,
        bands: &[usize],
        rows: Range<usize>,
        cols: Range<usize>,
    ) -> Result<Samples> {
        check_selection(self.shape, bands, &rows, &cols)?;
        let strides = self.strides();
        let at = |band: usize, row: usize, col: usize| {
            band * strides[0] + row * strides[1] + col * strides[2]
        };
        let first = bands.iter().min().copied().unwrap_or(0);
        let last = bands.iter().max().copied().unwrap_or(0);
        let start = at(first, rows.start, cols.start);
        let end = at(last, rows.end - 1, cols.end - 1) + self.dtype.size();
        let expected = self.offset + end as u64;
        let got = file.metadata().map_err(Error::io(path))?.len();
        if got < expected {
            return Err(Error::FileSize { path: path.to_path_buf(), expected, got });
        }
        // SAFETY: the map is read-only, and its end was checked against the length of the file;
        // that nobody shortens the file meanwhile is the documented condition of every memory map.
        let map = unsafe {
            MmapOptions::new().offset(self.offset + start as u64).len(end - start).map(file)
        };
        let map = map.map_err(Error::io(path))?;
        Ok(with_dtype!(self.dtype, T => {
            T::wrap(self.decode::<T>(&map, at, start, bands, &rows, &cols))
        }))
    }

    /// Decodes a box in the order of the file.
    fn decode<T: Element>(
        &self,
        map: &[u8],
        at: impl Fn(usize, usize, usize) -> usize + Sync,
        start: usize,
        bands: &[usize],
        rows: &Range<usize>,
        cols: &Range<usize>,
    ) -> Array3<T> {
        let size = [bands.len(), rows.len(), cols.len()];
        let [slowest, middle, fastest] = self.order.map(|axis| size[axis]);
        let mut out = vec![T::default(); slowest * middle * fastest];
        let ordered = bands.windows(2).all(|pair| pair[1] == pair[0] + 1);
        let stride = self.strides()[self.order[2]];
        let place = |outer: usize, mid: usize, inner: usize| {
            let mut index = [0; 3];
            for (axis, i) in self.order.into_iter().zip([outer, mid, inner]) {
                index[axis] = i;
            }
            at(bands[index[0]], rows.start + index[1], cols.start + index[2]) - start
        };
        let lines = out.par_chunks_mut(fastest).with_min_len((1 << 14) / fastest.min(1 << 14));
        lines.enumerate().for_each(|(line, out)| {
            let (outer, mid) = (line / middle, line % middle);
            if self.order[2] != 0 || ordered {
                let bytes = map.get(place(outer, mid, 0)..).unwrap_or_default();
                T::decode(bytes, stride, self.big_endian, out);
            } else {
                for (inner, out) in out.iter_mut().enumerate() {
                    let bytes = map.get(place(outer, mid, inner)..).unwrap_or_default();
                    T::decode(bytes, stride, self.big_endian, std::slice::from_mut(out));
                }
            }
        });
        let array = Array3::from_shape_vec((slowest, middle, fastest), out);
        array.map(|array| array.permuted_axes(inverse(self.order))).unwrap_or_default()
    }

    /// Writes the rows from `row` on, all bands.
    pub(crate) fn write_rows(
        &self,
        file: &mut (impl Write + Seek),
        row: usize,
        samples: &Samples,
    ) -> std::io::Result<()> {
        let [bands, rows, cols] = samples.shape();
        let strides = self.strides();
        let mut bytes = Vec::new();
        let axes = |order: [usize; 3]| match order {
            [0, 1, 2] => Some(Axes::Bhw),
            [1, 0, 2] => Some(Axes::Hbw),
            [1, 2, 0] => Some(Axes::Hwb),
            _ => None,
        };
        match (axes(self.order), self.order[0]) {
            // The rows are one run.
            (Some(axes), 1) => {
                samples.encode_box(axes, [0..bands, 0..rows, 0..cols], self.big_endian, &mut bytes);
                file.seek(SeekFrom::Start(self.offset + (row * strides[1]) as u64))?;
                file.write_all(&bytes)
            }
            (Some(axes), _) => {
                for band in 0..bands {
                    bytes.clear();
                    let part = [band..band + 1, 0..rows, 0..cols];
                    samples.encode_box(axes, part, self.big_endian, &mut bytes);
                    let at = band * strides[0] + row * strides[1];
                    file.seek(SeekFrom::Start(self.offset + at as u64))?;
                    file.write_all(&bytes)?;
                }
                Ok(())
            }
            (None, _) => self.write_reversed(file, row, samples),
        }
    }

    /// Column-major files: a run for every index of the axes that are slower than the rows.
    fn write_reversed(
        &self,
        file: &mut (impl Write + Seek),
        row: usize,
        samples: &Samples,
    ) -> std::io::Result<()> {
        let strides = self.strides();
        let size = samples.shape();
        let mut bytes = Vec::new();
        with_samples_of(samples, self.order, self.big_endian, &mut bytes);
        let place = inverse(self.order)[1];
        let run: usize = self.order[place..].iter().map(|&axis| size[axis]).product();
        let run = run * self.dtype.size();
        let outer: Vec<usize> = self.order[..place].to_vec();
        for (nth, bytes) in bytes.chunks(run.max(1)).enumerate() {
            let (mut rest, mut at) = (nth, row * strides[1]);
            for &axis in outer.iter().rev() {
                at += rest % size[axis] * strides[axis];
                rest /= size[axis];
            }
            file.seek(SeekFrom::Start(self.offset + at as u64))?;
            file.write_all(bytes)?;
        }
        Ok(())
    }
}

/// The bytes of all samples in any order of axes.
fn with_samples_of(samples: &Samples, order: [usize; 3], big_endian: bool, bytes: &mut Vec<u8>) {
    super::with_samples!(samples, array => {
        let copy = super::in_order(array.view().permuted_axes(order));
        Element::encode(copy.as_slice().unwrap_or_default(), big_endian, bytes);
    });
}
