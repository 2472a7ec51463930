//! What can go wrong while a model is built, trained, saved, or used.

use std::path::PathBuf;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Errors of training and evaluation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting has a value that cannot be used.
    #[error("`{name}` should be {expected}, got `{got}`")]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// A parameter has another shape than the model.
    #[error("parameter `{name}` should have the shape {expected:?}, got {got:?}")]
    ParameterShape {
        /// Full name of the parameter.
        name: String,
        /// Shape in the model.
        expected: Vec<usize>,
        /// Shape that was given.
        got: Vec<usize>,
    },
    /// A checkpoint holds other parameters than the model.
    #[error(
        "`{}` does not fit the model: missing {}, unexpected {}", path.display(), list(missing), list(unexpected)
    )]
    CheckpointNames {
        /// The file.
        path: PathBuf,
        /// In the model, not in the file.
        missing: Vec<String>,
        /// In the file, not in the model.
        unexpected: Vec<String>,
    },
    /// A folder does not hold a checkpoint of the wanted kind.
    #[error("`{}` is not a {expected}: {reason}", path.display())]
    Checkpoint {
        /// The folder or file.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
        /// Why it is not.
        reason: String,
    },
    /// Training was resumed with other settings than it was started with.
    #[error("cannot resume from `{}`: `{name}` was `{before}`, now it is `{now}`", path.display())]
    Resume {
        /// The checkpoint.
        path: PathBuf,
        /// Name of the setting.
        name: String,
        /// Its value in the checkpoint.
        before: String,
        /// Its value now.
        now: String,
    },
    /// An adapter belongs to other weights than those it was put over.
    #[error(
        "`{}` was trained over weights with the SHA-256 `{expected}`, those of `{weights}` have \
         `{got}`", path.display()
    )]
    BaseWeights {
        /// The checkpoint.
        path: PathBuf,
        /// Where the weights came from.
        weights: String,
        /// The hash in the checkpoint.
        expected: String,
        /// The hash of the weights.
        got: String,
    },
    /// The data have another number of bands than the model.
    #[error("the model takes {expected} bands, `{what}` has {got}")]
    Bands {
        /// The data.
        what: String,
        /// Bands of the model.
        expected: usize,
        /// Bands of the data.
        got: usize,
    },
    /// The sides of a sample are not multiples of the patch size of the model.
    #[error("samples of {rows} x {cols} pixels cannot be cut into patches of {patch} x {patch}")]
    PatchGrid {
        /// Rows of a sample.
        rows: usize,
        /// Columns of a sample.
        cols: usize,
        /// Patch size of the model.
        patch: usize,
    },
    /// The samples have another size than the model was built for.
    #[error("the model takes samples of {expected} x {expected} pixels, got {rows} x {cols}")]
    SampleSize {
        /// Side that the model takes.
        expected: usize,
        /// Rows of the sample.
        rows: usize,
        /// Columns of the sample.
        cols: usize,
    },
    /// There is nothing to train on or to evaluate.
    #[error("no samples: {0}")]
    NoSamples(String),
    /// The loss or its gradient stopped being a finite number.
    #[error(
        "{quantity} is {value} in epoch {epoch}, optimiser step {step}, on the samples {samples}; \
         the checkpoints of the epochs before were kept"
    )]
    NotFinite {
        /// `loss` or `gradient norm`.
        quantity: &'static str,
        /// The value.
        value: f64,
        /// Epoch, from 1.
        epoch: usize,
        /// Optimiser step in the epoch, from 1.
        step: usize,
        /// Names of the samples of the batch.
        samples: String,
    },
    /// A file could not be read or written.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A JSON file could not be read or written.
    #[error("`{}`: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
    /// A picture could not be made.
    #[error(transparent)]
    Picture(#[from] hsi_pictures::Error),
    /// An error that user code raised in a hook.
    #[error("hook: {0}")]
    Hook(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An error of the data crate.
    #[error(transparent)]
    Data(#[from] hsi_data::Error),
    /// A thread that prepares samples panicked.
    #[error(transparent)]
    Loader(#[from] hsi_data::LoaderPanic),
    /// An error of the noise crate.
    #[error(transparent)]
    Noise(#[from] hsi_noise::Error),
    /// An error of the metrics crate.
    #[error(transparent)]
    Metrics(#[from] hsi_metrics::Error),
    /// An error of a classical denoiser.
    #[error(transparent)]
    Baseline(#[from] hsi_baselines::Error),
    /// An error of the encoder.
    #[error(transparent)]
    Vit(#[from] mae_vit::Error),
    /// An error of the head.
    #[error(transparent)]
    Head(#[from] denoise_heads::Error),
    /// An error of the adapters.
    #[error(transparent)]
    Lora(#[from] peft_lora::Error),
    /// An error of 4-bit weights or 8-bit moments.
    #[error(transparent)]
    Quant(#[from] quant_nf4::Error),
    /// An error of an operation.
    #[error(transparent)]
    Op(#[from] grad_ops::Error),
    /// An error of the tensor library.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

impl Error {
    /// An input or output error with the path it happened at.
    pub fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }
}

/// The first names of a list, or `nothing`.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 6;
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let text =
        names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        return format!("{text} and {} more", names.len() - SHOWN);
    }
    text
}
