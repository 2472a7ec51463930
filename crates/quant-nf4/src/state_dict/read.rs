//! Reading, with checks of everything that is read.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};

use super::STATE;
use super::quant_state::QuantState;
use crate::codes::Codes;
use crate::eight_bit::{BLOCK, VALUES};
use crate::scales::Scales;
use crate::storage::{owned, with_bytes, with_f32};
use crate::tensor::elements;
use crate::{Error, QuantizedTensor, Result};

/// What a state dict holds.
#[derive(Debug, Clone, Default)]
pub struct StateDict {
    /// Quantised weights by name (`fc1.weight`).
    pub quantized: BTreeMap<String, QuantizedTensor>,
    /// All other tensors by name.
    pub others: BTreeMap<String, Tensor>,
}

/// Reads a safetensors file with 4-bit weights, as bitsandbytes, transformers and
/// [`write_state_dict`](crate::write_state_dict) write it. A file without any is read as well.
///
/// # Errors
/// When the file cannot be read; as [`read_quantized`].
pub fn read_state_dict(path: impl AsRef<Path>) -> Result<StateDict> {
    read_quantized(candle_core::safetensors::load(path, &Device::Cpu)?)
}

/// Sorts the tensors of a state dict into quantised weights and others.
///
/// # Errors
/// When a part of a quantised weight is missing, or has a shape, type or value that does not fit
/// the others, or its block size is not one of the format. The error names the weight.
pub fn read_quantized(tensors: impl IntoIterator<Item = (String, Tensor)>) -> Result<StateDict> {
    let mut tensors: BTreeMap<String, Tensor> = tensors.into_iter().collect();
    let mut states = Vec::new();
    for key in tensors.keys() {
        if let Some((name, quant_type)) = key.rsplit_once(STATE) {
            states.push((name.to_owned(), quant_type.to_owned()));
        }
    }
    let mut read = StateDict::default();
    for (name, quant_type) in states {
        let tensor = take(&mut tensors, &name, &quant_type);
        let tensor = tensor.map_err(|error| error.of(&name))?;
        read.quantized.insert(name, tensor);
    }
    read.others = tensors;
    Ok(read)
}

/// Takes the parts of a quantised weight out of a state dict and puts it together.
fn take(
    tensors: &mut BTreeMap<String, Tensor>,
    name: &str,
    quant_type: &str,
) -> Result<QuantizedTensor> {
    let mut take = |key: String| tensors.remove(&key).ok_or(Error::Missing { key });
    let state = take(format!("{name}{STATE}{quant_type}"))?;
    let state = owned(&state, "the quantisation state", DType::U8)?;
    let state: QuantState =
        with_bytes(&state, "the quantisation state", |json| serde_json::from_slice(json))??;
    if state.quant_type != quant_type.parse()? {
        return Err(Error::Contradiction {
            what: "the quantisation type",
            expected: format!("`{quant_type}`"),
            got: format!("`{}`", state.quant_type),
        });
    }
    let (config, dtype, offset) = (state.config()?, state.dtype()?, state.offset()?);
    let elements = elements(&state.shape)?;
    let blocks = elements.div_ceil(config.block_size);

    let codes = sized(&take(name.to_owned())?, "the codes", DType::U8, elements.div_ceil(2))?;
    let codes = codes.reshape(((), 1))?;
    let table = take(format!("{name}.quant_map"))?;
    check_table(&table, "the map of codes", &Codes::of(config.quant_type).values)?;
    let absmax = take(format!("{name}.absmax"))?;
    let scales = match offset {
        None => {
            let absmax = sized(&absmax, "the scales", DType::F32, blocks)?;
            check_finite(&absmax, "the scales")?;
            Scales::Plain(absmax)
        }
        Some(offset) => {
            let codes = sized(&absmax, "the scales", DType::U8, blocks)?;
            let absmax = take(format!("{name}.nested_absmax"))?;
            let absmax = sized(&absmax, "the nested scales", DType::F32, blocks.div_ceil(BLOCK))?;
            check_finite(&absmax, "the nested scales")?;
            let map = nested_map(&take(format!("{name}.nested_quant_map"))?)?;
            Scales::from_nested(&codes, &absmax, &map, offset)?
        }
    };
    Ok(QuantizedTensor::from_parts(codes, scales, config, state.shape, dtype))
}

/// A flat tensor of a type and number of elements.
fn sized(tensor: &Tensor, what: &'static str, dtype: DType, expected: usize) -> Result<Tensor> {
    let got = tensor.elem_count();
    if got != expected {
        return Err(Error::Length { what, expected, got });
    }
    Ok(owned(tensor, what, dtype)?.flatten_all()?)
}

/// Checks that a table of a file is that of the type.
fn check_table(table: &Tensor, what: &'static str, expected: &[f32]) -> Result<()> {
    let table = sized(table, what, DType::F32, expected.len())?;
    with_f32(&table, what, |table| {
        let mut pairs = table.iter().zip(expected);
        // Other versions may have computed the last digit otherwise.
        let same = |(got, expected): (&f32, &f32)| (got - expected).abs() <= 1e-6;
        match pairs.position(|pair| !same(pair)) {
            Some(code) => {
                Err(Error::Table { what, code, expected: expected[code], got: table[code] })
            }
            None => Ok(()),
        }
    })?
}

/// The map of nested scales as the file has it: 256 ascending numbers from -1 to 1.
fn nested_map(map: &Tensor) -> Result<[f32; VALUES]> {
    const WHAT: &str = "the map of nested scales";
    let map = sized(map, WHAT, DType::F32, VALUES)?;
    with_f32(&map, WHAT, |map| {
        let ordered = map.windows(2).all(|pair| pair[0] <= pair[1]);
        match <[f32; VALUES]>::try_from(map) {
            Ok(values) if ordered && values[0] >= -1.0 && values[VALUES - 1] <= 1.0 => Ok(values),
            _ => Err(Error::Contradiction {
                what: WHAT,
                expected: "256 ascending numbers from -1 to 1".to_owned(),
                got: "others".to_owned(),
            }),
        }
    })?
}

fn check_finite(tensor: &Tensor, what: &'static str) -> Result<()> {
    with_f32(tensor, what, |all| match all.iter().position(|x| !x.is_finite()) {
        Some(index) => Err(Error::NotFinite { index, value: all[index] }.of(what)),
        None => Ok(()),
    })?
}
