//! Writing an adapter's folder.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use candle_core::Tensor;
use serde_json::Map;

use super::config::{Written, number};
use super::{A, B, CONFIG, MAGNITUDE, PeftOptions, ROOT, TARGETS, TENSORS, blocks};
use crate::config::ends_in;
use crate::{AdapterState, Error, Form, Result};

impl AdapterState {
    /// Writes a folder from which `PeftModel.from_pretrained` of HF peft loads the adapter over
    /// the same model.
    ///
    /// Separate slices become one pair of block-diagonal matrices, which does exactly the same.
    /// A parameter of `modules_to_save` that is no module, such as `pos_embed`, is stored under
    /// its name: peft writes it into the model when it loads the adapter.
    ///
    /// The folder is written under another name and then takes its place; an adapter that is
    /// there is replaced.
    ///
    /// # Errors
    /// [`Error::UnknownModule`] when a name does not begin with the prefix of the options,
    /// [`Error::FolderInUse`] when the folder holds anything but an adapter, and when writing
    /// fails.
    pub fn write_peft(&self, folder: &Path, options: &PeftOptions) -> Result<()> {
        let prefix = options.prefix.as_str();
        let tensors = self.peft_tensors(prefix)?;
        let text = self.peft_config(prefix)?;
        let targets = serde_json::to_string(&self.config().targets);
        let targets = targets.map_err(|error| Error::File {
            path: folder.join(TENSORS),
            expected: "list of targets",
            reason: error.to_string(),
        })?;
        // One entry: the order of several would change from run to run.
        let metadata = HashMap::from([(TARGETS.to_owned(), targets)]);
        let bytes = safetensors::serialize(&tensors, Some(metadata));
        let bytes = bytes.map_err(|error| Error::File {
            path: folder.join(TENSORS),
            expected: "set of tensors",
            reason: error.to_string(),
        })?;
        replace(folder, &[(CONFIG, text.as_bytes()), (TENSORS, &bytes)])
    }

    /// The tensors under peft's names.
    fn peft_tensors(&self, prefix: &str) -> Result<BTreeMap<String, Tensor>> {
        let mut all = BTreeMap::new();
        for (path, layer) in self.layers() {
            let path = without(prefix, path)?;
            let pair = blocks::fuse(layer)?;
            all.insert(format!("{ROOT}{path}.{A}.weight"), pair.a);
            all.insert(format!("{ROOT}{path}.{B}.weight"), pair.b);
            let magnitude = layer.magnitude().cloned();
            all.extend(magnitude.map(|m| (format!("{ROOT}{path}.{MAGNITUDE}"), m)));
        }
        for (name, tensor) in self.saved() {
            all.insert(format!("{ROOT}{}", without(prefix, name)?), tensor.clone());
        }
        all.into_iter().map(|(name, tensor)| Ok((name, tensor.force_contiguous()?))).collect()
    }

    /// The text of `adapter_config.json`.
    fn peft_config(&self, prefix: &str) -> Result<String> {
        let config = self.config();
        let mut target_modules = BTreeSet::new();
        let (mut rank_pattern, mut alpha_pattern) = (Map::new(), Map::new());
        // peft takes the first pattern that matches: one suffix must not be the end of another.
        let nested = config.targets.iter().any(|target| {
            config.targets.iter().any(|o| o.suffix != target.suffix && target.matches(&o.suffix))
        });
        for (path, layer) in self.layers() {
            let target = config.target(path);
            let target = target.ok_or_else(|| Error::UnknownTarget { layer: path.clone() })?;
            let suffix = target.suffix.strip_prefix(prefix).unwrap_or(&target.suffix);
            target_modules.insert(suffix.to_owned());
            let key = if nested { without(prefix, path)? } else { suffix };
            let slices = match layer.form() {
                Form::Plain => 1,
                form @ Form::Split { .. } => form.adapted().len(),
            };
            let rank = slices * layer.rank();
            let alpha = layer.alpha() * blocks::alpha_factor(slices, layer.use_rslora());
            if rank != config.r {
                rank_pattern.insert(key.to_owned(), rank.into());
            }
            if alpha != config.alpha {
                alpha_pattern.insert(key.to_owned(), number(alpha));
            }
        }
        // A parameter that is no module is not peft's business.
        let modules = config
            .modules_to_save
            .iter()
            .filter(|module| !self.saved().keys().any(|name| ends_in(name, module)));
        let modules = modules.map(|module| module.strip_prefix(prefix).unwrap_or(module));
        Ok(Written {
            config,
            target_modules: target_modules.into_iter().collect(),
            modules_to_save: modules.map(str::to_owned).collect(),
            rank_pattern,
            alpha_pattern,
        }
        .text())
    }
}

/// The name without the prefix that it must have.
fn without<'a>(prefix: &str, name: &'a str) -> Result<&'a str> {
    name.strip_prefix(prefix)
        .ok_or_else(|| Error::Prefix { name: name.to_owned(), prefix: prefix.to_owned() })
}

/// Writes files into a folder that takes the place of `target` when it is complete.
fn replace(target: &Path, files: &[(&str, &[u8])]) -> Result<()> {
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| Error::Io { path, source }
    };
    let parent = match target.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(parent).map_err(io(parent))?;
    let old = target.is_dir();
    if old {
        for entry in std::fs::read_dir(target).map_err(io(target))? {
            let entry = entry.map_err(io(target))?.file_name();
            if entry != CONFIG && entry != TENSORS {
                let entry = entry.to_string_lossy().into_owned();
                return Err(Error::FolderInUse { path: target.to_path_buf(), entry });
            }
        }
    }
    // Removed with what it holds, unless it is renamed.
    let work = tempfile::Builder::new().prefix(".adapter-").tempdir_in(parent);
    let work = work.map_err(io(parent))?;
    let new = work.path().join("new");
    std::fs::create_dir(&new).map_err(io(&new))?;
    for (name, bytes) in files {
        let path = new.join(name);
        std::fs::write(&path, bytes).map_err(io(&path))?;
    }
    if old {
        std::fs::rename(target, work.path().join("old")).map_err(io(target))?;
    }
    let renamed = std::fs::rename(&new, target).map_err(io(target));
    if renamed.is_err() && old {
        // Its error would say less than the one that is returned.
        drop(std::fs::rename(work.path().join("old"), target));
    }
    renamed
}
