//! The checkpoints that training writes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::Tensor;
use serde::Serialize;
use serde_json::Value;

use super::folder::{copy, replace};
use super::{CONFIG, FORMAT, Kind, MODEL, Manifest, OPTIMIZER};
use crate::base::BaseWeights;
use crate::files::{create_dir, write_json};
use crate::optim::AdamW;
use crate::params::ParamStore;
use crate::trainer::TrainState;
use crate::{Error, Result};

/// Writes the checkpoints of a run.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    folder: PathBuf,
    kind: Kind,
    model: Value,
    protocol: Value,
    resume_key: Value,
    base: Option<BaseWeights>,
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
        Ok(Self { folder, kind, model, protocol, resume_key, base: None })
    }

    /// Writes only what is trained, and names the weights that it belongs to.
    #[must_use]
    pub fn over(mut self, base: BaseWeights) -> Self {
        self.base = Some(base);
        self
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

    /// Writes `best` alone: a model that was not trained here.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_best(&self, params: &ParamStore) -> Result<()> {
        self.write_folder("best", params, None, &TrainState::new())
    }

    fn write_folder(
        &self,
        name: &str,
        params: &ParamStore,
        optimizer: Option<&AdamW>,
        state: &TrainState,
    ) -> Result<()> {
        replace(&self.folder.join(name), |folder| {
            let tensors: HashMap<String, Tensor> = match self.base {
                Some(_) => params.trained().into_iter().map(|(n, v)| (n, v.into_inner())).collect(),
                None => params.tensors().into_iter().collect(),
            };
            save_tensors(&folder.join(MODEL), &tensors)?;
            if let Some(optimizer) = optimizer {
                save_tensors(&folder.join(OPTIMIZER), &optimizer.state()?)?;
            }
            let manifest = Manifest {
                format: FORMAT,
                kind: self.kind,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                model: self.model.clone(),
                base: self.base.clone(),
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
        let best = super::open(&run.join("best"), self.kind, false).ok();
        let best = best.filter(|best| best.manifest.model == self.model).map(|best| best.path);
        copy(best.as_ref().unwrap_or(&last), &self.folder.join("best"), &[MODEL, CONFIG])
    }
}

fn save_tensors(path: &Path, tensors: &HashMap<String, Tensor>) -> Result<()> {
    Ok(candle_core::safetensors::save(tensors, path)?)
}
