//! Range and mean of a cube on disk, in one pass with bounded memory.

use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;

use crate::error::Result;
use crate::samples::{Element, with_samples};
use crate::stream::{CubeReader, rows_at_a_time};

/// What the samples of a band, or of a cube, are like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// Least sample, in the units of the file; NaN if there is none.
    pub min: f64,
    /// Greatest sample; NaN if there is none.
    pub max: f64,
    /// Mean of the samples; NaN if there are none.
    pub mean: f64,
    /// Samples that were counted: those that are neither nodata nor NaN.
    pub count: u64,
    /// Samples that are nodata.
    pub nodata: u64,
    /// Samples that are NaN without being nodata.
    pub nan: u64,
    sum: f64,
}

impl Default for Statistics {
    fn default() -> Self {
        let (min, max) = (f64::INFINITY, f64::NEG_INFINITY);
        Self { min, max, mean: f64::NAN, count: 0, nodata: 0, nan: 0, sum: 0.0 }
    }
}

impl Statistics {
    /// The statistics of all bands together.
    ///
    /// # Shapes
    /// - `bands`: one entry a band, as [`statistics`] gives them
    pub fn all(bands: &[Self]) -> Self {
        let all = bands.iter().fold(Self::default(), |all, band| Self {
            min: all.min.min(band.min),
            max: all.max.max(band.max),
            mean: f64::NAN,
            count: all.count + band.count,
            nodata: all.nodata + band.nodata,
            nan: all.nan + band.nan,
            sum: all.sum + band.sum,
        });
        all.finished()
    }

    fn add<T: Element>(&mut self, block: ArrayView2<'_, T>, nodata: Option<f64>) {
        for row in block.outer_iter() {
            // A row has few enough samples that a sum of it in f64 loses nothing.
            let mut sum = 0.0;
            for &sample in row {
                let value = sample.to_f64();
                if nodata.is_some_and(|nodata| value == nodata || value.is_nan() && nodata.is_nan())
                {
                    self.nodata += 1;
                } else if value.is_nan() {
                    self.nan += 1;
                } else {
                    self.min = self.min.min(value);
                    self.max = self.max.max(value);
                    self.count += 1;
                    sum += value;
                }
            }
            self.sum += sum;
        }
    }

    fn finished(mut self) -> Self {
        if self.count == 0 {
            (self.min, self.max) = (f64::NAN, f64::NAN);
        } else {
            self.mean = self.sum / self.count as f64;
        }
        self
    }
}

/// Range and mean of every band, from one pass over the file. Sums are in f64, row by row, whatever
/// the number of threads.
///
/// # Shapes
/// - output: one entry a band
///
/// # Errors
/// Those of [`CubeReader::read_samples`].
pub fn statistics(reader: &dyn CubeReader) -> Result<Vec<Statistics>> {
    let [bands, rows, cols] = reader.shape();
    let all: Vec<usize> = (0..bands).collect();
    // The value as the samples have it: a nodata value of -0.1 in a file of `f32`.
    let nodata = reader.meta().nodata;
    let nodata = nodata.map(|v| crate::samples::stored_value(v, reader.dtype()));
    let row_bytes = bands.saturating_mul(cols).saturating_mul(reader.dtype().size());
    let step = rows_at_a_time(row_bytes, [reader.block_rows(), 1], rows);
    let mut found = vec![Statistics::default(); bands];
    for start in (0..rows).step_by(step) {
        let samples = reader.read_samples(&all, start..(start + step).min(rows), 0..cols)?;
        with_samples!(&samples, array => {
            found
                .par_iter_mut()
                .enumerate()
                .for_each(|(band, found)| found.add(array.index_axis(Axis(0), band), nodata));
        });
    }
    Ok(found.into_iter().map(Statistics::finished).collect())
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, array};

    use super::*;
    use crate::{CubeMeta, OpenOptions, SaveOptions};

    #[test]
    fn nodata_and_nan_are_counted_and_left_out() -> Result<()> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("cube.npy");
        let data = array![[[1.0, 2.5], [-9.5, f32::NAN]], [[4.0, 4.0], [4.0, 6.0]]];
        let meta = CubeMeta { nodata: Some(-9.5), ..CubeMeta::default() };
        crate::save(&crate::Cube::new(data, meta)?, &path, &SaveOptions::default())?;
        let bands = statistics(&*crate::open_reader(&path, &OpenOptions::default())?)?;
        let first = bands[0];
        assert_eq!((first.min, first.max, first.mean), (1.0, 2.5, 1.75));
        assert_eq!((first.count, first.nodata, first.nan), (2, 1, 1));
        let all = Statistics::all(&bands);
        assert_eq!((all.min, all.max, all.mean), (1.0, 6.0, 21.5 / 6.0));
        assert_eq!((all.count, all.nodata, all.nan), (6, 1, 1));
        Ok(())
    }

    #[test]
    fn a_cube_of_nothing_has_no_range() {
        let nothing = Array3::from_elem((1, 2, 2), f32::NAN);
        let mut found = Statistics::default();
        found.add(nothing.index_axis(Axis(0), 0), None);
        let found = Statistics::all(&[found.finished()]);
        assert!(found.mean.is_nan() && found.min.is_nan() && found.max.is_nan());
        assert_eq!(found.nan, 4);
    }
}
