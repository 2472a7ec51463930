//! What is adapted, and how.

use serde::{Deserialize, Serialize};

use crate::names::{A, B, MAGNITUDE, MAX_SLICES};
use crate::{Error, Result};

/// Settings of low-rank adaptation.
///
/// # References
/// - Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, arXiv:2106.09685
/// - Kalajdzievski, A Rank Stabilization Scaling Factor for Fine-Tuning with LoRA, arXiv:2312.03732
/// - Liu et al., DoRA: Weight-Decomposed Low-Rank Adaptation, arXiv:2402.09353
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoraConfig {
    /// Rank of each pair, at least 1.
    pub r: usize,
    /// Numerator of the scale, positive.
    pub alpha: f64,
    /// Probability with which an input of an adapter is dropped in training, in `[0, 1)`.
    pub dropout: f64,
    /// Scale by `alpha / √r` rather than `alpha / r`.
    #[serde(default)]
    pub use_rslora: bool,
    /// Train a magnitude for each output beside the direction (DoRA).
    #[serde(default)]
    pub use_dora: bool,
    /// Which layers are adapted. Of several that match a layer, the longest suffix wins.
    pub targets: Vec<Target>,
    /// Modules and parameters that are trained whole and stored with the adapters: `patch_embed`,
    /// `pos_embed`. A name stands for everything below any path that ends in it.
    #[serde(default)]
    pub modules_to_save: Vec<String>,
}

/// A kind of layer that is adapted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The last components of the paths of the layers: `attn.qkv`, or a whole path.
    pub suffix: String,
    /// One pair or several.
    pub form: Form,
    /// Rank where it differs from [`LoraConfig::r`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r: Option<usize>,
    /// Numerator of the scale where it differs from [`LoraConfig::alpha`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
}

/// How many pairs of matrices adapt a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// One pair for the whole layer.
    Plain,
    /// The outputs are cut into equal slices, each of which has a pair of its own or none: the
    /// query, key and value of a fused layer.
    Split {
        /// Whether each slice is adapted, in the order of the outputs.
        parts: Vec<bool>,
    },
}

impl Form {
    /// Number of equal slices that the outputs are cut into.
    pub fn slices(&self) -> usize {
        match self {
            Self::Plain => 1,
            Self::Split { parts } => parts.len(),
        }
    }

    /// Indices of the slices that are adapted.
    pub fn adapted(&self) -> Vec<usize> {
        match self {
            Self::Plain => vec![0],
            Self::Split { parts } => (0..parts.len()).filter(|&index| parts[index]).collect(),
        }
    }
}

impl Target {
    /// One pair for the layers that end in `suffix`.
    pub fn plain(suffix: impl Into<String>) -> Self {
        Self { suffix: suffix.into(), form: Form::Plain, r: None, alpha: None }
    }

    /// A pair for each slice that is switched on, of the layers that end in `suffix`.
    pub fn split(suffix: impl Into<String>, parts: impl Into<Vec<bool>>) -> Self {
        let form = Form::Split { parts: parts.into() };
        Self { suffix: suffix.into(), form, r: None, alpha: None }
    }

    /// Whether the path of a layer ends in the suffix.
    pub fn matches(&self, path: &str) -> bool {
        ends_in(path, &self.suffix)
    }

    fn validate(&self) -> Result<()> {
        if !is_path(&self.suffix) {
            return Err(setting("targets.suffix", "names with dots between them", &self.suffix));
        }
        if self.form.adapted().is_empty() {
            return Err(setting("targets.form", "with at least one slice on", &self.suffix));
        }
        if self.form.slices() > MAX_SLICES {
            return Err(setting("targets.form", "at most 64 slices", self.form.slices()));
        }
        self.r.map_or(Ok(()), rank)?;
        self.alpha.map_or(Ok(()), numerator)
    }
}

impl LoraConfig {
    /// Separate pairs of rank `r` for query, key and value, and one for the projection after
    /// attention, with alpha 16 and dropout 0.1.
    pub fn rank(r: usize) -> Self {
        Self {
            r,
            alpha: 16.0,
            dropout: 0.1,
            use_rslora: false,
            use_dora: false,
            targets: vec![Target::split("attn.qkv", [true; 3]), Target::plain("attn.proj")],
            modules_to_save: Vec::new(),
        }
    }

    /// As [`LoraConfig::rank`], with one pair for query, key and value together: what HF peft
    /// makes of `target_modules = ["attn.qkv", "attn.proj"]`.
    pub fn fused(r: usize) -> Self {
        let targets = vec![Target::plain("attn.qkv"), Target::plain("attn.proj")];
        Self { targets, ..Self::rank(r) }
    }

    /// As [`LoraConfig::rank`], with one pair for each linear layer of the MLP, too.
    pub fn all_linear(r: usize) -> Self {
        let mut config = Self::rank(r);
        config.targets.extend(["mlp.fc1", "mlp.fc2"].map(Target::plain));
        config
    }

