//! The adaptive median filter of images.

use ndarray::parallel::prelude::*;
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis};

use crate::denoiser::ensure_usable;
use crate::{Denoiser, Error, Result};

/// Replaces impulses, band by band, by the median of a window that grows where it has to.
///
/// A value stays if it lies strictly between the least and the largest value of its window, and so
/// does the median; if the median does not, the window grows. Otherwise the median takes its place,
/// also where the largest window has no median that is better. Windows are cut at the edges of the
/// image.
///
/// # Examples
/// ```
/// use hsi_baselines::{AdaptiveMedian, Denoiser};
/// use ndarray::Array3;
///
/// let mut cube = Array3::from_shape_fn((1, 9, 9), |(_, r, c)| (r * 9 + c) as f32);
/// cube[[0, 4, 4]] = 1000.0;
/// let cleaned = AdaptiveMedian::default().denoise(cube.view())?;
/// assert!((cleaned[[0, 4, 4]] - 40.0).abs() < 2.0);
/// assert_eq!(cleaned[[0, 2, 3]], cube[[0, 2, 3]]);
/// # Ok::<(), hsi_baselines::Error>(())
/// ```
///
/// # References
/// H. Hwang, R. Haddad, "Adaptive Median Filters: New Algorithms and Results", IEEE Transactions on
/// Image Processing 4(4), 1995.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdaptiveMedian {
    /// Largest extent of the window, odd, 3 to 255.
    pub largest: usize,
}

impl Default for AdaptiveMedian {
    fn default() -> Self {
        Self { largest: 21 }
    }
}

impl AdaptiveMedian {
    const NAME: &'static str = "adaptive median";

    /// Checks the extent of the window.
    ///
    /// # Errors
    /// [`Error::Parameter`] if it is out of its range.
    pub fn validate(&self) -> Result<()> {
        if self.largest % 2 == 1 && (3..=255).contains(&self.largest) {
            return Ok(());
        }
        Err(Error::Parameter {
            method: Self::NAME,
            parameter: "largest",
            expected: "an odd number between 3 and 255",
            got: self.largest as f64,
        })
    }

    fn band(self, image: ArrayView2<'_, f32>) -> Array2<f32> {
        let (rows, cols) = image.dim();
        let mut window = Vec::new();
        Array2::from_shape_fn(image.dim(), |(r, c)| {
            let value = image[[r, c]];
            let mut result = value;
            for reach in 1..=self.largest / 2 {
                window.clear();
                for r in r.saturating_sub(reach)..(r + reach + 1).min(rows) {
                    let line = c.saturating_sub(reach)..(c + reach + 1).min(cols);
                    window.extend(line.map(|c| image[[r, c]]));
                }
                let middle = window.len() / 2;
                let median = *window.select_nth_unstable_by(middle, f32::total_cmp).1;
                let min = window[..=middle].iter().copied().fold(median, f32::min);
                let max = window[middle..].iter().copied().fold(median, f32::max);
                if min == max {
                    return value; // a flat place
                }
                result = if min < value && value < max { value } else { median };
                if min < median && median < max {
                    break;
                }
                result = median;
            }
            result
        })
    }
}

impl Denoiser for AdaptiveMedian {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn denoise(&self, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        self.validate()?;
        ensure_usable(noisy)?;
        let mut cleaned = Array3::zeros(noisy.dim());
        let bands = cleaned.axis_iter_mut(Axis(0)).into_par_iter();
        bands.zip(noisy.axis_iter(Axis(0))).for_each(|(mut to, from)| {
            to.assign(&self.band(from));
        });
        Ok(cleaned)
    }
}
