//! Writing.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};

use super::STATE;
use super::quant_state::QuantState;
use crate::codes::Codes;
use crate::eight_bit::VALUES;
use crate::scales::Scales;
use crate::{QuantizedTensor, Result};

/// The tensors under which bitsandbytes stores the weight called `name` (`fc1.weight`).
///
/// They are `name` itself, the codes, and `name.absmax`, `name.quant_map`,
/// `name.quant_state.bitsandbytes__nf4` (or `fp4`); with double quantisation also
/// `name.nested_absmax` and `name.nested_quant_map`. `Params4bit.from_prequantized` takes them.
///
/// # Errors
/// When the tensor library fails.
pub fn state_dict_entries(name: &str, tensor: &QuantizedTensor) -> Result<Vec<(String, Tensor)>> {
    let key = |part: &str| format!("{name}.{part}");
    let table = Codes::of(tensor.config().quant_type).values;
    let state = serde_json::to_vec(&QuantState::of(tensor))?;
    let length = state.len();
    let mut entries = vec![
        (name.to_owned(), tensor.codes().clone()),
        (key("quant_map"), Tensor::new(&table, &Device::Cpu)?),
        (
            format!("{name}{STATE}{}", tensor.config().quant_type),
            Tensor::from_vec(state, length, &Device::Cpu)?,
        ),
    ];
    if let Scales::Nested { map, .. } = tensor.scales() {
        let map = Tensor::from_slice(map.as_slice(), VALUES, &Device::Cpu)?;
        entries.push((key("nested_quant_map"), map));
    }
    entries.extend(tensor.statistics().into_iter().map(|(part, x)| (key(part), x.clone())));
    Ok(entries)
}

/// Writes quantised and other tensors to a safetensors file that bitsandbytes reads.
///
/// The file is not written under another name first: that is the caller's business.
///
/// # Errors
/// When the file cannot be written.
pub fn write_state_dict<'a>(
    path: impl AsRef<Path>,
    quantized: impl IntoIterator<Item = (&'a str, &'a QuantizedTensor)>,
    others: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
) -> Result<()> {
    let mut tensors: HashMap<String, Tensor> =
        others.into_iter().map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect();
    for (name, tensor) in quantized {
        let entries = state_dict_entries(name, tensor).map_err(|error| error.of(name))?;
        tensors.extend(entries);
    }
    Ok(candle_core::safetensors::save(&tensors, path)?)
}
