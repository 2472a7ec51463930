//! A model in one file: safetensors whose metadata say what `checkpoint.json` says.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::Path;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{FORMAT, Kind, Manifest};
use crate::files::write_atomic;
use crate::trainer::TrainState;
use crate::{Error, Result};

/// Entry of the metadata that describes the model.
const KEY: &str = "hsi_train.checkpoint";
/// Headers of safetensors files are at most as long.
const MAX_HEADER: u64 = 100_000_000;

/// Writes a model that needs no other file: what [`super::open`] and so every program reads.
///
/// # Errors
/// When a value cannot be written as JSON, or the file cannot be written.
pub fn write_file(
    path: &Path,
    model: &impl Serialize,
    protocol: Value,
    tensors: &BTreeMap<String, Tensor>,
) -> Result<()> {
    let json = |source| Error::Json { path: path.to_path_buf(), source };
    let manifest = Manifest {
        format: FORMAT,
        kind: Kind::Denoiser,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model: serde_json::to_value(model).map_err(json)?,
        base: None,
        protocol,
        resume_key: Value::Null,
        state: TrainState::new(),
    };
    let text = serde_json::to_string(&manifest).map_err(json)?;
    let metadata = HashMap::from([(KEY.to_owned(), text)]);
    write_atomic(path, |temporary| {
        safetensors::serialize_to_file(tensors, Some(metadata), temporary).map_err(|e| {
            Error::Checkpoint {
                path: path.to_path_buf(),
                expected: "file that can be written",
                reason: e.to_string(),
            }
        })
    })
}

/// What the metadata of a file say.
pub(super) fn manifest(path: &Path, kind: Kind) -> Result<Manifest> {
    let not_one = |reason: String| Error::Checkpoint {
        path: path.to_path_buf(),
        expected: kind.description(),
        reason,
    };
    let header = header(path)?.and_then(|header| serde_json::from_slice::<Header>(&header).ok());
    let header = header.ok_or_else(|| not_one("it is no safetensors file".to_owned()))?;
    let text = header.metadata.get(KEY).ok_or_else(|| {
        not_one("it is a file of tensors that does not say which model it is".to_owned())
    })?;
    serde_json::from_str(text).map_err(|source| Error::Json { path: path.to_path_buf(), source })
}

/// What is read of the header of a safetensors file.
#[derive(Deserialize)]
struct Header {
    #[serde(rename = "__metadata__", default)]
    metadata: HashMap<String, String>,
}

/// The header of a safetensors file, without the tensors.
fn header(path: &Path) -> Result<Option<Vec<u8>>> {
    let io = |e| Error::io(path, e);
    let mut file = std::fs::File::open(path).map_err(io)?;
    let available = file.metadata().map_err(io)?.len();
    let mut length = [0; 8];
    if available < 8 {
        return Ok(None);
    }
    file.read_exact(&mut length).map_err(io)?;
    let header = u64::from_le_bytes(length);
    if header > MAX_HEADER || header > available - 8 {
        return Ok(None);
    }
    let mut all = Vec::new();
    file.take(header).read_to_end(&mut all).map_err(io)?;
    Ok(Some(all))
}
