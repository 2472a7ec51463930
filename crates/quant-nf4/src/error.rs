//! What can go wrong.

use candle_core::DType;

/// Result of an operation of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Errors of this crate, named by cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something is wrong with a tensor that has a name.
    #[error("`{name}`: {source}")]
    Tensor {
        /// Name of the tensor.
        name: String,
        /// What is wrong.
        source: Box<Error>,
    },
    /// A block size that the format does not have.
    #[error("the block size should be a power of two from 32 to 4096, got {got}")]
    BlockSize {
        /// The size that was given.
        got: usize,
    },
    /// A name that is no type of 4-bit codes.
    #[error("the quantisation type should be `nf4` or `fp4`, got `{got}`")]
    QuantType {
        /// The name that was given.
        got: String,
    },
    /// A number that cannot be quantised.
    #[error("element {index} is {value}: only finite numbers can be quantised")]
    NotFinite {
        /// Place of the first such number in row-major order.
        index: usize,
        /// The number.
        value: f32,
    },
    /// Scales whose sum is infinite.
    #[error("the scales are too large to be quantised once more: their mean is {mean}")]
    Overflow {
        /// Their mean.
        mean: f32,
    },
    /// A tensor without elements.
    #[error("a tensor of shape {shape:?} has no elements to quantise")]
    Empty {
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A tensor of another number type.
    #[error("{what} should be of type {expected}, got {got:?}")]
    Dtype {
        /// Which tensor.
        what: &'static str,
        /// The types that are possible.
        expected: &'static str,
        /// Its type.
        got: DType,
    },
    /// A tensor of another shape.
    #[error("{what} should have the shape {expected}, got {got:?}")]
    Shape {
        /// Which tensor.
        what: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        got: Vec<usize>,
    },
    /// A tensor of another number of elements.
    #[error("{what} should have {expected} elements, got {got}")]
    Length {
        /// Which tensor.
        what: &'static str,
        /// How many elements it should have.
        expected: usize,
        /// How many it has.
        got: usize,
    },
    /// A part of a quantised tensor that is not there.
    #[error("`{key}` is missing")]
    Missing {
        /// The key that was looked for.
        key: String,
    },
    /// Parts of a quantised tensor that contradict each other.
    #[error("{what} should be {expected}, got {got}")]
    Contradiction {
        /// Which part.
        what: &'static str,
        /// What the other parts demand.
        expected: String,
        /// What it is.
        got: String,
    },
    /// The description of a quantised tensor cannot be read.
    #[error("the quantisation state is corrupt: {0}")]
    QuantState(#[from] serde_json::Error),
    /// A table of code values that is not the one of the type.
    #[error("{what} differs from the table of the type at code {code}: {got}, not {expected}")]
    Table {
        /// Which table.
        what: &'static str,
        /// The first code that differs.
        code: usize,
        /// Its value in the format.
        expected: f32,
        /// Its value in the file.
        got: f32,
    },
    /// Two tensors that may not share memory do.
    #[error("the gradient shares the memory of the parameter")]
    Aliased,
    /// An operation of `grad-ops` failed.
    #[error(transparent)]
    GradOps(#[from] grad_ops::Error),
    /// The tensor library failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

impl Error {
    /// The same error, with the name of the tensor that it is about.
    pub(crate) fn of(self, name: impl Into<String>) -> Self {
        Self::Tensor { name: name.into(), source: Box::new(self) }
    }
}

impl From<Error> for grad_ops::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::GradOps(inner) => inner,
            Error::Candle(inner) => Self::Candle(inner),
            other => Self::Candle(candle_core::Error::wrap(other)),
        }
    }
}
