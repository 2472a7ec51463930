//! Transforms of images over several levels.

use std::ops::Range;

use ndarray::parallel::prelude::*;
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, NdFloat};

use super::Wavelet;
use super::line::{Taps, analyse, analyse_columns, synthesise, synthesise_columns};
use crate::{Error, Result};

/// What a subband holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orientation {
    /// Low frequencies in both directions.
    Approximation,
    /// Low along a row, high along a column: horizontal edges.
    Horizontal,
    /// High along a row, low along a column: vertical edges.
    Vertical,
    /// High in both directions.
    Diagonal,
}

/// A part of the coefficients of a transform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subband {
    /// The level, 1 the finest.
    pub level: usize,
    /// What it holds.
    pub orientation: Orientation,
    /// Its rows.
    pub rows: usize,
    /// Its columns.
    pub cols: usize,
    /// Where its coefficients stand, row by row.
    pub range: Range<usize>,
}

/// A wavelet transform of images of one size over several levels.
///
/// The coefficients of an image stand in one sequence: the approximation of the coarsest level,
/// then from the coarsest level to the finest the horizontal, vertical and diagonal details.
///
/// # Examples
/// ```
/// use hsi_baselines::wavelet::{Wavelet, WaveletTransform};
/// use ndarray::Array3;
///
/// let cube = Array3::from_shape_fn((3, 7, 10), |(b, r, c)| (b * r + c) as f32);
/// let transform = WaveletTransform::new(Wavelet::daubechies(5)?, 2, (7, 10))?;
/// let coefficients = transform.forward(cube.view())?;
/// assert_eq!(coefficients.dim(), (3, transform.len()));
/// let again = transform.inverse(coefficients.view())?;
/// assert!((again - cube).iter().all(|x| x.abs() < 1e-4));
/// # Ok::<(), hsi_baselines::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct WaveletTransform {
    wavelet: Wavelet,
    size: (usize, usize),
    subbands: Vec<Subband>,
    len: usize,
}

impl WaveletTransform {
    /// Most levels that are supported.
    pub const MAX_LEVELS: usize = 16;

    /// Plans the transform of images of `size` rows and columns over `levels` levels, maybe none.
    ///
    /// # Errors
    /// [`Error::Parameter`] for more than 16 levels, [`Error::Empty`] for an image without pixels.
    pub fn new(wavelet: Wavelet, levels: usize, size: (usize, usize)) -> Result<Self> {
        if levels > Self::MAX_LEVELS {
            return Err(Error::Parameter {
                method: "wavelet",
                parameter: "levels",
                expected: "at most 16",
                got: levels as f64,
            });
        }
        if size.0 == 0 || size.1 == 0 {
            return Err(Error::Empty { shape: [1, size.0, size.1] });
        }
        let sizes: Vec<(usize, usize)> = std::iter::successors(Some(size), |&(rows, cols)| {
            Some((wavelet.half(rows), wavelet.half(cols)))
        })
        .skip(1)
        .take(levels)
        .collect();
        let mut subbands = Vec::with_capacity(3 * levels + 1);
        let mut len = 0;
        let mut push = |level, orientation, (rows, cols): (usize, usize)| {
            let range = len..len + rows * cols;
            len = range.end;
            subbands.push(Subband { level, orientation, rows, cols, range });
        };
        push(levels, Orientation::Approximation, sizes.last().copied().unwrap_or(size));
        for (index, &size) in sizes.iter().enumerate().rev() {
            push(index + 1, Orientation::Horizontal, size);
            push(index + 1, Orientation::Vertical, size);
            push(index + 1, Orientation::Diagonal, size);
        }
        Ok(Self { wavelet, size, subbands, len })
    }

    /// Returns the number of coefficients of an image, at least one.
    #[allow(clippy::len_without_is_empty)] // it never is
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns the number of levels.
    pub fn levels(&self) -> usize {
        self.subbands.len() / 3
    }

    /// Returns the subbands in the order of the coefficients.
    pub fn subbands(&self) -> &[Subband] {
        &self.subbands
    }

    /// Returns where the approximation stands and where the details of each level do, the coarsest
    /// level first.
    pub fn groups(&self) -> Vec<Range<usize>> {
        let details = self.subbands[1..].chunks_exact(3);
        let details = details.map(|three| three[0].range.start..three[2].range.end);
        std::iter::once(self.subbands[0].range.clone()).chain(details).collect()
    }

