//! The pretrained weights that a model starts from, and that an adapter belongs to.

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use mae_vit::{LoadMode, MaeConfig, PositionEmbedding, VitConfig};
use serde::{Deserialize, Serialize};

use crate::checkpoint::{self, Kind};
use crate::method::choose;
use crate::model::ENCODER;
use crate::{Error, Result};

/// Which weights of a file are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WeightsMode {
    /// All of the encoder, strictly.
    #[default]
    All,
    /// The blocks only, as the published code does: patch and position embeddings stay random.
    Blocks,
}

impl WeightsMode {
    /// All modes.
    pub const ALL: [Self; 2] = [Self::All, Self::Blocks];

    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Blocks => "blocks",
        }
    }
}

impl std::str::FromStr for WeightsMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        choose("weights-mode", text, &Self::ALL, Self::name)
    }
}

/// The weights of a pretrained encoder.
#[derive(Debug)]
pub struct PretrainedEncoder {
    /// The encoder, with the kind of positions that the weights have.
    pub config: VitConfig,
    /// The weights, under the names of the whole model.
    pub tensors: Vec<(String, Tensor)>,
    /// A line that says what was loaded.
    pub line: String,
}

impl PretrainedEncoder {
    /// Takes the weights of a pretrained encoder: a run of pretraining, or a `.pth` or
    /// `.safetensors` file of timm's, MAE's or the published layouts.
    ///
    /// # Errors
    /// When there are no such weights, or they do not fit the encoder.
    pub fn load(
        path: &Path,
        encoder: &VitConfig,
        mode: WeightsMode,
        device: &Device,
    ) -> Result<Self> {
        let expected = "pretrained encoder";
        let not_one = |reason| Error::Checkpoint { path: path.to_path_buf(), expected, reason };
        if !path.exists() {
            return Err(not_one("it does not exist".to_owned()));
        }
        let load_mode = match mode {
            WeightsMode::All => LoadMode::Strict,
            WeightsMode::Blocks => LoadMode::BlocksOnly,
        };
        let mut encoder = encoder.clone();
        let file = if path.is_dir() {
            let pretrained = checkpoint::open(path, Kind::MaskedAutoencoder, false)?;
            let config: MaeConfig = pretrained.model()?;
            // Fixed positions become the starting point of learned ones.
            let comparable = VitConfig {
                position: encoder.position,
                image_size: encoder.image_size,
                ..config.encoder
            };
            let json = |config: &VitConfig| {
                let path = path.to_path_buf();
                serde_json::to_value(config).map_err(|source| Error::Json { path, source })
            };
            if mode == WeightsMode::All
                && let Some((name, theirs, ours)) =
                    checkpoint::difference(&json(&comparable)?, &json(&encoder)?)
            {
                return Err(not_one(format!("it has `{name}` = {theirs}, this one has {ours}")));
            }
            pretrained.path.join(checkpoint::MODEL)
        } else {
            path.to_path_buf()
        };
        encoder.position = PositionEmbedding::Learned;
        let (tensors, report) = mae_vit::load_encoder(&file, &encoder, load_mode)?;
        let mut parts =
            vec![format!("{} tensors loaded from `{}`", report.loaded.len(), path.display())];
        parts.extend(report.resized.as_ref().map(|resized| {
            let (from, to) = (resized.from, resized.to);
            format!("positions resized from {} x {} to {} x {}", from.0, from.1, to.0, to.1)
        }));
        if !report.ignored.is_empty() {
            parts.push(format!("{} not needed", report.ignored.len()));
        }
        let mut named = Vec::with_capacity(tensors.len());
        for (name, tensor) in tensors {
            named.push((format!("{ENCODER}{name}"), tensor.to_device(device)?));
        }
        Ok(Self { config: encoder, tensors: named, line: parts.join(", ") })
    }
}

/// The frozen weights under an adapter: where they came from, and which they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseWeights {
    /// The pretrained encoder; none where it was random.
    pub weights: Option<PathBuf>,
    /// Which of its weights were used.
    pub mode: WeightsMode,
    /// Seed of what was random.
    pub seed: u64,
    /// [`crate::ParamStore::base_sha256`]: the weights are recognised by it, wherever they lie.
    pub sha256: String,
}

impl BaseWeights {
    /// The weights under their names in the whole model; nothing where they are drawn by the seed.
    ///
    /// # Errors
    /// As [`PretrainedEncoder::load`].
    pub fn load(&self, encoder: &VitConfig, device: &Device) -> Result<Vec<(String, Tensor)>> {
        match &self.weights {
            Some(path) => Ok(PretrainedEncoder::load(path, encoder, self.mode, device)?.tensors),
            None => Ok(Vec::new()),
        }
    }

    /// Checks that weights are those that the adapter of `checkpoint` was trained over.
    ///
    /// # Errors
    /// [`Error::BaseWeights`] with both hashes.
    pub fn check(&self, sha256: &str, checkpoint: &Path) -> Result<()> {
        if self.sha256 == sha256 {
            return Ok(());
        }
        let weights = match &self.weights {
            Some(path) => path.display().to_string(),
            None => format!("random, seed {}", self.seed),
        };
        Err(Error::BaseWeights {
            path: checkpoint.to_path_buf(),
            weights,
            expected: self.sha256.clone(),
            got: sha256.to_owned(),
        })
    }
}
