//! Why a metric cannot be computed.

use std::fmt;

/// Result of an operation of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// One of the two images that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Image {
    /// The image taken for the truth.
    Reference,
    /// The image that is judged.
    Estimate,
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reference => "reference",
            Self::Estimate => "estimate",
        })
    }
}

/// Errors of the metrics.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The two images differ in shape.
    #[error("the estimate should have the shape {expected:?} of the reference, got {got:?}")]
    Shape {
        /// Shape of the reference, `[bands, rows, cols]`.
        expected: [usize; 3],
        /// Shape of the estimate.
        got: [usize; 3],
    },
    /// The images hold no values.
    #[error("the images should hold at least one value, got the shape {shape:?}")]
    Empty {
        /// Shape of both images, `[bands, rows, cols]`.
        shape: [usize; 3],
    },
    /// A value is NaN or infinite.
    #[error(
        "every value should be finite, got {value} in the {image} at band {band}, row {row}, column {col}"
    )]
    NonFinite {
        /// The image that holds the value.
        image: Image,
        /// Band, from 0.
        band: usize,
        /// Row, from 0.
        row: usize,
        /// Column, from 0.
        col: usize,
        /// The value.
        value: f32,
    },
    /// The window of a metric does not fit into the image.
    #[error("`{metric}` needs at least {window} x {window} pixels, got {rows} x {cols}")]
    Window {
        /// Name of the metric.
        metric: &'static str,
        /// Smallest number of rows and of columns.
        window: usize,
        /// Rows of the images.
        rows: usize,
        /// Columns of the images.
        cols: usize,
    },
    /// The data range is no positive number, or not the one that a variant is defined for.
    #[error("the data range should be {expected}, got {got}")]
    DataRange {
        /// What is allowed.
        expected: &'static str,
        /// The range that was given.
        got: f32,
    },
    /// The resolution ratio is no positive number.
    #[error("the resolution ratio should be a finite number above 0, got {got}")]
    Ratio {
        /// The ratio that was given.
        got: f64,
    },
}
