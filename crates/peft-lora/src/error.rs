//! What can go wrong.

use std::path::PathBuf;

/// Result of an operation of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Errors of this crate, named by cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is out of its range.
    #[error("`{field}` should be {expected}, got `{got}`")]
    Setting {
        /// The field of the configuration.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        got: String,
    },
    /// Targets that no layer of the model has the name of.
    #[error("no layer of the model ends in {}", quoted(targets))]
    UnmatchedTargets {
        /// Suffixes of the targets.
        targets: Vec<String>,
    },
    /// A fused layer whose outputs cannot be cut into the slices of its target.
    #[error("`{layer}` has {out_features} outputs, which are not {parts} slices of equal size")]
    Slices {
        /// Path of the layer.
        layer: String,
        /// Outputs of the layer.
        out_features: usize,
        /// Slices of the target.
        parts: usize,
    },
    /// A tensor has another shape than its place asks for.
    #[error("`{name}` should be {expected}, got {got:?}")]
    Shape {
        /// Name of the tensor.
        name: String,
        /// What its shape should be.
        expected: String,
        /// What its shape is.
        got: Vec<usize>,
    },
    /// An adapter has another rank than its configuration says.
    #[error("`{name}` should have rank {expected}, got {got}")]
    Rank {
        /// Name of the tensor.
        name: String,
        /// Rank by the configuration.
        expected: usize,
        /// Rank by the shape of the tensor.
        got: usize,
    },
    /// A tensor that an adapter needs is not there.
    #[error("`{name}` is missing")]
    Missing {
        /// Name of the tensor.
        name: String,
    },
    /// Tensors that belong to no adapter.
    #[error("unexpected tensors: {}", quoted(names))]
    Unexpected {
        /// Names of the tensors.
        names: Vec<String>,
    },
    /// The model has no such layer or parameter.
    #[error("the model has no `{name}`, which the adapter changes")]
    UnknownModule {
        /// Name of the weight or parameter.
        name: String,
    },
    /// An adapter of a layer that the configuration does not name.
    #[error("`{layer}` has an adapter and is no target")]
    UnknownTarget {
        /// Path of the layer.
        layer: String,
    },
    /// A name that does not begin as it should.
    #[error("`{name}` does not begin with `{prefix}`")]
    Prefix {
        /// The name.
        name: String,
        /// What it should begin with.
        prefix: String,
    },
    /// A tensor whose elements are no floating-point numbers.
    #[error("`{name}` should hold floating-point numbers, got `{got:?}`")]
    Dtype {
        /// Name of the tensor.
        name: String,
        /// Its number type.
        got: candle_core::DType,
    },
    /// A tensor with numbers that are not finite.
    #[error("`{name}` holds numbers that are not finite")]
    NotFinite {
        /// Name of the tensor.
        name: String,
    },
    /// A fused adapter that is not made of separate slices.
    #[error(
        "`{name}` is not block diagonal, as its file says; read it without splitting to keep it fused"
    )]
    NotBlockDiagonal {
        /// Name of the tensor.
        name: String,
    },
    /// An adapter that uses what this crate does not implement.
    #[error("`{field}` = {value} is not supported, expected {expected}")]
    Unsupported {
        /// The field of `adapter_config.json`.
        field: String,
        /// Its value.
        value: String,
        /// What can be read.
        expected: &'static str,
    },
    /// A folder that holds more than an adapter, and so is not overwritten.
    #[error("`{}` holds `{entry}`, which is no part of an adapter", path.display())]
    FolderInUse {
        /// The folder.
        path: PathBuf,
        /// What stands in the way.
        entry: String,
    },
    /// A file that is not what it should be.
    #[error("`{}` is not a valid {expected}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
        /// Why it is not.
        reason: String,
    },
    /// Reading or writing failed.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An operation of `grad-ops` failed.
    #[error(transparent)]
    GradOps(#[from] grad_ops::Error),
    /// The tensor library failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
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

/// Names in backticks, with commas.
fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