    /// Transforms every image of a stack.
    ///
    /// # Shapes
    /// `images`: `[images, rows, cols]`; the result: `[images, len]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for images of another size.
    pub fn forward<T: NdFloat>(&self, images: ArrayView3<'_, T>) -> Result<Array2<T>> {
        let (count, rows, cols) = images.dim();
        if (rows, cols) != self.size {
            return Err(Error::Shape {
                expected: vec![count, self.size.0, self.size.1],
                got: images.shape().to_vec(),
            });
        }
        let mut coefficients = Array2::zeros((count, self.len));
        let taps = Taps::new(&self.wavelet);
        images
            .axis_iter(Axis(0))
            .into_par_iter()
            .zip(coefficients.axis_iter_mut(Axis(0)))
            .for_each(|(image, mut row)| {
                let row = row.as_slice_mut().expect("rows of a new array are contiguous");
                self.forward_one(&taps, image, row);
            });
        Ok(coefficients)
    }

    /// Rebuilds every image of a stack from its coefficients.
    ///
    /// # Shapes
    /// `coefficients`: `[images, len]`; the result: `[images, rows, cols]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of coefficients.
    pub fn inverse<T: NdFloat>(&self, coefficients: ArrayView2<'_, T>) -> Result<Array3<T>> {
        let (count, len) = coefficients.dim();
        if len != self.len {
            return Err(Error::Shape { expected: vec![count, self.len], got: vec![count, len] });
        }
        let mut images = Array3::zeros((count, self.size.0, self.size.1));
        let taps = Taps::new(&self.wavelet);
        coefficients
            .axis_iter(Axis(0))
            .into_par_iter()
            .zip(images.axis_iter_mut(Axis(0)))
            .for_each(|(row, mut image)| {
                let image = image.as_slice_mut().expect("images of a new array are contiguous");
                let row = row.as_standard_layout();
                self.inverse_one(&taps, row.as_slice().unwrap_or_default(), image);
            });
        Ok(images)
    }

    fn forward_one<T: NdFloat>(&self, taps: &Taps<T>, image: ArrayView2<'_, T>, out: &mut [T]) {
        let mut current: Vec<T> = image.iter().copied().collect();
        let (mut rows, mut cols) = self.size;
        let mut scratch = Vec::new();
        for three in self.subbands[1..].rchunks_exact(3) {
            let (high_rows, half) = (three[0].rows, three[0].cols);
            let mut low = vec![T::zero(); rows * half];
            let mut high = vec![T::zero(); rows * half];
            let halves = low.chunks_exact_mut(half).zip(high.chunks_exact_mut(half));
            for (line, (low, high)) in current.chunks_exact(cols).zip(halves) {
                analyse(taps, line, &mut scratch, low, high);
            }
            let mut next = vec![T::zero(); high_rows * half];
            analyse_columns(taps, &low, half, &mut next, &mut out[three[0].range.clone()]);
            let details = &mut out[three[1].range.start..three[2].range.end];
            let (vertical, diagonal) = details.split_at_mut(three[1].range.len());
            analyse_columns(taps, &high, half, vertical, diagonal);
            current = next;
            (rows, cols) = (high_rows, half);
        }
        out[self.subbands[0].range.clone()].copy_from_slice(&current);
    }

    fn inverse_one<T: NdFloat>(&self, taps: &Taps<T>, coefficients: &[T], image: &mut [T]) {
        let mut current = coefficients[self.subbands[0].range.clone()].to_vec();
        let mut scratch = Vec::new();
        for (index, three) in self.subbands[1..].chunks_exact(3).enumerate() {
            // The size of this level's image is that of the details of the next finer level.
            let finer = self.subbands.get(3 * index + 4);
            let (rows, cols) = finer.map_or(self.size, |band| (band.rows, band.cols));
            let view = |band: &Subband| {
                ArrayView2::from_shape((band.rows, band.cols), &coefficients[band.range.clone()])
                    .expect("a subband has as many coefficients as its shape says")
            };
            let half = three[0].cols;
            let approximation = ArrayView2::from_shape((three[0].rows, half), &current)
                .expect("the approximation has the shape of its details");
            let mut low = vec![T::zero(); rows * half];
            let mut high = vec![T::zero(); rows * half];
            synthesise_columns(taps, approximation, view(&three[0]), &mut low);
            synthesise_columns(taps, view(&three[1]), view(&three[2]), &mut high);
            let mut next = vec![T::zero(); rows * cols];
            let halves = low.chunks_exact(half).zip(high.chunks_exact(half));
            for (line, (low, high)) in next.chunks_exact_mut(cols).zip(halves) {
                synthesise(taps, low, high, &mut scratch, line);
            }
            current = next;
        }
        image.copy_from_slice(&current);
    }
}
