//! What can go wrong in an operation.

/// Result of an operation of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Errors of the operations.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor has another rank or size than the operation needs.
    #[error("`{op}`: {what} should be {expected}, got {got:?}")]
    Shape {
        /// Name of the operation.
        op: &'static str,
        /// Which tensor or size.
        what: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        got: Vec<usize>,
    },
    /// The operation does not compute in this number type.
    #[error("`{op}` does not support the dtype `{dtype:?}`")]
    Dtype {
        /// Name of the operation.
        op: &'static str,
        /// The type that was given.
        dtype: candle_core::DType,
    },
    /// A tensor that is to be read shares the memory of one that is to be written.
    #[error("`{op}`: {what} shares the memory of a tensor that is updated in place")]
    Aliased {
        /// Name of the operation.
        op: &'static str,
        /// Which tensor.
        what: &'static str,
    },
    /// An error of the tensor library.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

impl From<Error> for candle_core::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Candle(inner) => inner,
            other => Self::wrap(other),
        }
    }
}
