//! What can go wrong in a head.

use crate::HeadKind;

/// Result of a function of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Errors of the heads.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that is none of the heads.
    #[error("unknown head `{got}`, expected one of `fc`, `conv`, `residual`, `unet`")]
    UnknownKind {
        /// The name that was given.
        got: String,
    },
    /// A size in the config that has to be at least one.
    #[error("`{field}` should be at least 1, got 0")]
    ZeroSize {
        /// The field of [`HeadConfig`](crate::HeadConfig).
        field: &'static str,
    },
    /// The head upsamples by a fixed factor and cannot serve this patch size.
    #[error(
        "the `{kind}` head needs a patch size of {expected}, got {got}; `fc` serves any patch size"
    )]
    PatchSize {
        /// The head that was asked for.
        kind: HeadKind,
        /// The patch size that the head serves.
        expected: usize,
        /// The patch size that was given.
        got: usize,
    },
    /// A width for a head that has no hidden layer.
    #[error("the `{kind}` head has no hidden width, got `width` = {got}")]
    NoWidth {
        /// The head that was asked for.
        kind: HeadKind,
        /// The width that was given.
        got: usize,
    },
    /// The number of parameters does not fit in the address space.
    #[error("the `{kind}` head of this size has too many parameters")]
    TooLarge {
        /// The head that was asked for.
        kind: HeadKind,
    },
    /// The features are not a map of the width that the head was built for.
    #[error(
        "features should be `(batch, {embed_dim}, rows, cols)` with no empty side, got {got:?}"
    )]
    Features {
        /// Width that the head was built for.
        embed_dim: usize,
        /// Shape that was given.
        got: Vec<usize>,
    },
    /// An error of the tensor operations.
    #[error(transparent)]
    GradOps(#[from] grad_ops::Error),
    /// An error of the tensor library.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}
