//! Adapters merged into the tensors of a whole model.

use std::collections::BTreeMap;

use candle_core::Tensor;

use crate::{AdapterState, Error, Merged, Result};

/// What merging did.
#[derive(Debug, Clone, PartialEq)]
pub struct MergeReport {
    /// Layers whose weights were changed.
    pub layers: usize,
    /// Parameters of `modules_to_save` that took the place of others.
    pub replaced: usize,
    /// Largest change of an element of a weight.
    pub max_abs_change: f64,
    /// The layer with that change.
    pub most_changed: Option<String>,
}

/// The tensors of a model with adapters merged into them.
#[derive(Debug, Clone)]
pub struct MergedModel {
    /// All tensors by their names.
    pub tensors: BTreeMap<String, Tensor>,
    /// What was changed.
    pub report: MergeReport,
    /// What was lost in merging: norms of DoRA by layer, parameters that were replaced by name.
    norms: BTreeMap<String, Tensor>,
    originals: BTreeMap<String, Tensor>,
}

impl AdapterState {
    /// Merges all adapters into the plain tensors of a model and puts the parameters of
    /// `modules_to_save` in their places. See [`crate::LayerAdapter::merge`].
    ///
    /// # Errors
    /// [`Error::UnknownModule`] when the model has no such weight, [`Error::Shape`] when it is of
    /// another size.
    pub fn merge(&self, model: impl IntoIterator<Item = (String, Tensor)>) -> Result<MergedModel> {
        let mut tensors: BTreeMap<_, _> = model.into_iter().collect();
        let mut report =
            MergeReport { layers: 0, replaced: 0, max_abs_change: 0.0, most_changed: None };
        let (mut norms, mut originals) = (BTreeMap::new(), BTreeMap::new());
        for (path, layer) in self.layers() {
            let weight = weight_of(&mut tensors, path)?;
            let merged = layer.merge(weight).map_err(|error| named(error, path))?;
            *weight = merged.weight;
            norms.extend(merged.norms.map(|norms| (path.clone(), norms)));
            report.layers += 1;
            if merged.max_abs_change >= report.max_abs_change {
                report.max_abs_change = merged.max_abs_change;
                report.most_changed = Some(path.clone());
            }
        }
        for (name, value) in self.saved() {
            let place = tensors.get_mut(name);
            let place = place.ok_or_else(|| Error::UnknownModule { name: name.clone() })?;
            if place.dims() != value.dims() {
                return Err(Error::Shape {
                    name: name.clone(),
                    expected: format!("{:?}", place.dims()),
                    got: value.dims().to_vec(),
                });
            }
            let value = value.to_dtype(place.dtype())?.to_device(place.device())?;
            originals.insert(name.clone(), std::mem::replace(place, value));
            report.replaced += 1;
        }
        Ok(MergedModel { tensors, report, norms, originals })
    }

    /// Takes all adapters out of the tensors that they were merged into.
    ///
    /// # Errors
    /// When the model is another one.
    pub fn unmerge(&self, model: &MergedModel) -> Result<BTreeMap<String, Tensor>> {
        let mut tensors = model.tensors.clone();
        for (path, layer) in self.layers() {
            let weight = weight_of(&mut tensors, path)?;
            let norms = model.norms.get(path).cloned();
            let merged = Merged { weight: weight.clone(), norms, max_abs_change: 0.0 };
            *weight = layer.unmerge(&merged).map_err(|error| named(error, path))?;
        }
        tensors.extend(model.originals.clone());
        Ok(tensors)
    }
}

fn weight_of<'a>(tensors: &'a mut BTreeMap<String, Tensor>, path: &str) -> Result<&'a mut Tensor> {
    let name = format!("{path}.weight");
    let weight = tensors.get_mut(&name);
    let weight = weight.ok_or_else(|| Error::UnknownModule { name: name.clone() })?;
    if weight.dtype().is_float() {
        Ok(weight)
    } else {
        Err(Error::Dtype { name, got: weight.dtype() })
    }
}

/// Says in an error about the weight of a layer which layer that is.
fn named(error: Error, path: &str) -> Error {
    match error {
        Error::Shape { name, expected, got } => {
            Error::Shape { name: format!("{path}.{name}"), expected, got }
        }
        other => other,
    }
}
