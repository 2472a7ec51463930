//! The cube: samples, band-first, with their metadata.

use std::fmt;
use std::ops::Range;

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, ArrayViewMut3, Axis, Zip, s};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::meta::{CubeMeta, equals_nodata};

/// Values that many products use for "nothing measured" without saying so.
const CONVENTIONAL_NODATA: [f32; 2] = [-32768.0, -9999.0];

/// A hyperspectral cube: `f32` samples in the layout `[bands, rows, cols]`, contiguous, none of
/// the axes empty, with metadata that fits the number of bands.
#[derive(Clone, PartialEq)]
pub struct Cube {
    data: Array3<f32>,
    meta: CubeMeta,
}

impl Cube {
    /// Joins samples and metadata.
    ///
    /// # Shapes
    /// - `data`: `[bands, rows, cols]`, copied only if it is not in standard layout.
    ///
    /// # Errors
    /// [`Error::EmptyCube`] if an axis is empty, [`Error::MetaLength`] or [`Error::Config`] if the
    /// metadata does not fit.
    pub fn new(data: Array3<f32>, meta: CubeMeta) -> Result<Self> {
        let (bands, rows, cols) = data.dim();
        if data.is_empty() {
            return Err(Error::EmptyCube { bands, rows, cols });
        }
        meta.validate(bands)?;
        let data =
            if data.is_standard_layout() { data } else { data.as_standard_layout().into_owned() };
        Ok(Self { data, meta })
    }

    /// Number of bands.
    pub fn bands(&self) -> usize {
        self.data.dim().0
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.data.dim().1
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.data.dim().2
    }

    /// The samples, `[bands, rows, cols]`.
    pub fn view(&self) -> ArrayView3<'_, f32> {
        self.data.view()
    }

    /// The samples for writing, `[bands, rows, cols]`.
    pub fn view_mut(&mut self) -> ArrayViewMut3<'_, f32> {
        self.data.view_mut()
    }

    /// Gives the samples away, `[bands, rows, cols]`, in standard layout.
    pub fn into_array(self) -> Array3<f32> {
        self.data
    }

    /// Takes samples and metadata apart.
    pub fn into_parts(self) -> (Array3<f32>, CubeMeta) {
        (self.data, self.meta)
    }

    /// The metadata.
    pub fn meta(&self) -> &CubeMeta {
        &self.meta
    }

    /// The same metadata, source included, on other samples: what a denoiser made of this cube.
    ///
    /// # Errors
    /// [`Error::EmptyCube`] or [`Error::MetaLength`] if the samples do not fit the metadata.
    pub fn with_data(&self, data: Array3<f32>) -> Result<Self> {
        Self::new(data, self.meta.clone())
    }

    /// Replaces the metadata.
    ///
    /// # Errors
    /// [`Error::MetaLength`] or [`Error::Config`] if it does not fit.
    pub fn set_meta(&mut self, meta: CubeMeta) -> Result<()> {
        meta.validate(self.bands())?;
        self.meta = meta;
        Ok(())
    }

    /// Name for messages: the source's path, or `cube`.
    pub fn name(&self) -> String {
        let path = self.meta.source.as_ref().map(|source| source.path.display().to_string());
        path.unwrap_or_else(|| "cube".to_owned())
    }

    /// Indices of the bands that can be used: neither flagged bad nor nodata in every pixel.
    ///
    /// A cube without a declared nodata value loses the bands that are -32768 or -9999 in every
    /// pixel, which is how many products mark a band that was not measured.
    pub fn valid_bands(&self) -> Vec<usize> {
        let bad = self.meta.bad_bands.as_deref();
        self.data
            .axis_iter(Axis(0))
            .into_par_iter()
            .enumerate()
            .filter(|(b, band)| {
                bad.is_none_or(|bad| bad.get(*b) != Some(&true))
                    && !is_nodata_band(band.view(), self.meta.nodata)
            })
            .map(|(b, _)| b)
            .collect()
    }

    /// Pixels that are nodata in at least one valid band; `None` if there are none, or no nodata
    /// value is declared.
    ///
    /// # Shapes
    /// - output: `[rows, cols]`
    pub fn nodata_mask(&self) -> Option<Array2<bool>> {
        let nodata = self.meta.nodata? as f32;
        let mut mask = Array2::from_elem((self.rows(), self.cols()), false);
        for band in self.valid_bands() {
            Zip::from(&mut mask)
                .and(self.data.index_axis(Axis(0), band))
                .par_for_each(|m, &v| *m |= equals_nodata(v, nodata));
        }
        mask.iter().any(|&m| m).then_some(mask)
    }

    /// Some of the bands, in the given order, with their metadata.
    ///
    /// # Errors
    /// [`Error::BandIndex`] for a band that is not there, [`Error::EmptyCube`] for no bands.
    pub fn select_bands(&self, bands: &[usize]) -> Result<Self> {
        if let Some(&index) = bands.iter().find(|&&b| b >= self.bands()) {
            return Err(Error::BandIndex { index, bands: self.bands() });
        }
        let data = self.data.select(Axis(0), bands);
        Self::new(data, self.meta.select_bands(bands))
    }

    /// A rectangle of pixels, with the geo tags moved to its corner.
    ///
    /// # Errors
    /// [`Error::Window`] if the rectangle is empty or reaches over the edge.
    pub fn window(&self, rows: Range<usize>, cols: Range<usize>) -> Result<Self> {
        check_window("rows", &rows, self.rows())?;
        check_window("columns", &cols, self.cols())?;
        let meta = self.meta.shifted(rows.start, cols.start);
        Self::new(self.data.slice(s![.., rows, cols]).as_standard_layout().into_owned(), meta)
    }

    /// Checks that every sample is a finite number; nodata is allowed, NaN as nodata too.
    ///
    /// # Errors
    /// [`Error::NotFinite`] with the number of samples and the place of the first.
    pub fn check_finite(&self) -> Result<()> {
        check_finite(self.view(), self.meta.nodata, || self.name())
    }
}

