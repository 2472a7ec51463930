//! What was done while weights were loaded.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whose names a file uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Layout {
    /// timm's, without a prefix.
    Timm,
    /// facebookresearch/mae's: timm's beside those of the pretraining decoder.
    Mae,
    /// SpectralEarth's: the transformer below `vit_core`, beside a spectral adapter.
    SpectralEarth,
    /// The published fine-tuned models': below `encoder.vit`, beside a head.
    FineTuned,
    /// timm's below another prefix.
    Prefixed,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timm => "timm",
            Self::Mae => "facebookresearch/mae",
            Self::SpectralEarth => "SpectralEarth",
            Self::FineTuned => "fine-tuned",
            Self::Prefixed => "prefixed timm",
        })
    }
}

/// A position embedding that was brought to another grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resized {
    /// Rows and columns of patches in the file.
    pub from: (usize, usize),
    /// Rows and columns of patches of the model.
    pub to: (usize, usize),
}

/// What was done while weights were loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadReport {
    /// Whose names the file uses.
    pub layout: Layout,
    /// What stands before timm's names in the file, with its last dot.
    pub prefix: String,
    /// Names of the model that were loaded.
    pub loaded: Vec<String>,
    /// Names of the model that were not loaded.
    pub missing: Vec<String>,
    /// Names of the file that the model does not have and nothing explains.
    pub unexpected: Vec<String>,
    /// Names of the file that are known and not wanted: heads, decoders, counters and, in the
    /// mode [`BlocksOnly`](super::LoadMode::BlocksOnly), everything but the blocks.
    pub ignored: Vec<String>,
    /// The change of the position embedding, if its grid was another one.
    pub resized: Option<Resized>,
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} layout: {} tensors loaded, {} missing, {} unexpected, {} ignored",
            self.layout,
            self.loaded.len(),
            self.missing.len(),
            self.unexpected.len(),
            self.ignored.len(),
        )?;
        if let Some(Resized { from, to }) = self.resized {
            write!(
                f,
                ", position embedding resized from {} x {} to {} x {} patches",
                from.0, from.1, to.0, to.1
            )?;
        }
        Ok(())
    }
}
