//! Which names a model has, and which of a file's names they are.

use std::collections::BTreeMap;
use std::path::Path;

use super::report::Layout;
use crate::{Error, FrontEnd, PositionEmbedding, Result, SpectralAdapter, VitConfig};

/// The tensor by which a transformer is found in a file.
const ANCHOR: &str = "blocks.0.norm1.weight";

/// The tensor by which a spectral adapter is found.
const ADAPTER_ANCHOR: &str = "spectral_adapter.0.weight";

/// A name of a file, and what it is to the model.
#[derive(Debug, Clone)]
pub(super) enum Name {
    /// The model's name of it.
    Model(String),
    /// Part of something else that is known to come with an encoder.
    Extra,
}

/// A tensor of the model.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    /// Whether the model can be built without it.
    pub(super) optional: bool,
}

/// All tensors of an encoder, the telling ones first.
pub(super) fn expected(config: &VitConfig) -> Vec<Expected> {
    let VitConfig { dim, mlp_dim, patch_size, .. } = *config;
    let mut all = Vec::new();
    let mut add = |name: String, shape: Vec<usize>| {
        let fixed = config.position == PositionEmbedding::SinCos;
        let optional = fixed && name == "pos_embed";
        all.push(Expected { name, shape, optional });
    };
    add("cls_token".to_owned(), vec![1, 1, dim]);
    add("pos_embed".to_owned(), vec![1, 1 + config.patches(), dim]);
    let kernel = vec![dim, config.patch_channels(), patch_size, patch_size];
    add("patch_embed.proj.weight".to_owned(), kernel);
    add("patch_embed.proj.bias".to_owned(), vec![dim]);
    for block in 0..config.depth {
        let mut pair = |layer: &str, weight: Vec<usize>, bias: bool| {
            if bias {
                add(format!("blocks.{block}.{layer}.bias"), vec![weight[0]]);
            }
            add(format!("blocks.{block}.{layer}.weight"), weight);
        };
        pair("norm1", vec![dim], true);
        pair("attn.qkv", vec![3 * dim, dim], config.qkv_bias);
        pair("attn.proj", vec![dim, dim], true);
        pair("norm2", vec![dim], true);
        pair("mlp.fc1", vec![mlp_dim, dim], true);
        pair("mlp.fc2", vec![dim, mlp_dim], true);
    }
    add("norm.weight".to_owned(), vec![dim]);
    add("norm.bias".to_owned(), vec![dim]);
    if config.front_end == FrontEnd::SpectralAdapter {
        for (name, shape) in SpectralAdapter::expected() {
            add(format!("spectral_adapter.{name}"), shape);
        }
    }
    all
}

/// Finds the transformer in a file: its layout, the prefix of its names, and each name's part.
pub(super) fn detect(
    path: &Path,
    shapes: &BTreeMap<String, Vec<usize>>,
) -> Result<(Layout, String, BTreeMap<String, Name>)> {
    let prefix = prefix(path, shapes)?;
    let adapter = shapes.keys().find_map(|name| before(name, ADAPTER_ANCHOR));
    let classify = |name: &String| {
        let adapted = adapter.and_then(|adapter| name.strip_prefix(adapter));
        let part = match name.strip_prefix(&prefix) {
            Some(rest) if !is_extra(rest) => Name::Model(rest.to_owned()),
            _ if is_extra(name) || name.strip_prefix(&prefix).is_some() => Name::Extra,
            _ => Name::Model(name.clone()),
        };
        match adapted {
            Some(rest) if rest.starts_with("spectral_adapter.") && !is_extra(rest) => {
                Name::Model(rest.to_owned())
            }
            Some(rest) if rest.starts_with("spectral_adapter.") => Name::Extra,
            _ => part,
        }
    };
    let names: BTreeMap<_, _> = shapes.keys().map(|name| (name.clone(), classify(name))).collect();
    let has = |name: &str| shapes.contains_key(&format!("{prefix}{name}"));
    let layout = if has("mask_token") || has("decoder_embed.weight") {
        Layout::Mae
    } else if prefix.is_empty() {
        Layout::Timm
    } else if prefix.ends_with("vit_core.") {
        Layout::SpectralEarth
    } else if prefix.ends_with("encoder.vit.") {
        Layout::FineTuned
    } else {
        Layout::Prefixed
    };
    Ok((layout, prefix, names))
}

/// What stands before the names of the transformer.
fn prefix(path: &Path, shapes: &BTreeMap<String, Vec<usize>>) -> Result<String> {
    let prefixes: Vec<_> = shapes.keys().filter_map(|name| before(name, ANCHOR)).collect();
    match *prefixes.as_slice() {
        [only] => Ok(only.to_owned()),
        [] => {
            Err(Error::NoEncoder { path: path.to_owned(), found: shapes.keys().cloned().collect() })
        }
        _ => Err(Error::SeveralEncoders {
            path: path.to_owned(),
            prefixes: prefixes.into_iter().map(str::to_owned).collect(),
        }),
    }
}

/// What stands before an anchor, empty or ending with a dot.
fn before<'a>(name: &'a str, anchor: &str) -> Option<&'a str> {
    let prefix = name.strip_suffix(anchor)?;
    (prefix.is_empty() || prefix.ends_with('.')).then_some(prefix)
}

/// Whether a name belongs to something that commonly comes with an encoder and is no part of it.
fn is_extra(name: &str) -> bool {
    let name = name.strip_prefix("module.").unwrap_or(name);
    ["head.", "fc_norm.", "decoder.", "decoder_", "mask_token"].iter().any(|e| name.starts_with(e))
        || name.ends_with(".num_batches_tracked")
}
