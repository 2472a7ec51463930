//! What can go wrong.

/// Result of an operation of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Errors of this crate, named by cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting cannot be used.
    #[error("`{name}` should be {expected}, got `{got}`")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// An array has another shape than is needed.
    #[error("{what} should be {expected}, got the shape {got:?}")]
    Shape {
        /// Which array.
        what: &'static str,
        /// What its shape should be.
        expected: String,
        /// What its shape is.
        got: Vec<usize>,
    },
    /// An array holds NaN or an infinity.
    #[error("{what} has {count} values that are not finite")]
    NotFinite {
        /// Which array.
        what: &'static str,
        /// How many of its values are not finite.
        count: usize,
    },
    /// An image has another number of bands than is needed.
    #[error("{what} should have {expected} bands, got {got}")]
    BandCount {
        /// Which image.
        what: &'static str,
        /// How many bands it should have.
        expected: usize,
        /// How many it has.
        got: usize,
    },
    /// The training left the numbers.
    #[error("the training diverged: the loss of epoch {epoch} is {loss}; use lower learning rates")]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// Its loss.
        loss: f64,
    },
    /// Positive and negative values of a kernel cancel, or it has none.
    #[error(
        "the PSF cannot be normalised: it sums to {sum:e}, its absolute values to {absolute:e}"
    )]
    PsfSum {
        /// Sum of the kernel.
        sum: f64,
        /// Sum of its absolute values.
        absolute: f64,
    },
    /// The low-resolution image would have no pixel.
    #[error("the ratio should be 1 to {}, the shorter side of the image, got `{ratio}`", rows.min(cols))]
    Ratio {
        /// The ratio.
        ratio: usize,
        /// Rows of the image.
        rows: usize,
        /// Columns of the image.
        cols: usize,
    },
    /// A multispectral band responds to nothing.
    #[error("row {row} of the SRF cannot be normalised: it sums to {sum:e}")]
    SrfRow {
        /// The row, from 0.
        row: usize,
        /// Its sum.
        sum: f64,
    },
    /// A response is negative.
    #[error("the SRF should not be negative, got {value} in row {row}, column {column}")]
    SrfNegative {
        /// The row, from 0.
        row: usize,
        /// The column, from 0.
        column: usize,
        /// The value there.
        value: f64,
    },
    /// The cube does not reach the wavelengths of a multispectral band.
    #[error(
        "band {row} of the multispectral sensor, at {center_nm} nm, has no band of the cube near \
         it: these lie between {low_nm} and {high_nm} nm"
    )]
    SrfCoverage {
        /// The multispectral band, from 0.
        row: usize,
        /// Its centre in nanometres.
        center_nm: f64,
        /// Lowest wavelength of the cube in nanometres.
        low_nm: f64,
        /// Highest wavelength of the cube in nanometres.
        high_nm: f64,
    },
}

impl Error {
    /// A setting outside what it may be.
    pub(crate) fn setting(
        name: &'static str,
        expected: impl Into<String>,
        got: impl std::fmt::Display,
    ) -> Self {
        Self::Setting { name, expected: expected.into(), got: got.to_string() }
    }
}
