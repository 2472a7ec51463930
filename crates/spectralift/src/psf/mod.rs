//! Point spread functions: what the optics of the low-resolution sensor make of a point.

mod bessel;
mod shape;

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

pub use shape::PsfShape;

use crate::{Error, Result};

/// Largest radius and largest half side of a kernel, in pixels.
const MAX_RADIUS: usize = 1000;
/// A kernel whose sum is below this cannot be normalised.
const MIN_SUM: f64 = 1e-12;
/// Nor one whose positive and negative parts cancel to this part of them: what is left of its sum
/// is rounding.
const MIN_BALANCE: f64 = 1e-6;
/// Below this balance a normalised kernel depends on rounding and amplifies the image's noise.
const LOW_BALANCE: f64 = 0.02;

/// A point spread function by its formula.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PsfConfig {
    /// The formula.
    #[serde(flatten)]
    pub shape: PsfShape,
    /// Width in pixels of the high-resolution image, above 0.
    pub sigma: f64,
    /// Pixels from the centre of the kernel to its edge, 0 to 1000: the kernel has `2 radius + 1`
    /// rows and columns.
    pub radius: usize,
}

impl Default for PsfConfig {
    /// The published Gaussian: sigma 3.4, 15 x 15 pixels.
    fn default() -> Self {
        Self { shape: PsfShape::Gaussian, sigma: 3.4, radius: 7 }
    }
}

/// A kernel to blur with, ready to use.
#[derive(Clone, Debug, PartialEq)]
pub struct Psf {
    kernel: Array2<f64>,
    balance: f64,
}

impl Psf {
    /// The kernel of a formula on integer offsets, divided by its sum, in `f64`.
    ///
    /// # Errors
    /// [`Error::Setting`] for parameters out of range, [`Error::PsfSum`] if positive and negative
    /// parts cancel, [`Error::NotFinite`] if the formula overflows.
    ///
    /// # Examples
    /// ```
    /// use spectralift::{Psf, PsfConfig};
    ///
    /// let psf = Psf::new(&PsfConfig::default())?;
    /// assert_eq!(psf.kernel().dim(), (15, 15));
    /// assert!((psf.kernel().sum() - 1.0).abs() < 1e-12);
    /// # Ok::<(), spectralift::Error>(())
    /// ```
    pub fn new(config: &PsfConfig) -> Result<Self> {
        let PsfConfig { shape, sigma, radius } = *config;
        shape.validate()?;
        if !(sigma.is_finite() && sigma > 0.0) {
            return Err(Error::setting("sigma", "a number above 0", sigma));
        }
        if radius > MAX_RADIUS {
            return Err(Error::setting("kernel-size", format!("at most {MAX_RADIUS}"), radius));
        }
        let offset = |i: usize| i as f64 - radius as f64;
        let side = 2 * radius + 1;
        let kernel = Array2::from_shape_fn((side, side), |(row, col)| {
            shape.value(offset(col), offset(row), sigma)
        });
        let mut psf = Self::from_kernel(kernel)?;
        let sum = psf.kernel.sum();
        psf.kernel.mapv_inplace(|k| k / sum);
        Ok(psf)
    }

    /// A measured kernel, used as it is: its sum is not made 1.
    ///
    /// The centre is the pixel `((rows - 1) / 2, (cols - 1) / 2)`, rounded down.
    ///
    /// # Errors
    /// [`Error::Shape`] if it is empty or has more than 2001 rows or columns,
    /// [`Error::NotFinite`], [`Error::PsfSum`] if it sums to nothing.
    pub fn from_kernel(kernel: Array2<f64>) -> Result<Self> {
        let side = 2 * MAX_RADIUS + 1;
        let (rows, cols) = kernel.dim();
        if kernel.is_empty() || rows > side || cols > side {
            return Err(Error::Shape {
                what: "the kernel of a PSF",
                expected: format!("1 to {side} rows and columns"),
                got: vec![rows, cols],
            });
        }
        let count = kernel.iter().filter(|k| !k.is_finite()).count();
        if count > 0 {
            return Err(Error::NotFinite { what: "the kernel of a PSF", count });
        }
        let (sum, absolute) = (kernel.sum(), kernel.mapv(f64::abs).sum());
        let balance = sum.abs() / absolute.max(f64::MIN_POSITIVE);
        // Written so that an overflow of the sums is refused too.
        if !(sum.abs() >= MIN_SUM && balance >= MIN_BALANCE) {
            return Err(Error::PsfSum { sum, absolute });
        }
        Ok(Self { kernel: kernel.as_standard_layout().into_owned(), balance })
    }

    /// The kernel, `[rows, cols]`.
    pub fn kernel(&self) -> ArrayView2<'_, f64> {
        self.kernel.view()
    }

    /// The sum of the kernel over the sum of its absolute values: 1 for a kernel without negative
    /// values.
    pub fn balance(&self) -> f64 {
        self.balance
    }

    /// Whether positive and negative values nearly cancel: rounding and noise are amplified.
    pub fn is_fragile(&self) -> bool {
        self.balance < LOW_BALANCE
    }

    /// Row and column of the centre.
    pub(crate) fn center(&self) -> (usize, usize) {
        let (rows, cols) = self.kernel.dim();
        ((rows - 1) / 2, (cols - 1) / 2)
    }
}
