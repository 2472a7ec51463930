//! Checkpoints: folders that hold a model, and what training continues from.
//!
//! ```text
//! <run>/best/   model.safetensors  checkpoint.json
//! <run>/last/   model.safetensors  optimizer.safetensors  checkpoint.json
//! ```
//!
//! A folder is written under another name, then takes the place of the old one; whatever moment
//! the program is killed at, [`open`] finds the old checkpoint or the new one. With adapters,
//! `model.safetensors` holds what was trained, and `checkpoint.json` names the weights below.
//!
//! A model that is only to be used also comes as one file: [`write_file`].

mod file;
mod folder;
mod writer;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::file::write_file;
use self::folder::recovered;
pub use self::writer::Checkpoints;
use crate::base::BaseWeights;
use crate::files::read_json;
use crate::model::{DenoisingModel, ModelConfig};
use crate::params::ParamStore;
use crate::trainer::TrainState;
use crate::{Error, Result};

pub(crate) const MODEL: &str = "model.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const CONFIG: &str = "checkpoint.json";
/// Version of the form of `checkpoint.json`.
const FORMAT: u32 = 1;

/// What a checkpoint is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A denoising model: encoder and head.
    Denoiser,
    /// A masked autoencoder: encoder and pretraining decoder.
    MaskedAutoencoder,
}

impl Kind {
    fn description(self) -> &'static str {
        match self {
            Self::Denoiser => "checkpoint of a denoising model",
            Self::MaskedAutoencoder => "checkpoint of a masked autoencoder",
        }
    }
}

/// What `checkpoint.json` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    /// What the checkpoint is of.
    pub kind: Kind,
    /// Version of this crate that wrote it.
    pub version: String,
    /// Configuration of the model: [`crate::ModelConfig`] or `mae_vit::MaeConfig`.
    pub model: Value,
    /// The weights below the adapters, which the checkpoint does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseWeights>,
    /// What it was trained on and how: free for the program that writes it.
    pub protocol: Value,
    /// Settings that must be the same when training is resumed.
    pub resume_key: Value,
    /// Where training stood.
    pub state: TrainState,
}

/// A checkpoint on disk.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// The folder.
    pub path: PathBuf,
    /// What its `checkpoint.json` says.
    pub manifest: Manifest,
}

/// What training continues from.
#[derive(Debug)]
pub struct Resumed {
    /// The folder.
    pub path: PathBuf,
    /// Where training stood.
    pub state: TrainState,
    /// Moments of the optimiser.
    pub optimizer: HashMap<String, Tensor>,
}

/// Opens a checkpoint folder or a file of [`write_file`]; of the folder of a run, its `best` one, or
/// `last` if `prefer_last`.
///
/// # Errors
/// When there is no checkpoint, or it is of another kind or form.
pub fn open(path: &Path, kind: Kind, prefer_last: bool) -> Result<Checkpoint> {
    if path.is_file() {
        let manifest = file::manifest(path, kind)?;
        return accepted(path.to_path_buf(), manifest, kind);
    }
    let names = if prefer_last { ["last", "best"] } else { ["best", "last"] };
    let candidates = std::iter::once(path.to_path_buf()).chain(names.map(|name| path.join(name)));
    for folder in candidates {
        let Some(found) = recovered(&folder) else {
            continue;
        };
        let manifest: Manifest = read_json(&found.join(CONFIG))?;
        return accepted(found, manifest, kind);
    }
    let reason = if path.exists() {
        "it holds no `checkpoint.json`, nor does a `best` or `last` below it".to_owned()
    } else {
        "it does not exist".to_owned()
    };
    Err(Error::Checkpoint { path: path.to_path_buf(), expected: kind.description(), reason })
}

/// A checkpoint, if it is of the wanted kind and form.
fn accepted(path: PathBuf, manifest: Manifest, kind: Kind) -> Result<Checkpoint> {
    if manifest.format == FORMAT && manifest.kind == kind {
        return Ok(Checkpoint { path, manifest });
    }
    let (theirs, format) = (manifest.kind.description(), manifest.format);
    Err(Error::Checkpoint {
        path,
        expected: kind.description(),
        reason: format!("it is a {theirs}, format {format}"),
    })
}

/// A model built from a checkpoint.
#[derive(Debug)]
pub struct Restored {
    /// The model.
    pub model: DenoisingModel,
    /// Its parameters.
    pub params: ParamStore,
}

