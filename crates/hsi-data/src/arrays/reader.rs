//! Cubes in named arrays.

use std::fmt::Debug;
use std::ops::Range;
use std::path::Path;

use ndarray::Array3;

use super::boxes::{Side, copy_box, place, strides};
use super::stored::{StoredArray, choose};
use crate::error::{Error, Result};
use crate::io::OpenOptions;
use crate::meta::{Axes, CubeMeta, SampleType};
use crate::samples::{
    Element, RawLayout, Samples, check_selection, in_order, inverse, with_dtype, with_samples,
};
use crate::stream::CubeReader;

/// An array of numbers that is read box by box.
pub(crate) trait ArraySource: Debug + Send + Sync {
    /// Type of the stored samples.
    fn dtype(&self) -> SampleType;

    /// Whether the samples are big-endian.
    fn big_endian(&self) -> bool;

    /// Size of each axis, the last varying fastest.
    fn dims(&self) -> &[u64];

    /// Size of the boxes that are packed together.
    fn chunk(&self) -> Option<&[u64]> {
        None
    }

    /// Reads a box in C order.
    fn read(&self, start: &[u64], count: &[u64], out: &mut [u8]) -> Result<()>;
}

/// Which array of a file is the cube, and how its axes are those of a cube.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Index of the array.
    pub(crate) index: usize,
    /// Whether pixels are one axis of the array.
    is_matrix: bool,
    /// Place of the axis of pixels, if so.
    pixels: usize,
    /// Sizes in the order of the file, from the slowest axis to the fastest; pixels count as two.
    dims: [usize; 3],
    /// Axes of the cube (0 bands, 1 rows, 2 columns) in the same order.
    order: [usize; 3],
}

impl Plan {
    /// Bands, rows and columns.
    pub(crate) fn shape(&self) -> [usize; 3] {
        inverse(self.order).map(|place| self.dims[place])
    }

    /// Sizes along the axes of the file, as bands, rows and columns.
    pub(crate) fn to_cube(&self, file: &[u64]) -> Option<[usize; 3]> {
        let &[a, b, c] = file else { return None };
        Some(inverse(self.order).map(|place| [a, b, c][place] as usize))
    }
}

/// Chooses the array of a file that is meant. Shapes are those that the format shows; in
/// column-major formats the first axis varies fastest.
pub(crate) fn plan(
    path: &Path,
    arrays: &[StoredArray],
    options: &OpenOptions,
    axes: impl Fn(usize) -> Axes,
    column_major: bool,
) -> Result<Plan> {
    let name = options.variable.as_deref();
    if let Some((rows, cols)) = options.reshape {
        let wanted = "one matrix of so many pixels";
        let pixels = rows.saturating_mul(cols);
        let fits = |array: &StoredArray| array.shape.len() == 2 && array.shape.contains(&pixels);
        let index = choose(path, arrays, name, wanted, fits)?;
        let shape = &arrays[index].shape;
        if shape.len() != 2 || !shape.contains(&pixels) {
            let (expected, got) = (vec![rows, cols], shape.clone());
            return Err(Error::Shape { what: "the matrix to be reshaped", expected, got });
        }
        // Bands are rows of the matrix, where either could be.
        let transposed = shape[1] != pixels;
        let bands = shape[usize::from(transposed)];
        // The pixels vary as the format's own arrays do.
        let (outer, inner) =
            if column_major { ((2, cols), (1, rows)) } else { ((1, rows), (2, cols)) };
        let bands_first = transposed == column_major;
        let (dims, order) = if bands_first {
            ([bands, outer.1, inner.1], [0, outer.0, inner.0])
        } else {
            ([outer.1, inner.1, bands], [outer.0, inner.0, 0])
        };
        let plan = Plan { index, is_matrix: true, pixels: usize::from(bands_first), dims, order };
        return plan.not_empty();
    }
    let wanted = "one three-axis numeric array";
    let index = choose(path, arrays, name, wanted, |array| array.shape.len() == 3)?;
    let shape = &arrays[index].shape;
    let &[a, b, c] = shape.as_slice() else {
        return Err(Error::NotACube { path: path.to_path_buf(), shape: shape.clone() });
    };
    let order = RawLayout::order_of(axes(index), column_major);
    let dims = if column_major { [c, b, a] } else { [a, b, c] };
    Plan { index, is_matrix: false, pixels: 0, dims, order }.not_empty()
}

impl Plan {
    fn not_empty(self) -> Result<Self> {
        let [bands, rows, cols] = self.shape();
        if bands == 0 || rows == 0 || cols == 0 {
            return Err(Error::EmptyCube { bands, rows, cols });
        }
        Ok(self)
    }
}

/// A cube that is an array of a file.
#[derive(Debug)]
pub(crate) struct ArrayReader {
    source: Box<dyn ArraySource>,
    plan: Plan,
    meta: CubeMeta,
}