impl fmt::Debug for Cube {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cube")
            .field("shape", &self.data.shape())
            .field("meta", &self.meta)
            .finish_non_exhaustive()
    }
}

/// Checks a range against the size of its axis.
pub(crate) fn check_window(axis: &'static str, range: &Range<usize>, size: usize) -> Result<()> {
    if range.start < range.end && range.end <= size {
        return Ok(());
    }
    Err(Error::Window { axis, start: range.start, end: range.end, size })
}

/// Whether every sample of a band is nodata, declared or by convention.
pub(crate) fn is_nodata_band(band: ArrayView2<'_, f32>, nodata: Option<f64>) -> bool {
    if let Some(nodata) = nodata {
        return band.iter().all(|&v| equals_nodata(v, nodata as f32));
    }
    let first = band.first().copied().unwrap_or_default();
    CONVENTIONAL_NODATA.contains(&first) && band.iter().all(|&v| v == first)
}

/// Checks that every sample is finite or nodata.
pub(crate) fn check_finite(
    view: ArrayView3<'_, f32>,
    nodata: Option<f64>,
    name: impl FnOnce() -> String,
) -> Result<()> {
    let nodata = nodata.map(|v| v as f32);
    let offends = |v: f32| !v.is_finite() && !nodata.is_some_and(|n| equals_nodata(v, n));
    let found: Vec<(usize, usize)> = view
        .axis_iter(Axis(0))
        .into_par_iter()
        .enumerate()
        .map(|(b, band)| (b, band.iter().filter(|&&v| offends(v)).count()))
        .filter(|&(_, count)| count > 0)
        .collect();
    let Some(&(band, _)) = found.first() else {
        return Ok(());
    };
    let place = view.index_axis(Axis(0), band);
    let place = place.indexed_iter().find(|&(_, &v)| offends(v));
    let (row, col) = place.map_or((0, 0), |(place, _)| place);
    let count = found.iter().map(|&(_, count)| count).sum();
    Err(Error::NotFinite { name: name(), count, band, row, col })
}
