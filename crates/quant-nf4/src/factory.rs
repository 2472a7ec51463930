//! The factory of linear layers with 4-bit weights.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use candle_nn::{Init, VarBuilder};
use grad_ops::{Linear, LinearFactory, LinearLayer, LinearSpec};

use crate::{Error, Linear4bit, QuantConfig, QuantizedTensor, Result, Weight4bit};

/// A factory that builds the layers at selected places with 4-bit weights, and leaves the others to
/// another factory.
///
/// A dense weight is fetched, quantised and dropped again, one layer after the other. It is free
/// then unless the source of the `VarBuilder` keeps it: read weights from a file that is mapped, not
/// from a map of tensors. A weight that is quantised already
/// ([`with_quantized`](Self::with_quantized)) is taken as it is.
pub struct Quantize<'a, F> {
    inner: F,
    config: QuantConfig,
    select: Box<dyn Fn(&str) -> bool + 'a>,
    quantized: BTreeMap<String, QuantizedTensor>,
    built: Mutex<BTreeMap<String, Linear4bit>>,
}

impl<'a, F: LinearFactory> Quantize<'a, F> {
    /// Makes a factory that quantises the weights of the layers whose path (`blocks.3.attn.qkv`)
    /// `select` accepts.
    ///
    /// # Errors
    /// When the settings are not valid.
    pub fn new(inner: F, config: QuantConfig, select: impl Fn(&str) -> bool + 'a) -> Result<Self> {
        config.validate()?;
        Ok(Self {
            inner,
            config,
            select: Box::new(select),
            quantized: BTreeMap::new(),
            built: Mutex::default(),
        })
    }

    /// Takes the weights with these names (`blocks.3.attn.qkv.weight`) as they are, whether their
    /// layers are selected or not.
    #[must_use]
    pub fn with_quantized(
        mut self,
        quantized: impl IntoIterator<Item = (String, QuantizedTensor)>,
    ) -> Self {
        self.quantized.extend(quantized);
        self
    }

    /// The layers built so far, by path. They share the memory of those that were handed out.
    pub fn built(&self) -> BTreeMap<String, Linear4bit> {
        self.built.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The names of weights given to [`with_quantized`](Self::with_quantized) that no layer has
    /// asked for so far.
    pub fn unused(&self) -> Vec<String> {
        let built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        let used = |name: &str| {
            let path = name.strip_suffix("weight").map(|path| path.trim_end_matches('.'));
            path.is_some_and(|path| built.contains_key(path))
        };
        self.quantized.keys().filter(|name| !used(name)).cloned().collect()
    }

    fn build(
        &self,
        spec: LinearSpec,
        vb: VarBuilder<'_>,
        name: &str,
        quantized: Option<&QuantizedTensor>,
    ) -> Result<Linear4bit> {
        let expected = [spec.out_features, spec.in_features];
        let Some(quantized) = quantized else {
            let dense = Linear::load(spec, vb)?;
            let weight = dense.weight()?;
            let quantized = QuantizedTensor::quantize(&weight, &self.config);
            let quantized = quantized.map_err(|error| error.of(name))?;
            return Linear4bit::new(Weight4bit::new(quantized)?, dense.bias());
        };
        if *quantized.shape() != expected {
            let (expected, got) = (format!("{expected:?}"), quantized.shape().to_vec());
            return Err(Error::Shape { what: "the weight", expected, got }.of(name));
        }
        let bias = if spec.bias {
            let bound = 1.0 / (spec.in_features as f64).sqrt();
            let hint = Init::Uniform { lo: -bound, up: bound };
            Some(vb.get_with_hints(spec.out_features, "bias", hint)?)
        } else {
            None
        };
        Linear4bit::new(Weight4bit::new(quantized.clone())?, bias)
    }
}

impl<F: LinearFactory> LinearFactory for Quantize<'_, F> {
    fn linear(
        &self,
        spec: LinearSpec,
        vb: VarBuilder<'_>,
    ) -> grad_ops::Result<Arc<dyn LinearLayer>> {
        let path = vb.prefix();
        let name = if path.is_empty() { "weight".to_owned() } else { format!("{path}.weight") };
        let quantized = self.quantized.get(&name);
        if quantized.is_none() && !(self.select)(&path) {
            return self.inner.linear(spec, vb);
        }
        let layer = self.build(spec, vb, &name, quantized)?;
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        built.insert(path, layer.clone());
        Ok(Arc::new(layer))
    }
}

impl<F: fmt::Debug> fmt::Debug for Quantize<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quantize")
            .field("inner", &self.inner)
            .field("config", &self.config)
            .field("quantized", &self.quantized.keys())
            .finish_non_exhaustive()
    }
}
