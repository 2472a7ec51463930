//! What is reconstructed: two images on one scale, the response that joins them, and where they
//! came from.

use ndarray::{Array2, Array3, ArrayView2};
use spectralift::{Observed, Psf, Srf};

/// Two images of the same ground, on the [0, 1] scale.
#[derive(Debug)]
pub struct Case {
    /// `[bands, low rows, low cols]`
    pub lr_hsi: Array3<f32>,
    /// `[multispectral bands, rows, cols]`
    pub hr_msi: Array3<f32>,
    /// Response of the multispectral sensor.
    pub srf: Srf,
    /// Blur of the cube, where it is known.
    pub psf: Option<Psf>,
    /// Pixels of the cube without data.
    pub lr_missing: Option<Array2<bool>>,
    /// Pixels of the result without data.
    pub hr_missing: Option<Array2<bool>>,
    /// What it is called in tables.
    pub label: Label,
}

/// The columns of a table that say what was done. Empty where it is not known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Label {
    /// Name of the scene.
    pub scene: String,
    /// Name of the blur.
    pub psf: String,
    /// Its width in pixels.
    pub sigma: Option<f64>,
    /// Rows of its kernel.
    pub kernel_rows: Option<usize>,
    /// Ratio of the resolutions.
    pub ratio: Option<usize>,
    /// Signal-to-noise ratio of the cube in dB.
    pub snr_spatial_db: Option<f64>,
    /// Signal-to-noise ratio of the multispectral image in dB.
    pub snr_spectral_db: Option<f64>,
    /// Divisor from the width of a band to its standard deviation.
    pub fwhm_factor: Option<f64>,
    /// Seed.
    pub seed: u64,
}

impl Case {
    /// The images for a model.
    pub fn observed(&self) -> Observed<'_> {
        Observed {
            lr_hsi: self.lr_hsi.view(),
            hr_msi: self.hr_msi.view(),
            srf: &self.srf,
            missing: self.lr_missing.as_ref().map(|mask| mask.view()),
        }
    }

    /// Rows and columns of the result.
    pub fn size(&self) -> (usize, usize) {
        let (_, rows, cols) = self.hr_msi.dim();
        (rows, cols)
    }
}

/// Pixels of low resolution that cover a marked one of high resolution.
///
/// # Shapes
/// - `mask`: `[rows, cols]`; output: `[low_rows, low_cols]`
pub fn covering(mask: ArrayView2<'_, bool>, (low_rows, low_cols): (usize, usize)) -> Array2<bool> {
    let (rows, cols) = mask.dim();
    let mut low = Array2::from_elem((low_rows, low_cols), false);
    // The areas of the pixels of both images meet where these integers overlap.
    let span =
        |at: usize, high: usize, low: usize| at * low / high..((at + 1) * low).div_ceil(high);
    for ((row, col), _) in mask.indexed_iter().filter(|&(_, &marked)| marked) {
        for low_row in span(row, rows, low_rows) {
            for low_col in span(col, cols, low_cols) {
                low[[low_row, low_col]] = true;
            }
        }
    }
    low
}

/// Gives marked pixels the mean of the others of their band, or 0 where there is no other.
///
/// # Shapes
/// - `cube`: `[bands, rows, cols]`; `mask`: `[rows, cols]`
pub fn fill(cube: &mut Array3<f32>, mask: ArrayView2<'_, bool>) {
    for mut band in cube.outer_iter_mut() {
        let (mut sum, mut count) = (0.0, 0usize);
        for (&value, _) in band.iter().zip(mask).filter(|(_, marked)| !**marked) {
            sum += f64::from(value);
            count += 1;
        }
        let mean = (sum / count.max(1) as f64) as f32;
        band.zip_mut_with(&mask, |value, &marked| {
            if marked {
                *value = mean;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_pixel_marks_all_that_cover_it() {
        let mut mask = Array2::from_elem((6, 7), false);
        mask[[5, 2]] = true;
        let low = covering(mask.view(), (2, 3));
        // Column 2 of 7 covers 0.857 to 1.286 of 3.
        assert_eq!(low, array![[false, false, false], [true, true, false]]);
        let same = covering(mask.view(), (6, 7));
        assert_eq!(same, mask);
    }

    #[test]
    fn pixels_without_data_get_the_mean_of_the_others() {
        let mut cube = array![[[1.0f32, 3.0, -9.0]]];
        fill(&mut cube, array![[false, false, true]].view());
        assert_eq!(cube, array![[[1.0f32, 3.0, 2.0]]]);
        fill(&mut cube, array![[true, true, true]].view());
        assert_eq!(cube, Array3::<f32>::zeros((1, 1, 3)));
    }
}
