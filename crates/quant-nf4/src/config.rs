//! How a tensor is quantised.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The sixteen numbers that a code can stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QuantType {
    /// Quantiles of the normal distribution, and zero.
    #[default]
    Nf4,
    /// Floating point: a sign, two bits of exponent, one of mantissa.
    Fp4,
}

impl QuantType {
    /// All types.
    pub const ALL: [Self; 2] = [Self::Nf4, Self::Fp4];

    /// The name of the type in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nf4 => "nf4",
            Self::Fp4 => "fp4",
        }
    }
}

impl fmt::Display for QuantType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for QuantType {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|quant_type| quant_type.name() == name);
        found.ok_or_else(|| Error::QuantType { got: name.to_owned() })
    }
}

/// Settings of a quantisation. The default is that of QLoRA: NF4, blocks of 64, scales quantised
/// once more.
///
/// # References
/// - Dettmers et al., QLoRA, <https://arxiv.org/abs/2305.14314>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuantConfig {
    /// What a code stands for.
    pub quant_type: QuantType,
    /// Elements that share a scale: a power of two from 32 to 4096.
    pub block_size: usize,
    /// Whether the scales are quantised to 8 bits in blocks of 256.
    pub double_quant: bool,
}

impl Default for QuantConfig {
    fn default() -> Self {
        Self { quant_type: QuantType::Nf4, block_size: 64, double_quant: true }
    }
}

impl QuantConfig {
    /// Checks the block size.
    ///
    /// # Errors
    /// When it is none of 32, 64, 128, 256, 512, 1024, 2048 and 4096.
    pub fn validate(&self) -> Result<()> {
        if self.block_size.is_power_of_two() && (32..=4096).contains(&self.block_size) {
            Ok(())
        } else {
            Err(Error::BlockSize { got: self.block_size })
        }
    }
}
