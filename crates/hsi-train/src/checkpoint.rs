//! Checkpoints: folders that hold a model, and what training continues from.
//!
//! ```text
//! <run>/best/   model.safetensors  checkpoint.json
//! <run>/last/   model.safetensors  optimizer.safetensors  checkpoint.json
//! ```
//!
//! A folder is written under another name, then takes the place of the old one; whatever moment
//! the program is killed at, [`open`] finds the old checkpoint or the new one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::files::{create_dir, read_json, write_json};
use crate::optim::AdamW;
use crate::params::ParamStore;
use crate::trainer::TrainState;
use crate::{Error, Result};

const MODEL: &str = "model.safetensors";
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
    /// What it was trained on and how: free for the program that writes it.
    pub protocol: Value,
    /// Settings that must be the same when training is resumed.
    pub resume_key: Value,
    /// Where training stood.
    pub state: TrainState,
}

/// Writes the checkpoints of a run.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    folder: PathBuf,
    kind: Kind,
    model: Value,
    protocol: Value,
    resume_key: Value,
}

impl Checkpoints {
    /// Checkpoints of a model of this configuration below `folder`.
    ///
    /// `protocol` is what a program wants to know when it uses the model; `resume_key` is what
    /// must not change between a run and its continuation.
    ///
    /// # Errors
    /// When the folder cannot be made, or a value cannot be written as JSON.
    pub fn new(
        folder: impl Into<PathBuf>,
        kind: Kind,
        model: &impl Serialize,
        protocol: Value,
        resume_key: Value,
    ) -> Result<Self> {
        let folder = folder.into();
        create_dir(&folder)?;
        let model = serde_json::to_value(model)
            .map_err(|source| Error::Json { path: folder.join(CONFIG), source })?;
        Ok(Self { folder, kind, model, protocol, resume_key })
    }

    /// Writes `last`, `best` where the epoch was the best one, and `epoch-NNNN` to be kept.
    pub(crate) fn write(
        &self,
        params: &ParamStore,
        optimizer: &AdamW,
        state: &TrainState,
        best: bool,
        keep: bool,
    ) -> Result<()> {
        if best {
            self.write_folder("best", params, None, state)?;
        }
        if keep {
            self.write_folder(&format!("epoch-{:04}", state.epoch), params, None, state)?;
        }
        self.write_folder("last", params, Some(optimizer), state)
    }

    fn write_folder(
        &self,
        name: &str,
        params: &ParamStore,
        optimizer: Option<&AdamW>,
        state: &TrainState,
    ) -> Result<()> {
        replace(&self.folder.join(name), |folder| {
            let tensors: HashMap<String, Tensor> = params.tensors().into_iter().collect();
            save_tensors(&folder.join(MODEL), &tensors)?;
            if let Some(optimizer) = optimizer {
                save_tensors(&folder.join(OPTIMIZER), &optimizer.state())?;
            }
            let manifest = Manifest {
                format: FORMAT,
                kind: self.kind,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                model: self.model.clone(),
                protocol: self.protocol.clone(),
                resume_key: self.resume_key.clone(),
                state: state.clone(),
            };
            // Last, so that a folder with this file is complete.
            write_json(&folder.join(CONFIG), &manifest)
        })
    }

    /// Copies `last` and the `best` beside it of the run that is continued, unless it is this one:
    /// training may have nothing left to do, or never get better than it was.
    ///
    /// # Errors
    /// When a file cannot be copied.
    pub fn adopt(&self, last: &Path) -> Result<()> {
        let absolute = |path: &Path| path.canonicalize().map_err(|e| Error::io(path, e));
        let last = absolute(last)?;
        let Some(run) =
            last.parent().filter(|run| absolute(&self.folder).ok().as_deref() != Some(run))
        else {
            return Ok(());
        };
        copy(&last, &self.folder.join("last"), &[MODEL, OPTIMIZER, CONFIG])?;
        let best = open(&run.join("best"), self.kind, false).ok();
        let best = best.filter(|best| best.manifest.model == self.model).map(|best| best.path);
        copy(best.as_ref().unwrap_or(&last), &self.folder.join("best"), &[MODEL, CONFIG])
    }
}

/// Fills a folder under another name, then lets it take the place of `target`.
fn replace(target: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let (new, old) = siblings(target);
    remove(&new)?;
    create_dir(&new)?;
    fill(&new)?;
    remove(&old)?;
    if target.exists() {
        rename(target, &old)?;
    }
    rename(&new, target)?;
    remove(&old)
}

fn copy(from: &Path, to: &Path, files: &[&str]) -> Result<()> {
    replace(to, |folder| {
        for file in files {
            let source = from.join(file);
            std::fs::copy(&source, folder.join(file)).map_err(|e| Error::io(source, e))?;
        }
        Ok(())
    })
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

/// Opens a checkpoint folder; of the folder of a run, its `best` one, or `last` if `prefer_last`.
///
/// # Errors
/// When there is no checkpoint, or it is of another kind or form.
pub fn open(path: &Path, kind: Kind, prefer_last: bool) -> Result<Checkpoint> {
    let names = if prefer_last { ["last", "best"] } else { ["best", "last"] };
    let candidates = std::iter::once(path.to_path_buf()).chain(names.map(|name| path.join(name)));
    for folder in candidates {
        let Some(found) = recovered(&folder) else {
            continue;
        };
        let manifest: Manifest = read_json(&found.join(CONFIG))?;
        if manifest.format != FORMAT || manifest.kind != kind {
            return Err(Error::Checkpoint {
                path: found,
                expected: kind.description(),
                reason: format!(
                    "it is a {}, format {}",
                    manifest.kind.description(),
                    manifest.format
                ),
            });
        }
        return Ok(Checkpoint { path: found, manifest });
    }
    let reason = if path.is_file() {
        "it is a file, not the folder of a run".to_owned()
    } else if path.exists() {
        "it holds no `checkpoint.json`, nor does a `best` or `last` below it".to_owned()
    } else {
        "it does not exist".to_owned()
    };
    Err(Error::Checkpoint { path: path.to_path_buf(), expected: kind.description(), reason })
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
        load_tensors(&self.path.join(MODEL), device)
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

/// Names that a folder has before it takes its place and after it lost it.
fn siblings(target: &Path) -> (PathBuf, PathBuf) {
    let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
    (target.with_file_name(format!(".{name}.new")), target.with_file_name(format!(".{name}.old")))
}

/// The folder itself, or what an interrupted replacement left of it.
fn recovered(target: &Path) -> Option<PathBuf> {
    let (new, old) = siblings(target);
    [target.to_path_buf(), new, old].into_iter().find(|folder| folder.join(CONFIG).is_file())
}

fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(folder, e)),
        _ => Ok(()),
    }
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).map_err(|e| Error::io(to, e))
}

fn save_tensors(path: &Path, tensors: &HashMap<String, Tensor>) -> Result<()> {
    Ok(candle_core::safetensors::save(tensors, path)?)
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
    fn an_interrupted_replacement_is_found() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let target = folder.path().join("last");
        assert_eq!(recovered(&target), None);
        let (new, old) = siblings(&target);
        for (place, expected) in [(&old, &old), (&new, &new), (&target, &target)] {
            std::fs::create_dir(place)?;
            std::fs::write(place.join(CONFIG), "{}")?;
            assert_eq!(recovered(&target).as_ref(), Some(expected));
        }
        Ok(())
    }

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
