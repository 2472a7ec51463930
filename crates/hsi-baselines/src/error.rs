//! Why a baseline cannot be built or run.

/// Result of an operation of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Errors of the baselines.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No baseline has this name.
    #[error("unknown baseline `{name}`, expected one of {known}")]
    UnknownBaseline {
        /// The name that was given.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The parameters behind the name of a baseline cannot be read.
    #[error("baseline `{baseline}` is written `{form}`, got `{got}`")]
    Parameters {
        /// Name of the baseline.
        baseline: &'static str,
        /// The form that is understood.
        form: String,
        /// The parameters that were given.
        got: String,
    },
    /// A window extent is even, zero or too large.
    #[error("the window should span an odd number of {axis} between 1 and {max}, got {got}")]
    Window {
        /// The axis, `rows`, `cols` or `bands`.
        axis: &'static str,
        /// Largest extent that is supported.
        max: usize,
        /// The extent that was given.
        got: usize,
    },
    /// The cube holds no values.
    #[error("the cube should hold at least one value, got the shape {shape:?}")]
    Empty {
        /// Shape of the cube, `[bands, rows, cols]`.
        shape: [usize; 3],
    },
    /// An array has another shape than what it is used with asks for.
    #[error("expected an array of shape {expected:?}, got {got:?}")]
    Shape {
        /// The shape that fits.
        expected: Vec<usize>,
        /// The shape that was given.
        got: Vec<usize>,
    },
    /// A matrix has no decomposition, mostly because values have overflown.
    #[error("{what} of a matrix of size {size} cannot be computed")]
    Decomposition {
        /// What was asked for.
        what: &'static str,
        /// The smaller extent of the matrix.
        size: usize,
    },
    /// A parameter of a method is out of its range.
    #[error("{method}: `{parameter}` should be {expected}, got {got}")]
    Parameter {
        /// Name of the method.
        method: &'static str,
        /// Name of the parameter.
        parameter: &'static str,
        /// The values that make sense.
        expected: &'static str,
        /// The value that was given.
        got: f64,
    },
    /// A parameter of a method lies outside a range.
    #[error("{method}: `{parameter}` should be {expected}, got {got}")]
    Range {
        /// Name of the method.
        method: &'static str,
        /// Name of the parameter.
        parameter: &'static str,
        /// The range.
        expected: String,
        /// The value that was given.
        got: String,
    },
    /// The values of a cube are so large or so unequal that a method leaves the range of `f32`.
    #[error("{method}: the result leaves the range of 32-bit numbers")]
    Overflow {
        /// Name of the method.
        method: &'static str,
    },
    /// Every pixel misses a value, so that noise and subspace cannot be estimated.
    #[error("at least one pixel should have values in all bands, got none")]
    NoCompletePixel,
    /// A value is NaN or infinite.
    #[error("every value should be finite, got {value} at band {band}, row {row}, column {col}")]
    NonFinite {
        /// Band, from 0.
        band: usize,
        /// Row, from 0.
        row: usize,
        /// Column, from 0.
        col: usize,
        /// The value.
        value: f32,
    },
}