impl Checkpoint {
    /// The configuration of the model.
    ///
    /// # Errors
    /// When it is not what the kind of the checkpoint says.
    pub fn model<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_value(self.manifest.model.clone())
            .map_err(|source| Error::Json { path: self.path.join(CONFIG), source })
    }

    /// The parameters.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn tensors(&self, device: &Device) -> Result<HashMap<String, Tensor>> {
        if self.path.is_file() {
            return load_tensors(&self.path, device);
        }
        load_tensors(&self.path.join(MODEL), device)
    }

    /// The same checkpoint, whose adapters are put over the encoder at another place.
    #[must_use]
    pub fn over(mut self, weights: Option<&Path>) -> Self {
        if let (Some(base), Some(weights)) = (&mut self.manifest.base, weights) {
            base.weights = Some(weights.to_path_buf());
        }
        self
    }

    /// Builds the denoising model.
    ///
    /// # Errors
    /// When the weights below the adapters cannot be loaded or are others than they were trained
    /// over, or the tensors do not fit the configuration.
    pub fn build(&self, device: &Device) -> Result<Restored> {
        let config: ModelConfig = self.model()?;
        let seed = self.manifest.base.as_ref().map_or(0, |base| base.seed);
        let params = config.params(seed, DType::F32, device);
        self.provide(&config, &params)?;
        let model = DenoisingModel::new(&config, &params).map_err(blame(&self.path))?;
        self.check(&params)?;
        params.release_provided();
        Ok(Restored { model, params })
    }

    /// Offers the tensors to a store: those below the adapters, and those of the checkpoint.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn provide(&self, config: &ModelConfig, params: &ParamStore) -> Result<()> {
        if let Some(base) = &self.manifest.base {
            params.provide(base.load(&config.encoder, params.device())?)?;
        }
        params.provide(self.tensors(params.device())?).map_err(blame(&self.path))
    }

    /// Checks, after the model is built, that it took every tensor, that none was missing, and that
    /// the adapters are over the weights that they were trained over.
    ///
    /// # Errors
    /// When that is not so.
    pub fn check(&self, params: &ParamStore) -> Result<()> {
        params.check_complete(&self.path, self.manifest.base.is_some())?;
        match &self.manifest.base {
            Some(base) => base.check(&params.base_sha256(), &self.path),
            None => Ok(()),
        }
    }

    /// What training continues from.
    ///
    /// # Errors
    /// [`Error::Resume`] when a setting of `resume_key` has another value than it had, or when
    /// this is not a `last` checkpoint.
    pub fn resume(&self, resume_key: &Value, device: &Device) -> Result<Resumed> {
        if let Some((name, before, now)) = difference(&self.manifest.resume_key, resume_key) {
            return Err(Error::Resume { path: self.path.clone(), name, before, now });
        }
        let file = self.path.join(OPTIMIZER);
        if !file.exists() {
            return Err(Error::Checkpoint {
                path: self.path.clone(),
                expected: "checkpoint to resume from",
                reason: format!("it holds no `{OPTIMIZER}`; use the `last` one"),
            });
        }
        let optimizer = load_tensors(&file, device)?;
        Ok(Resumed { path: self.path.clone(), state: self.manifest.state.clone(), optimizer })
    }
}

/// Makes an error in building a model one of the checkpoint that its parameters came from.
pub fn blame<E: Into<Error>>(path: &Path) -> impl FnOnce(E) -> Error + '_ {
    move |error| match error.into() {
        error @ (Error::Checkpoint { .. } | Error::CheckpointNames { .. }) => error,
        error => Error::Checkpoint {
            path: path.to_path_buf(),
            expected: "checkpoint that fits its own configuration",
            reason: error.to_string(),
        },
    }
}

/// The first value in which two settings differ: its name (`model.encoder.dim`), what it was, and
/// what it is.
pub fn difference(before: &Value, now: &Value) -> Option<(String, String, String)> {
    let (Value::Object(old), Value::Object(new)) = (before, now) else {
        let text = |value: &Value| match value {
            Value::Null => "nothing".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        return (before != now).then(|| (String::new(), text(before), text(now)));
    };
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    let value =
        |object: &serde_json::Map<_, _>, name| object.get(name).cloned().unwrap_or_default();
    names.into_iter().find_map(|name| {
        let (inner, old, new) = difference(&value(old, name), &value(new, name))?;
        let name = if inner.is_empty() { name.clone() } else { format!("{name}.{inner}") };
        Some((name, old, new))
    })
}

/// Reads a safetensors file.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn load_tensors(path: &Path, device: &Device) -> Result<HashMap<String, Tensor>> {
    candle_core::safetensors::load(path, device).map_err(|e| Error::Checkpoint {
        path: path.to_path_buf(),
        expected: "safetensors file",
        reason: e.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_changed_setting_is_named() {
        let before = serde_json::json!({"seed": 1, "batch": 8});
        let now = serde_json::json!({"seed": 2, "batch": 8});
        assert_eq!(difference(&before, &before), None);
        let changed = difference(&before, &now);
        assert_eq!(changed, Some(("seed".to_owned(), "1".to_owned(), "2".to_owned())));
        let before = serde_json::json!({"model": {"head": {"kind": "fc", "width": null}}});
        let now = serde_json::json!({"model": {"head": {"kind": "fc", "width": 8}}});
        let changed = difference(&before, &now);
        let expected = ("model.head.width".to_owned(), "nothing".to_owned(), "8".to_owned());
        assert_eq!(changed, Some(expected));
    }
}
