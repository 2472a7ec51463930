//! Reading an adapter's folder.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;

use super::config::{PeftConfig, Targets};
use super::{CONFIG, PeftOptions, ROOT, TARGETS, TENSORS, blocks};
use crate::config::ends_in;
use crate::names::{self, Found, check_numbers};
use crate::{AdapterState, Error, Form, LayerAdapter, LoraConfig, Result, Target, state};

impl AdapterState {
    /// Reads an adapter from a folder of HF peft.
    ///
    /// An adapter that peft made on a fused layer has one pair and is [`Form::Plain`]. The layers
    /// are those that have tensors in the file: where `target_modules` is an expression, it is
    /// not evaluated. Keys of `rank_pattern` and `alpha_pattern` must be names. A tensor outside
    /// of `modules_to_save` is a parameter that was stored whole, and is added there.
    ///
    /// # Errors
    /// When a file is missing or damaged, something is used that is not implemented
    /// ([`Error::Unsupported`]), a matrix has no partner, or a shape or rank is another one than
    /// its place asks for.
    pub fn read_peft(folder: &Path, options: &PeftOptions, device: &Device) -> Result<Self> {
        let path = folder.join(CONFIG);
        let peft = PeftConfig::parse(&path, &read(&path)?)?;
        let path = folder.join(TENSORS);
        let bytes = read(&path)?;
        let forms = if options.split { stored_forms(&path, &bytes)? } else { Vec::new() };
        let damaged = |error: candle_core::Error| Error::File {
            path: path.clone(),
            expected: "safetensors file",
            reason: error.to_string(),
        };
        let tensors = candle_core::safetensors::load_buffer(&bytes, device).map_err(damaged)?;
        assemble(&peft, tensors, &forms, &options.prefix)
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|source| Error::Io { path: path.to_path_buf(), source })
}

/// The targets that an adapter had before it was fused.
fn stored_forms(path: &Path, bytes: &[u8]) -> Result<Vec<Target>> {
    let damaged = |reason: String| Error::File {
        path: path.to_path_buf(),
        expected: "safetensors file",
        reason,
    };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| damaged(e.to_string()))?;
    let Some(text) = header.metadata().as_ref().and_then(|all| all.get(TARGETS)) else {
        return Ok(Vec::new());
    };
    let targets: Vec<Target> =
        serde_json::from_str(text).map_err(|e| damaged(format!("`{TARGETS}`: {e}")))?;
    // Checks their ranges.
    LoraConfig { targets: targets.clone(), ..LoraConfig::rank(1) }.validate()?;
    Ok(targets)
}

fn assemble(
    peft: &PeftConfig,
    tensors: HashMap<String, Tensor>,
    forms: &[Target],
    prefix: &str,
) -> Result<AdapterState> {
    let mut below = Vec::with_capacity(tensors.len());
    let mut odd = Vec::new();
    for (name, tensor) in tensors {
        match name.strip_prefix(ROOT) {
            Some(name) if !name.contains("base_layer") => below.push((name.to_owned(), tensor)),
            _ => odd.push(name),
        }
    }
    if !odd.is_empty() {
        odd.sort();
        return Err(Error::Unexpected { names: odd });
    }
    let sorted = names::sort(below)?;
    let mut layers = BTreeMap::new();
    for (path, found) in sorted.layers {
        let layer = layer(peft, &path, found)?;
        let full = format!("{prefix}{path}");
        let form = forms.iter().filter(|target| target.matches(&full));
        let form = form.max_by_key(|target| target.suffix.len()).map(|target| target.form.clone());
        layers.insert(full, blocks::cut(&path, &layer, form.unwrap_or(Form::Plain))?);
    }
    let (saved, modules_to_save) = saved(peft, sorted.others, prefix)?;
    let suffixes = match &peft.target_modules {
        Targets::List(all) => Some(all.as_slice()),
        Targets::Expression(_) | Targets::None => None,
    };
    // Slices may differ from layer to layer where forms were stored: so do the suffixes.
    let own: Vec<_> = forms.iter().map(|target| target.suffix.clone()).collect();
    let suffixes = if own.is_empty() { suffixes } else { Some(own.as_slice()) };
    let config = LoraConfig {
        r: peft.r,
        alpha: peft.lora_alpha,
        dropout: peft.lora_dropout,
        use_rslora: peft.use_rslora,
        use_dora: peft.use_dora,
        targets: state::targets(peft.r, peft.lora_alpha, &layers, suffixes),
        modules_to_save,
    };
    AdapterState::from_parts(config, layers, saved)
}

/// The fused adapter of the layer at `path`.
fn layer(peft: &PeftConfig, path: &str, found: Found) -> Result<LayerAdapter> {
    if let Targets::List(all) = &peft.target_modules
        && !all.iter().any(|suffix| ends_in(path, suffix))
    {
        return Err(Error::UnknownTarget { layer: path.to_owned() });
    }
    let alpha = peft.alpha_pattern.get(path).unwrap_or(peft.lora_alpha);
    let expected = peft.rank_pattern.get(path).unwrap_or(peft.r);
    let layer = found.assemble(path, &Form::Plain, alpha, peft.use_rslora, peft.use_dora)?;
    state::check_rank(path, expected, &layer)?;
    Ok(layer)
}

type Saved = (BTreeMap<String, Tensor>, Vec<String>);

/// The parameters that are stored whole, and the modules they belong to.
fn saved(peft: &PeftConfig, others: BTreeMap<String, Tensor>, prefix: &str) -> Result<Saved> {
    let mut config =
        LoraConfig { modules_to_save: peft.modules_to_save.clone(), ..LoraConfig::rank(1) };
    let mut saved = BTreeMap::new();
    for (name, tensor) in others {
        check_numbers(&name, &tensor)?;
        if !config.saves(&name) {
            config.modules_to_save.push(name.clone());
        }
        saved.insert(format!("{prefix}{name}"), tensor);
    }
    Ok((saved, config.modules_to_save))
}
