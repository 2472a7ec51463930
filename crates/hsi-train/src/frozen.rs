//! How the frozen linear layers of the encoder are built and kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::Tensor;
use candle_nn::VarBuilder;
use grad_ops::{
    Bf16Weight, Linear, LinearFactory, LinearLayer, LinearSpec, PackedLinear, PackedWeight,
    Parameter,
};
use quant_nf4::{Quantize, state_dict_entries};

use crate::Result;
use crate::method::{Precision, is_block_linear};
use crate::model::ModelConfig;
use crate::params::ParamStore;

/// A weight that is kept in another form than one number an element.
#[derive(Debug, Clone)]
pub(crate) struct PackedEntry {
    /// The stored tensors, and how many elements of the model each stands for.
    pub(crate) parts: Vec<Parameter>,
    /// The tensors that a file holds for it.
    pub(crate) file: Vec<(String, Tensor)>,
    /// The layer that it is the weight of.
    pub(crate) layer: Arc<dyn LinearLayer>,
}

/// The factory below the adapters, and what it has packed.
pub(crate) struct FrozenLayers {
    plain: Halves,
    quantize: Option<Quantize<'static, Halves>>,
}

impl FrozenLayers {
    /// A factory for the frozen weights of a configuration, which takes those that the store has
    /// in 4 bits as they are.
    pub(crate) fn new(config: &ModelConfig, params: &ParamStore) -> Result<Self> {
        let plain = Halves { active: config.precision == Precision::Bf16, built: Arc::default() };
        let quantize = match config.quantization {
            Some(quantization) => {
                let select = move |path: &str| quantization.modules.selects(path);
                let factory = Quantize::new(plain.clone(), quantization.config, select)?;
                Some(factory.with_quantized(params.quantized()))
            }
            None => None,
        };
        Ok(Self { plain, quantize })
    }

    pub(crate) fn factory(&self) -> &dyn LinearFactory {
        match &self.quantize {
            Some(quantize) => quantize,
            None => &self.plain,
        }
    }

    /// The weights that were packed, by their full names.
    pub(crate) fn packed(&self) -> Result<BTreeMap<String, PackedEntry>> {
        let mut all = BTreeMap::new();
        let halves = self.plain.built.lock().unwrap_or_else(PoisonError::into_inner);
        for (path, (weight, layer)) in halves.iter() {
            let name = format!("{path}.weight");
            let file = vec![(name.clone(), weight.tensor().clone())];
            let layer: Arc<dyn LinearLayer> = Arc::clone(layer) as _;
            all.insert(name, PackedEntry { parts: weight.parameters(), file, layer });
        }
        for (path, layer) in self.quantize.iter().flat_map(Quantize::built) {
            let name = format!("{path}.weight");
            let file = state_dict_entries(&name, layer.quantized())?;
            let own = |part: &Parameter| part.name.starts_with("weight");
            let parts = layer.parameters().into_iter().filter(own).collect();
            all.insert(name, PackedEntry { parts, file, layer: Arc::new(layer) });
        }
        Ok(all)
    }
}

/// Layers of the encoder's blocks with weights in `bf16` if `active`, plain layers otherwise.
#[derive(Debug, Clone)]
struct Halves {
    active: bool,
    built: Arc<Mutex<HalfLayers>>,
}

/// Weights in `bf16` and their layers, by path.
type HalfLayers = BTreeMap<String, (Bf16Weight, Arc<PackedLinear>)>;

impl LinearFactory for Halves {
    fn linear(
        &self,
        spec: LinearSpec,
        vb: VarBuilder<'_>,
    ) -> grad_ops::Result<Arc<dyn LinearLayer>> {
        let path = vb.prefix();
        let plain = Linear::load(spec, vb)?;
        if !(self.active && is_block_linear(&path)) {
            return Ok(Arc::new(plain));
        }
        let weight = Bf16Weight::new(&plain.weight()?)?;
        let layer = Arc::new(PackedLinear::new(Arc::new(weight.clone()), plain.bias())?);
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        built.insert(path, (weight, Arc::clone(&layer)));
        Ok(layer)
    }
}
