//! What can go wrong in a model or while its weights are read.

use std::path::PathBuf;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Errors of the models and of their checkpoints.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A field of a configuration has a value that no model can be built with.
    #[error("`{field}` {reason}")]
    Config {
        /// Name of the field.
        field: &'static str,
        /// What is wrong with it, with the value.
        reason: String,
    },
    /// There is no preset of this name.
    #[error("unknown preset `{name}`: expected `tiny`, `small`, `base` or `large`")]
    UnknownPreset {
        /// The name that was asked for.
        name: String,
    },
    /// A tensor has another number of dimensions, or other sizes, than its place needs.
    #[error("{what} should have the shape {expected}, got {got:?}")]
    Shape {
        /// Which tensor.
        what: &'static str,
        /// The shape that it should have.
        expected: String,
        /// Its shape.
        got: Vec<usize>,
    },
    /// The images have another number of bands than the model was built for.
    #[error("the model takes {expected} bands, the images have {got}")]
    BandCount {
        /// Bands of the model.
        expected: usize,
        /// Bands of the images.
        got: usize,
    },
    /// The images cannot be cut into whole patches.
    #[error("images of {rows} x {cols} pixels cannot be cut into patches of {patch} x {patch}")]
    NotDivisible {
        /// Rows of the images.
        rows: usize,
        /// Columns of the images.
        cols: usize,
        /// Edge of a patch.
        patch: usize,
    },
    /// The images have another size than the position embedding was made for.
    #[error("the model takes images of {expected} x {expected} pixels, got {rows} x {cols}")]
    ImageSize {
        /// Edge of the images that the model takes.
        expected: usize,
        /// Rows of the images.
        rows: usize,
        /// Columns of the images.
        cols: usize,
    },
    /// A mask was made for another batch or another number of patches.
    #[error("the mask covers {got:?} (batch, patches), the images have {expected:?}")]
    MaskShape {
        /// Batch and patches of the images.
        expected: (usize, usize),
        /// Batch and patches of the mask.
        got: (usize, usize),
    },
    /// The orders that a mask was asked for are not orders of the patches.
    #[error("sample {sample} of the mask is not an order of {patches} patches")]
    MaskOrder {
        /// Position in the batch.
        sample: usize,
        /// Number of patches.
        patches: usize,
    },
    /// A position embedding is not one CLS row and a square grid.
    #[error("a position embedding of {rows} rows is not one CLS row and a square grid")]
    PositionRows {
        /// Rows of the embedding.
        rows: usize,
    },
    /// A file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is in none of the formats that weights are read from.
    #[error("`{}` is neither a safetensors file nor a zipped PyTorch file{hint}", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// What it looks like, with leading comma, or nothing.
        hint: &'static str,
    },
    /// A file is truncated or damaged.
    #[error("`{}` is damaged: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// A file uses something of its format that is not supported.
    #[error("`{}`: {what} is not supported", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it uses.
        what: String,
    },
    /// A file has no tensors that look like the blocks of a vision transformer.
    #[error("`{}` holds no vision transformer (its tensors: {})", path.display(), names(found))]
    NoEncoder {
        /// The file.
        path: PathBuf,
        /// The names that it holds.
        found: Vec<String>,
    },
    /// A file holds several vision transformers.
    #[error(
        "`{}` holds several vision transformers, below {}",
        path.display(), names(prefixes)
    )]
    SeveralEncoders {
        /// The file.
        path: PathBuf,
        /// What their names begin with.
        prefixes: Vec<String>,
    },
    /// The names in a file are not the names of the model.
    #[error(
        "`{}` does not fit the model: missing {}; unexpected {}",
        path.display(), names(missing), names(unexpected)
    )]
    Names {
        /// The file.
        path: PathBuf,
        /// Names of the model that the file lacks.
        missing: Vec<String>,
        /// Names of the file that the model lacks.
        unexpected: Vec<String>,
    },
    /// A tensor in a file has another shape than in the model.
    #[error(
        "`{}`: `{name}` has the shape {got:?}, the model needs {expected:?}",
        path.display()
    )]
    TensorShape {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
        /// Shape in the model.
        expected: Vec<usize>,
        /// Shape in the file.
        got: Vec<usize>,
    },
    /// The patch embedding in a file was trained for another number of bands.
    #[error(
        "`{}`: the patch embedding takes {got} bands, the model has {expected}",
        path.display()
    )]
    CheckpointBands {
        /// The file.
        path: PathBuf,
        /// Channels that reach the patch embedding of the model.
        expected: usize,
        /// Channels of the patch embedding in the file.
        got: usize,
    },
    /// An error of an operation.
    #[error(transparent)]
    Ops(#[from] grad_ops::Error),
    /// An error of the tensor library.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

/// How many names a message lists before it counts the others.
const LISTED: usize = 6;

/// Lists names for a message.
fn names(all: &[String]) -> String {
    if all.is_empty() {
        return "none".to_owned();
    }
    let shown: Vec<_> = all.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    match all.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
