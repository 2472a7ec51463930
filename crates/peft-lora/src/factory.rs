//! The factory that puts adapters over the layers of another one.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use candle_nn::VarBuilder;
use grad_ops::{LinearFactory, LinearLayer, LinearSpec};

use crate::{Error, LoraConfig, LoraLinear, Moment, Result};

/// Builds the layers of a model by another factory and adapts those that are targets.
///
/// The tensors of an adapter lie below the path of its layer, beside those of the layer itself;
/// which of them are variables is up to the `VarBuilder`: see [`LoraConfig::trains`].
#[derive(Debug)]
pub struct LoraFactory<'a, F: LinearFactory + ?Sized> {
    inner: &'a F,
    config: LoraConfig,
    seed: u64,
    moment: Moment,
    adapted: Mutex<BTreeSet<String>>,
}

impl<'a, F: LinearFactory + ?Sized> LoraFactory<'a, F> {
    /// Adapts layers of `inner`. `seed` and `moment` are the address of the masks of dropout.
    ///
    /// # Errors
    /// [`Error::Setting`] when the configuration is not valid.
    pub fn new(inner: &'a F, config: LoraConfig, seed: u64, moment: Moment) -> Result<Self> {
        config.validate()?;
        Ok(Self { inner, config, seed, moment, adapted: Mutex::default() })
    }

    /// Settings of the adapters.
    pub fn config(&self) -> &LoraConfig {
        &self.config
    }

    /// Paths of the layers that were adapted so far, sorted.
    pub fn adapted(&self) -> Vec<String> {
        self.adapted.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Checks, after the model is built, that every target was the target of some layer.
    ///
    /// # Errors
    /// [`Error::UnmatchedTargets`] with those that were not.
    pub fn check_targets(&self) -> Result<()> {
        let paths = self.adapted();
        let used: Vec<_> = paths.iter().filter_map(|path| self.config.target(path)).collect();
        let unused = self.config.targets.iter().filter(|target| !used.contains(target));
        let targets: Vec<_> = unused.map(|target| target.suffix.clone()).collect();
        if targets.is_empty() { Ok(()) } else { Err(Error::UnmatchedTargets { targets }) }
    }
}

impl<F: LinearFactory + ?Sized> LinearFactory for LoraFactory<'_, F> {
    fn linear(
        &self,
        spec: LinearSpec,
        vb: VarBuilder<'_>,
    ) -> grad_ops::Result<Arc<dyn LinearLayer>> {
        let path = vb.prefix();
        let base = self.inner.linear(spec, vb.clone())?;
        let Some(target) = self.config.target(&path) else {
            return Ok(base);
        };
        let layer = LoraLinear::load(base, &self.config, target, self.seed, &self.moment, vb)?;
        self.adapted.lock().unwrap_or_else(PoisonError::into_inner).insert(path);
        Ok(Arc::new(layer))
    }
}