impl ArrayReader {
    pub(crate) fn new(source: Box<dyn ArraySource>, plan: Plan, meta: CubeMeta) -> Result<Self> {
        meta.validate(plan.shape()[0])?;
        Ok(Self { source, plan, meta })
    }

    /// Reads a box whose axes are those of the plan.
    fn read_box(&self, start: [u64; 3], count: [u64; 3], out: &mut [u8]) -> Result<()> {
        if !self.plan.is_matrix {
            return self.source.read(&start, &count, out);
        }
        // All of the inner axis of the pixels is read, so that they are one run.
        let first = self.plan.pixels;
        let inner = self.plan.dims[first + 1] as u64;
        let (pixels, many) = (start[first] * inner, count[first] * inner);
        let bands = usize::from(first == 0) * 2;
        let (from, whole) = if first == 0 {
            ([pixels, start[2]], [many, count[2]])
        } else {
            ([start[0], pixels], [count[0], many])
        };
        let size = self.source.dtype().size();
        let mut bytes = vec![0; (many * count[bands]) as usize * size];
        self.source.read(&from, &whole, &mut bytes)?;
        let (mut dims, mut at) = (count, [0; 3]);
        (dims[first + 1], at[first + 1]) = (inner, start[first + 1]);
        let steps = strides(&dims, size);
        let from = Side { at: place(&at, &steps), steps: &steps };
        let to = Side { at: 0, steps: &strides(&count, size) };
        copy_box((&bytes, from), (out, to), &count, size);
        Ok(())
    }
}

impl CubeReader for ArrayReader {
    fn shape(&self) -> [usize; 3] {
        self.plan.shape()
    }

    fn meta(&self) -> &CubeMeta {
        &self.meta
    }

    fn dtype(&self) -> SampleType {
        self.source.dtype()
    }

    fn block_rows(&self) -> usize {
        let chunk = self.source.chunk().and_then(|chunk| self.plan.to_cube(chunk));
        chunk.map_or(1, |[_, rows, _]| rows)
    }

    fn read_samples(
        &self,
        bands: &[usize],
        rows: Range<usize>,
        cols: Range<usize>,
    ) -> Result<Samples> {
        check_selection(self.shape(), bands, &rows, &cols)?;
        let size = self.dtype().size();
        let order = self.plan.order;
        let in_file = |cube: [usize; 3]| order.map(|axis| cube[axis] as u64);
        let count = in_file([bands.len(), rows.len(), cols.len()]);
        let total = count.iter().try_fold(size as u64, |n, &c| n.checked_mul(c));
        let total = total.and_then(|n| isize::try_from(n).ok()).ok_or_else(|| {
            let path = self.meta.source.as_ref().map(|source| source.path.clone());
            let shape = vec![bands.len(), rows.len(), cols.len()];
            Error::ShapeOverflow { path: path.unwrap_or_default(), shape }
        })?;
        let mut bytes = vec![0; total as usize];
        let runs: Vec<&[usize]> = bands.chunk_by(|a, b| a + 1 == *b).collect();
        let mut done = 0;
        for run in &runs {
            let start = in_file([run[0], rows.start, cols.start]);
            let part = in_file([run.len(), rows.len(), cols.len()]);
            if runs.len() == 1 {
                self.read_box(start, part, &mut bytes)?;
                break;
            }
            let mut piece = vec![0; part.iter().product::<u64>() as usize * size];
            self.read_box(start, part, &mut piece)?;
            let steps = strides(&count, size);
            let to = Side { at: place(&in_file([done, 0, 0]), &steps), steps: &steps };
            let from = Side { at: 0, steps: &strides(&part, size) };
            copy_box((&piece, from), (&mut bytes, to), &part, size);
            done += run.len();
        }
        Ok(decode(self.dtype(), self.source.big_endian(), order, count, &bytes))
    }
}

/// Decodes bytes in an order of the axes of a cube.
fn decode(
    dtype: SampleType,
    big_endian: bool,
    order: [usize; 3],
    dims: [u64; 3],
    bytes: &[u8],
) -> Samples {
    with_dtype!(dtype, T => {
        let mut samples = vec![T::default(); bytes.len() / dtype.size()];
        T::decode(bytes, dtype.size(), big_endian, &mut samples);
        let array = Array3::from_shape_vec(dims.map(|dim| dim as usize), samples);
        T::wrap(array.map(|array| array.permuted_axes(inverse(order))).unwrap_or_default())
    })
}

/// The bytes of samples in an order of the axes of a cube.
pub(crate) fn encode(samples: &Samples, order: [usize; 3], big_endian: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    with_samples!(samples, array => {
        let view = array.view().permuted_axes(order);
        if let Some(samples) = view.as_slice() {
            Element::encode(samples, big_endian, &mut bytes);
        } else {
            let copy = in_order(view);
            Element::encode(copy.as_slice().unwrap_or_default(), big_endian, &mut bytes);
        }
    });
    bytes
}
