//! What can go wrong.

/// Result of an operation of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Errors of this crate, named by cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An operation of `grad-ops` failed.
    #[error(transparent)]
    GradOps(#[from] grad_ops::Error),
    /// The tensor library failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}
