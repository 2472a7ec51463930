//! The names of the tensors of adapters: our own, those of HF peft and the published ones.

use std::collections::BTreeMap;

use candle_core::Tensor;

use crate::{Error, Form, LayerAdapter, Pair, Result};

/// Name of the matrix that takes the input, below the path of its layer.
pub(crate) const A: &str = "lora_A";
/// Name of the matrix that gives the output.
pub(crate) const B: &str = "lora_B";
/// Name of the magnitudes of the outputs.
pub(crate) const MAGNITUDE: &str = "lora_magnitude_vector";

/// More slices than any fused layer has.
pub(crate) const MAX_SLICES: usize = 64;

/// Names of the matrices of a slice, below the path of the layer.
pub(crate) fn pair_names(form: &Form, slice: usize) -> (String, String) {
    match form {
        Form::Plain => (format!("{A}.weight"), format!("{B}.weight")),
        Form::Split { .. } => (format!("{A}.{slice}"), format!("{B}.{slice}")),
    }
}

/// The place of a tensor in an adapter. A pair of a whole layer has no slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    A(Option<usize>),
    B(Option<usize>),
    Magnitude,
}

/// Splits the full name of a tensor of an adapter into the path of its layer and its place.
fn parse(name: &str) -> Option<(&str, Part)> {
    [A, B, MAGNITUDE].into_iter().find_map(|key| {
        let at = name.find(&format!(".{key}"))?;
        let (path, rest) = (&name[..at], &name[at + 1 + key.len()..]);
        let slice = match rest {
            "" | ".weight" => None,
            rest => {
                let index = rest.strip_prefix('.')?;
                let index: usize = index.strip_suffix(".weight").unwrap_or(index).parse().ok()?;
                Some(index).filter(|&index| index < MAX_SLICES)?.into()
            }
        };
        let part = match key {
            A => Part::A(slice),
            B => Part::B(slice),
            _ if slice.is_none() => Part::Magnitude,
            _ => return None,
        };
        (!path.is_empty()).then_some((path, part))
    })
}

/// The tensors of the adapter of one layer, by their places.
#[derive(Debug, Default)]
pub(crate) struct Found(BTreeMap<Part, (String, Tensor)>);

/// Adapters by the paths of their layers, and what else there is.
#[derive(Debug, Default)]
pub(crate) struct Sorted {
    pub(crate) layers: BTreeMap<String, Found>,
    pub(crate) others: BTreeMap<String, Tensor>,
}

/// Sorts tensors by layers. Names that look like those of adapters and are not fail.
pub(crate) fn sort(tensors: impl IntoIterator<Item = (String, Tensor)>) -> Result<Sorted> {
    let mut sorted = Sorted::default();
    let mut odd = Vec::new();
    for (name, tensor) in tensors {
        match parse(&name) {
            Some((path, part)) => {
                let found = sorted.layers.entry(path.to_owned()).or_default();
                if let Some((other, _)) = found.0.insert(part, (name, tensor)) {
                    odd.push(other);
                }
            }
            None if name.contains("lora_") => odd.push(name),
            None => {
                sorted.others.insert(name, tensor);
            }
        }
    }
    if odd.is_empty() {
        return Ok(sorted);
    }
    odd.sort();
    Err(Error::Unexpected { names: odd })
}

impl Found {
    /// The form by the slices that have a name: of `slices` slices, if of any.
    pub(crate) fn form(&self, slices: usize) -> Form {
        let indices = self.0.keys().filter_map(|part| match part {
            Part::A(slice) | Part::B(slice) => *slice,
            Part::Magnitude => None,
        });
        let indices: Vec<usize> = indices.collect();
        match indices.iter().max() {
            None => Form::Plain,
            Some(&last) => {
                let parts = (0..slices.max(last + 1)).map(|slice| indices.contains(&slice));
                Form::Split { parts: parts.collect() }
            }
        }
    }

    /// The rank by the shape of the first matrix that there is.
    pub(crate) fn rank(&self) -> Option<usize> {
        self.0.iter().find_map(|(part, (_, tensor))| match part {
            Part::A(_) => tensor.dims().first().copied(),
            Part::B(_) | Part::Magnitude => None,
        })
    }

    /// Puts the adapter of the layer at `path` together.
    pub(crate) fn assemble(
        mut self,
        path: &str,
        form: &Form,
        alpha: f64,
        use_rslora: bool,
        use_dora: bool,
    ) -> Result<LayerAdapter> {
        let mut take = |part: Part, name: &str| match self.0.remove(&part) {
            Some((name, tensor)) => {
                check_numbers(&name, &tensor)?;
                Ok(tensor)
            }
            None => Err(Error::Missing { name: format!("{path}.{name}") }),
        };
        let pairs = form.adapted().into_iter().map(|slice| {
            let (a, b) = pair_names(form, slice);
            let slice = matches!(form, Form::Split { .. }).then_some(slice);
            Ok(Pair { a: take(Part::A(slice), &a)?, b: take(Part::B(slice), &b)? })
        });
        let pairs = pairs.collect::<Result<_>>()?;
        let magnitude = use_dora.then(|| take(Part::Magnitude, MAGNITUDE)).transpose()?;
        if !self.0.is_empty() {
            let names = self.0.into_values().map(|(name, _)| name).collect();
            return Err(Error::Unexpected { names });
        }
        LayerAdapter::new(path, form.clone(), pairs, alpha, use_rslora, magnitude)
    }
}

/// Checks that a tensor holds finite floating-point numbers.
pub(crate) fn check_numbers(name: &str, tensor: &Tensor) -> Result<()> {
    if !tensor.dtype().is_float() {
        return Err(Error::Dtype { name: name.to_owned(), got: tensor.dtype() });
    }
    if tensor.elem_count() == 0 {
        return Ok(());
    }
    // A sum of numbers times zero is zero, or not a number.
    let sum = (tensor.detach().to_dtype(candle_core::DType::F32)? * 0.0)?.sum_all()?;
    if sum.to_scalar::<f32>()? == 0.0 {
        Ok(())
    } else {
        Err(Error::NotFinite { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_namings_are_parsed() {
        for (name, path, part) in [
            ("a.b.lora_A.weight", "a.b", Part::A(None)),
            ("a.b.lora_B.weight", "a.b", Part::B(None)),
            ("a.b.lora_A", "a.b", Part::A(None)),
            ("a.b.lora_B.2", "a.b", Part::B(Some(2))),
            ("a.lora_A.0.weight", "a", Part::A(Some(0))),
            ("a.lora_magnitude_vector", "a", Part::Magnitude),
            ("a.lora_magnitude_vector.weight", "a", Part::Magnitude),
        ] {
            assert_eq!(parse(name), Some((path, part)), "{name}");
        }
        for name in [
            "a.lora_A.bias",
            "a.lora_A.64",
            "a.lora_A.-1",
            "a.lora_Ab",
            "lora_A.weight",
            "a.lora_embedding_A",
            "a.lora_A.default.weight",
            "a.lora_magnitude_vector.0",
            "a.weight",
        ] {
            assert_eq!(parse(name), None, "{name}");
        }
    }
}
