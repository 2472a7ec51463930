//! How a model is adapted to denoising, and how its frozen weights are kept.

use quant_nf4::QuantConfig;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How a model is adapted to denoising.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Method {
    /// All parameters are trained.
    Full,
    /// The encoder is fixed, the head is trained.
    Frozen,
    /// The encoder is fixed, low-rank adapters in its attention and the head are trained.
    Lora,
    /// As [`Method::Lora`], over an encoder whose weights are kept in 4 bits.
    Qlora,
}

impl Method {
    /// All methods.
    pub const ALL: [Self; 4] = [Self::Full, Self::Frozen, Self::Lora, Self::Qlora];

    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Frozen => "frozen",
            Self::Lora => "lora",
            Self::Qlora => "qlora",
        }
    }

    /// Whether the encoder is adapted by low-rank pairs.
    pub fn has_adapters(self) -> bool {
        matches!(self, Self::Lora | Self::Qlora)
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Method {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        choose("method", text, &Self::ALL, Self::name)
    }
}

/// How the weights of linear layers of the encoder are quantised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quantization {
    /// Type, blocks and scales.
    #[serde(flatten)]
    pub config: QuantConfig,
    /// Which layers.
    #[serde(default)]
    pub modules: QuantModules,
}

/// Which linear layers of the encoder's blocks are quantised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum QuantModules {
    /// Those of the attention, as published: `attn.qkv` and `attn.proj`.
    #[default]
    QkvProj,
    /// Those of the MLP too: `mlp.fc1` and `mlp.fc2`.
    All,
}

impl QuantModules {
    /// All choices.
    pub const ALL: [Self; 2] = [Self::QkvProj, Self::All];

    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::QkvProj => "qkv-proj",
            Self::All => "all",
        }
    }

    /// Whether the layer at this path (`encoder.blocks.3.attn.qkv`) is quantised.
    pub fn selects(self, path: &str) -> bool {
        let suffixes: &[&str] = match self {
            Self::QkvProj => &LINEAR[..2],
            Self::All => &LINEAR,
        };
        suffixes.iter().any(|suffix| path.ends_with(suffix))
    }
}

impl std::str::FromStr for QuantModules {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        choose("quant-modules", text, &Self::ALL, Self::name)
    }
}

/// Ends of the paths of the linear layers of a block.
const LINEAR: [&str; 4] = [".attn.qkv", ".attn.proj", ".mlp.fc1", ".mlp.fc2"];

/// Whether a path is that of a linear layer of a block of the encoder.
pub(crate) fn is_block_linear(path: &str) -> bool {
    QuantModules::All.selects(path)
}

/// Number type of frozen weights.
///
/// What is trained is `f32` in any case, and so are the sums of products: a weight in `bf16` is
/// widened panel by panel as it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits, 8 of them exponent, for the frozen linear layers of the encoder's blocks that are
    /// not quantised.
    Bf16,
}

impl Precision {
    /// All types.
    pub const ALL: [Self; 2] = [Self::F32, Self::Bf16];

    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }

    /// Whether this is the default.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(crate) fn is_f32(&self) -> bool {
        *self == Self::F32
    }
}

impl std::str::FromStr for Precision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        choose("dtype", text, &Self::ALL, Self::name)
    }
}

/// The choice of this name.
pub(crate) fn choose<T: Copy>(
    name: &'static str,
    text: &str,
    all: &[T],
    of: impl Fn(T) -> &'static str,
) -> Result<T> {
    all.iter().copied().find(|&choice| of(choice) == text).ok_or_else(|| {
        let names: Vec<String> = all.iter().map(|&choice| format!("`{}`", of(choice))).collect();
        Error::Setting {
            name,
            expected: format!("one of {}", names.join(", ")),
            got: text.to_owned(),
        }
    })
}
