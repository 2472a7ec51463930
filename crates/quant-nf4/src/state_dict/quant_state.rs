//! The JSON document that describes a quantised tensor.

use candle_core::DType;
use serde::{Deserialize, Serialize};

use crate::eight_bit::BLOCK;
use crate::scales::Scales;
use crate::{Error, QuantConfig, QuantType, QuantizedTensor, Result};

/// What the tensors of a quantised tensor do not say themselves.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QuantState {
    pub(super) quant_type: QuantType,
    blocksize: usize,
    dtype: String,
    pub(super) shape: Vec<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nested_blocksize: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nested_dtype: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nested_offset: Option<f64>,
}

/// Names of the number types that can be quantised.
const DTYPES: [(&str, DType); 3] =
    [("float32", DType::F32), ("float16", DType::F16), ("bfloat16", DType::BF16)];

impl QuantState {
    pub(super) fn of(tensor: &QuantizedTensor) -> Self {
        let dtype = DTYPES.iter().find(|(_, dtype)| *dtype == tensor.dtype());
        let offset = match tensor.scales() {
            Scales::Plain(_) => None,
            Scales::Nested { offset, .. } => Some(f64::from(*offset)),
        };
        Self {
            quant_type: tensor.config().quant_type,
            blocksize: tensor.config().block_size,
            dtype: dtype.map_or("float32", |(name, _)| name).to_owned(),
            shape: tensor.shape().to_vec(),
            nested_blocksize: offset.map(|_| BLOCK),
            nested_dtype: offset.map(|_| "float32".to_owned()),
            nested_offset: offset,
        }
    }

    /// The settings that the document describes.
    pub(super) fn config(&self) -> Result<QuantConfig> {
        let double_quant = self.nested_offset.is_some();
        let config =
            QuantConfig { quant_type: self.quant_type, block_size: self.blocksize, double_quant };
        config.validate()?;
        Ok(config)
    }

    pub(super) fn dtype(&self) -> Result<DType> {
        let found = DTYPES.iter().find(|(name, _)| *name == self.dtype);
        found.map(|(_, dtype)| *dtype).ok_or_else(|| Error::Contradiction {
            what: "the number type of the original",
            expected: "`float32`, `float16` or `bfloat16`".to_owned(),
            got: format!("`{}`", self.dtype),
        })
    }

    /// The offset of nested scales, `None` where the scales are not nested.
    pub(super) fn offset(&self) -> Result<Option<f32>> {
        let contradiction = |what, expected: &str, got| {
            Err(Error::Contradiction { what, expected: expected.to_owned(), got })
        };
        let expected = "given all or not at all";
        match (self.nested_blocksize, &self.nested_dtype, self.nested_offset) {
            (None, None, None) => Ok(None),
            (Some(BLOCK), Some(dtype), Some(offset)) => {
                let offset = offset as f32;
                if dtype != "float32" {
                    let got = format!("`{dtype}`");
                    contradiction("the number type of the nested scales", "`float32`", got)
                } else if !offset.is_finite() {
                    contradiction("the nested offset", "a finite number", offset.to_string())
                } else {
                    Ok(Some(offset))
                }
            }
            (Some(block), Some(_), Some(_)) => {
                contradiction("the nested block size", "256", block.to_string())
            }
            _ => contradiction("the settings of nested scales", expected, "a part".to_owned()),
        }
    }
}
