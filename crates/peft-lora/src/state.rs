//! The adapters of a whole model, as tensors.

use std::collections::BTreeMap;

use candle_core::Tensor;

use crate::names::{self, check_numbers};
use crate::{Error, LayerAdapter, LoraConfig, Result, Target};

/// The adapters of all layers of a model with their configuration, and the parameters that were
/// trained whole. Its tensors are copies: training on does not change them.
#[derive(Debug, Clone)]
pub struct AdapterState {
    config: LoraConfig,
    layers: BTreeMap<String, LayerAdapter>,
    saved: BTreeMap<String, Tensor>,
}

impl AdapterState {
    /// Picks the adapters and the parameters of `modules_to_save` out of the tensors of a model,
    /// under their full names; the others are left out.
    ///
    /// # Errors
    /// When the configuration is not valid, a matrix has no partner, a layer is no target, a
    /// rank is not the configured one, a shape does not fit, a number is not finite, or a module
    /// of `modules_to_save` has no tensors.
    pub fn from_tensors(
        config: &LoraConfig,
        tensors: impl IntoIterator<Item = (String, Tensor)>,
    ) -> Result<Self> {
        config.validate()?;
        let sorted = names::sort(tensors)?;
        let mut layers = BTreeMap::new();
        for (path, found) in sorted.layers {
            let target = config.target(&path);
            let target = target.ok_or_else(|| Error::UnknownTarget { layer: path.clone() })?;
            let (alpha, form) = (config.alpha_of(target), &target.form);
            let layer = found.assemble(&path, form, alpha, config.use_rslora, config.use_dora)?;
            check_rank(&path, config.rank_of(target), &layer)?;
            layers.insert(path, copied(&layer)?);
        }
        let mut saved = BTreeMap::new();
        for (name, tensor) in sorted.others {
            if config.saves(&name) {
                check_numbers(&name, &tensor)?;
                saved.insert(name, tensor.detach().copy()?);
            }
        }
        Self::from_parts(config.clone(), layers, saved)
    }

    /// Picks the adapters out of a published fine-tuned model: `lora_A.{0,1,2}` and
    /// `lora_B.{0,1,2}` of a fused query, key and value, `lora_A` and `lora_B` of other layers.
    ///
    /// `prefix` stands before the names there (`encoder.vit.`) and is left out here; what lies
    /// elsewhere is not looked at. The files do not say `alpha` and `dropout`: published runs had
    /// 16 and 0.1.
    ///
    /// # Errors
    /// As [`AdapterState::from_tensors`], and when there are no adapters below `prefix`.
    pub fn from_published(
        tensors: impl IntoIterator<Item = (String, Tensor)>,
        prefix: &str,
        alpha: f64,
        dropout: f64,
    ) -> Result<Self> {
        const SLICES: usize = 3;
        let below = tensors
            .into_iter()
            .filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?.to_owned(), tensor)));
        let sorted = names::sort(below)?;
        let first = sorted.layers.values().find_map(names::Found::rank);
        let r = first.ok_or_else(|| Error::Missing { name: format!("{prefix}*.lora_A") })?;
        let (use_rslora, use_dora) = (false, false);
        let mut layers = BTreeMap::new();
        for (path, found) in sorted.layers {
            let form = found.form(SLICES);
            let layer = found.assemble(&path, &form, alpha, use_rslora, use_dora)?;
            layers.insert(path, copied(&layer)?);
        }
        let targets = targets(r, alpha, &layers, None);
        let modules_to_save = Vec::new();
        let config =
            LoraConfig { r, alpha, dropout, use_rslora, use_dora, targets, modules_to_save };
        Self::from_parts(config, layers, BTreeMap::new())
    }

    /// Puts a state together.
    pub(crate) fn from_parts(
        config: LoraConfig,
        layers: BTreeMap<String, LayerAdapter>,
        saved: BTreeMap<String, Tensor>,
    ) -> Result<Self> {
        config.validate()?;
        for module in &config.modules_to_save {
            let only = LoraConfig { modules_to_save: vec![module.clone()], ..config.clone() };
            if !saved.keys().any(|name| only.saves(name)) {
                return Err(Error::Missing { name: module.clone() });
            }
        }
        Ok(Self { config, layers, saved })
    }

    /// Settings of the adapters.
    pub fn config(&self) -> &LoraConfig {
        &self.config
    }

    /// The adapters by the paths of their layers.
    pub fn layers(&self) -> &BTreeMap<String, LayerAdapter> {
        &self.layers
    }

    /// The parameters of `modules_to_save` by their full names.
    pub fn saved(&self) -> &BTreeMap<String, Tensor> {
        &self.saved
    }

    /// All tensors under the full names that a model has for them: what a `VarBuilder` is to
    /// hold when the model is built with [`LoraFactory`](crate::LoraFactory) and
    /// [`AdapterState::config`].
    pub fn tensors(&self) -> BTreeMap<String, Tensor> {
        let mut all = self.saved.clone();
        for (path, layer) in &self.layers {
            let own = layer.tensors().into_iter();
            all.extend(own.map(|(name, tensor)| (format!("{path}.{name}"), tensor.clone())));
        }
        all
    }
}

/// The same adapter with tensors that are no variables and share no memory with these.
fn copied(layer: &LayerAdapter) -> Result<LayerAdapter> {
    layer.map(|tensor| Ok(tensor.detach().copy()?))
}

/// Checks the rank of the layer at `path`.
pub(crate) fn check_rank(path: &str, expected: usize, layer: &LayerAdapter) -> Result<()> {
    if layer.rank() == expected {
        return Ok(());
    }
    let first = layer.tensors().into_iter().next().map(|(name, _)| name).unwrap_or_default();
    Err(Error::Rank { name: format!("{path}.{first}"), expected, got: layer.rank() })
}

/// Targets that stand for these layers: of the suffixes, those whose layers are alike, and whole
/// paths for the other layers. Without suffixes, the last two components of the paths.
pub(crate) fn targets(
    r: usize,
    alpha: f64,
    layers: &BTreeMap<String, LayerAdapter>,
    suffixes: Option<&[String]>,
) -> Vec<Target> {
    let target = |suffix: &str, layer: &LayerAdapter| Target {
        suffix: suffix.to_owned(),
        form: layer.form().clone(),
        r: Some(layer.rank()).filter(|&own| own != r),
        alpha: Some(layer.alpha()).filter(|&own| own != alpha),
    };
    let mut groups: BTreeMap<String, Vec<(&String, Target)>> = BTreeMap::new();
    for (path, layer) in layers {
        let suffix = match suffixes {
            Some(all) => longest_suffix(path, all).unwrap_or(path),
            None => last_two(path),
        };
        let group = groups.entry(suffix.to_owned()).or_default();
        group.push((path, target(suffix, layer)));
    }
    let mut all = Vec::new();
    for members in groups.into_values() {
        let first = members[0].1.clone();
        if members.iter().all(|(_, target)| *target == first) {
            all.push(first);
        } else {
            let whole = members.into_iter();
            all.extend(whole.map(|(path, target)| Target { suffix: path.clone(), ..target }));
        }
    }
    all
}

fn longest_suffix<'a>(path: &str, suffixes: &'a [String]) -> Option<&'a str> {
    let matching = suffixes.iter().filter(|suffix| crate::config::ends_in(path, suffix));
    matching.max_by_key(|suffix| suffix.len()).map(String::as_str)
}

fn last_two(path: &str) -> &str {
    let dots = path.rmatch_indices('.').nth(1);
    dots.map_or(path, |(dot, _)| &path[dot + 1..])
}