    /// Checks the ranges of all settings.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        rank(self.r)?;
        numerator(self.alpha)?;
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(setting("dropout", "in [0, 1)", self.dropout));
        }
        for (index, target) in self.targets.iter().enumerate() {
            target.validate()?;
            if self.targets[..index].iter().any(|other| other.suffix == target.suffix) {
                return Err(setting("targets", "without repetition", &target.suffix));
            }
        }
        for name in &self.modules_to_save {
            if !is_path(name) {
                return Err(setting("modules_to_save", "names with dots between them", name));
            }
        }
        Ok(())
    }

    /// The target of a layer: the one with the longest suffix among those that match.
    pub fn target(&self, path: &str) -> Option<&Target> {
        let matching = self.targets.iter().filter(|target| target.matches(path));
        matching.max_by_key(|target| target.suffix.len())
    }

    /// Rank of the pairs of a target.
    pub fn rank_of(&self, target: &Target) -> usize {
        target.r.unwrap_or(self.r)
    }

    /// Numerator of the scale of a target.
    pub fn alpha_of(&self, target: &Target) -> f64 {
        target.alpha.unwrap_or(self.alpha)
    }

    /// Whether a parameter is trained: those of adapters and those of `modules_to_save`.
    ///
    /// `name` is the full name of the parameter in the model.
    pub fn trains(&self, name: &str) -> bool {
        is_adapter_parameter(name) || self.saves(name)
    }

    /// Whether a parameter belongs to `modules_to_save`.
    pub fn saves(&self, name: &str) -> bool {
        self.modules_to_save.iter().any(|module| holds(module, name))
    }
}

/// Whether the full name of a parameter is that of a part of an adapter.
pub fn is_adapter_parameter(name: &str) -> bool {
    name.split('.').any(|part| matches!(part, A | B | MAGNITUDE))
}

/// Whether `path` is `suffix` or ends in it after a dot.
pub(crate) fn ends_in(path: &str, suffix: &str) -> bool {
    path.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether `name` is, or lies below, a path that ends in `module`.
fn holds(module: &str, name: &str) -> bool {
    let dots = name.match_indices('.').map(|(index, _)| index).chain([name.len()]);
    dots.map(|end| &name[..end]).any(|path| ends_in(path, module))
}

/// Whether a text is made of names with dots between them.
pub(crate) fn is_path(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    text.split('.').all(|part| !part.is_empty() && part.chars().all(plain))
}

fn rank(r: usize) -> Result<()> {
    if r == 0 { Err(setting("r", "at least 1", r)) } else { Ok(()) }
}

fn numerator(alpha: f64) -> Result<()> {
    if alpha.is_finite() && alpha > 0.0 {
        Ok(())
    } else {
        Err(setting("alpha", "positive and finite", alpha))
    }
}

pub(crate) fn setting(field: &'static str, expected: &'static str, got: impl ToString) -> Error {
    Error::Setting { field, expected, got: got.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_suffix_wins_and_ends_at_a_dot() {
        let mut config = LoraConfig::rank(4);
        config.targets.push(Target { r: Some(2), ..Target::plain("blocks.1.attn.qkv") });
        let rank = |path: &str| config.target(path).map(|target| config.rank_of(target));
        assert_eq!(rank("encoder.blocks.0.attn.qkv"), Some(4));
        assert_eq!(rank("encoder.blocks.1.attn.qkv"), Some(2));
        assert_eq!(rank("blocks.11.attn.qkv"), Some(4));
        assert_eq!(rank("blocks.0.xattn.qkv"), None);
        assert_eq!(rank("attn.proj"), Some(4));
    }

    #[test]
    fn saved_modules_are_found_by_whole_components() {
        let config = LoraConfig {
            modules_to_save: vec!["patch_embed".into(), "pos_embed".into()],
            ..LoraConfig::rank(4)
        };
        assert!(config.trains("encoder.patch_embed.proj.weight"));
        assert!(config.trains("pos_embed"));
        assert!(config.trains("blocks.0.attn.qkv.lora_A.0"));
        assert!(!config.trains("decoder_pos_embed"));
        assert!(!config.trains("blocks.0.attn.qkv.weight"));
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let good = LoraConfig::rank(8);
        assert!(good.validate().is_ok());
        let plain = Target::plain;
        for (field, config) in [
            ("r", LoraConfig { r: 0, ..good.clone() }),
            ("alpha", LoraConfig { alpha: f64::NAN, ..good.clone() }),
            ("alpha", LoraConfig { alpha: 0.0, ..good.clone() }),
            ("dropout", LoraConfig { dropout: 1.0, ..good.clone() }),
            ("targets", LoraConfig { targets: vec![plain("a"), plain("a")], ..good.clone() }),
            ("targets.suffix", LoraConfig { targets: vec![plain(".a")], ..good.clone() }),
            (
                "targets.form",
                LoraConfig { targets: vec![Target::split("a", [false; 3])], ..good.clone() },
            ),
            ("modules_to_save", LoraConfig { modules_to_save: vec!["a.*".into()], ..good }),
        ] {
            let Err(Error::Setting { field: got, .. }) = config.validate() else {
                panic!("`{field}` was accepted");
            };
            assert_eq!(got, field);
        }
    }

    #[test]
    fn configuration_survives_json() {
        let config = LoraConfig::all_linear(4);
        let text = serde_json::to_string(&config).expect("it is plain data");
        assert_eq!(serde_json::from_str::<LoraConfig>(&text).expect("it was just written"), config);
    }
}
