//! Weights from other programs: found in their files, renamed, checked, brought to the grid.

mod layout;
mod pickle;
mod report;
mod source;
mod torch;
mod zip;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use self::layout::{Expected, Name};
pub use self::report::{Layout, LoadReport, Resized};
use self::source::Source;
use crate::position::{resize_positions, square_edge};
use crate::{Error, Result, VitConfig};

/// How much of a model has to be in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadMode {
    /// All of it, and nothing that the model does not have.
    #[default]
    Strict,
    /// What is there under the model's names; the [`LoadReport`] says what was not.
    Partial,
    /// The blocks and the final norm, all of them; nothing else is looked at.
    ///
    /// This is what the published fine-tuning code does: it leaves the tokens, the patch
    /// embedding and the position embedding at their random start.
    BlocksOnly,
}

/// Reads the weights of an encoder from a `.safetensors` or PyTorch (`.pth`, `.pt`) file.
///
/// The content of the file tells its format, and its names tell their layout: timm's,
/// facebookresearch/mae's, SpectralEarth's (`vit_core` and `spectral_adapter`), the published
/// fine-tuned models' (`encoder.vit.`), or timm's below any other prefix; in PyTorch files also
/// inside `model`, `model_state_dict` or `state_dict`. The result has timm's names and f32
/// numbers, for `VarBuilder::from_tensors` or any other store.
///
/// Heads (`head.*`, `fc_norm.*`), pretraining decoders (`decoder_*`, `mask_token`) and counters
/// (`*.num_batches_tracked`) are passed over and listed as ignored. A position embedding of
/// another grid is resized with [`resize_positions`], and the report says so.
///
/// # Errors
/// * [`Error::Io`], [`Error::UnknownFormat`], [`Error::Corrupt`], [`Error::Unsupported`]: the
///   file cannot be read.
/// * [`Error::NoEncoder`], [`Error::SeveralEncoders`]: what to load is not clear.
/// * [`Error::Names`]: names are missing or unexpected, in a mode that does not allow it.
/// * [`Error::CheckpointBands`], [`Error::TensorShape`]: a tensor does not fit the model.
/// * [`Error::Config`]: the configuration is not valid.
pub fn load_encoder(
    path: impl AsRef<Path>,
    config: &VitConfig,
    mode: LoadMode,
) -> Result<(HashMap<String, Tensor>, LoadReport)> {
    config.validate()?;
    let path = path.as_ref();
    let source = Source::open(path)?;
    let (layout, prefix, names) = layout::detect(path, source.shapes())?;
    let expected = layout::expected(config);
    let mut report = LoadReport {
        layout,
        prefix,
        loaded: Vec::new(),
        missing: Vec::new(),
        unexpected: Vec::new(),
        ignored: Vec::new(),
        resized: None,
    };
    let found = sort_names(names, &expected, mode, &mut report);
    check_names(path, &expected, &found, mode, &mut report)?;

    let mut tensors = HashMap::with_capacity(found.len());
    for tensor in &expected {
        let Some(stored) = found.get(&tensor.name) else {
            continue;
        };
        let shape = source.shapes().get(stored).map_or(&[][..], Vec::as_slice);
        let resized = check_shape(path, tensor, shape, config)?;
        let mut values = source.read(stored)?;
        if let Some(change) = resized {
            values = resize_positions(&values, change.to)?;
            report.resized = Some(change);
        }
        report.loaded.push(tensor.name.clone());
        tensors.insert(tensor.name.clone(), values);
    }
    Ok((tensors, report))
}

/// Sorts the names of a file into wanted ones (the model's name to the file's), unexpected and
/// ignored ones.
fn sort_names(
    names: BTreeMap<String, Name>,
    expected: &[Expected],
    mode: LoadMode,
    report: &mut LoadReport,
) -> HashMap<String, String> {
    let mut found = HashMap::new();
    for (stored, part) in names {
        match part {
            Name::Model(name) if mode == LoadMode::BlocksOnly && !in_blocks(&name) => {
                report.ignored.push(stored);
            }
            Name::Model(name) if expected.iter().any(|tensor| tensor.name == name) => {
                found.insert(name, stored);
            }
            Name::Model(_) => report.unexpected.push(stored),
            Name::Extra => report.ignored.push(stored),
        }
    }
    found
}

/// Notes the missing names, and decides whether the mode allows them and the unexpected ones.
fn check_names(
    path: &Path,
    expected: &[Expected],
    found: &HashMap<String, String>,
    mode: LoadMode,
    report: &mut LoadReport,
) -> Result<()> {
    let missing = |needed: &dyn Fn(&Expected) -> bool| -> Vec<String> {
        let lacks = |tensor: &&Expected| needed(tensor) && !found.contains_key(&tensor.name);
        expected.iter().filter(lacks).map(|tensor| tensor.name.clone()).collect()
    };
    report.missing = missing(&|tensor| !tensor.optional);
    let wrong = match mode {
        LoadMode::Strict => report.missing.clone(),
        LoadMode::BlocksOnly => missing(&|tensor| in_blocks(&tensor.name)),
        LoadMode::Partial => return Ok(()),
    };
    if wrong.is_empty() && report.unexpected.is_empty() {
        return Ok(());
    }
    Err(Error::Names {
        path: path.to_owned(),
        missing: wrong,
        unexpected: report.unexpected.clone(),
    })
}

/// Checks the shape of a tensor; a position embedding may have another square grid.
fn check_shape(
    path: &Path,
    expected: &Expected,
    got: &[usize],
    config: &VitConfig,
) -> Result<Option<Resized>> {
    if got == expected.shape {
        return Ok(None);
    }
    if let (true, &[1, rows, dim]) = (expected.name == "pos_embed", got)
        && let Some(edge) = square_edge(rows)
        && dim == config.dim
    {
        return Ok(Some(Resized { from: (edge, edge), to: config.grid() }));
    }
    if let (true, &[dim, channels, rows, cols]) = (expected.name == "patch_embed.proj.weight", got)
        && expected.shape == [dim, config.patch_channels(), rows, cols]
    {
        return Err(Error::CheckpointBands {
            path: path.to_owned(),
            expected: config.patch_channels(),
            got: channels,
        });
    }
    Err(Error::TensorShape {
        path: path.to_owned(),
        name: expected.name.clone(),
        expected: expected.shape.clone(),
        got: got.to_vec(),
    })
}

/// Whether a name belongs to the blocks or the final norm.
fn in_blocks(name: &str) -> bool {
    name.starts_with("blocks.") || name.starts_with("norm.")
}
