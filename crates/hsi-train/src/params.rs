//! The parameters of a model: where they come from, which are trained, how they are saved.
//!
//! A [`ParamStore`] is the backend of the `VarBuilder` that a model is built from. A tensor that
//! the model asks for is taken from the *provided* ones (a checkpoint) or drawn from the
//! initialisation that the model names. A draw is addressed by `(seed, name)`: it does not depend
//! on what was built before it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Device, Shape, Tensor, Var};
use candle_nn::init::NormalOrUniform;
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::{Error, Result};

/// Decides by its name whether a parameter is trained.
pub type Policy = Arc<dyn Fn(&str) -> bool + Send + Sync>;

#[derive(Debug, Clone)]
enum Entry {
    Trained(Var),
    Fixed(Tensor),
}

impl Entry {
    fn tensor(&self) -> &Tensor {
        match self {
            Self::Trained(var) => var.as_tensor(),
            Self::Fixed(tensor) => tensor,
        }
    }
}

#[derive(Default)]
struct Inner {
    provided: HashMap<String, Tensor>,
    entries: BTreeMap<String, Entry>,
}

/// The parameters of one model, by name.
#[derive(Clone)]
pub struct ParamStore {
    inner: Arc<Mutex<Inner>>,
    trained: Policy,
    seed: u64,
    device: Device,
    dtype: DType,
}

impl std::fmt::Debug for ParamStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.lock().entries.len();
        f.debug_struct("ParamStore")
            .field("entries", &count)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// How many numbers and bytes a model holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct ParamCount {
    /// Numbers in all parameters.
    pub total: usize,
    /// Numbers in the trained parameters.
    pub trainable: usize,
    /// Bytes of all parameters as stored.
    pub stored_bytes: usize,
}

impl ParamStore {
    /// Makes an empty store. `trained` decides by name which parameters become variables.
    pub fn new(seed: u64, dtype: DType, device: &Device, trained: Policy) -> Self {
        Self { inner: Arc::default(), trained, seed, device: device.clone(), dtype }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // A poisoned lock only says that another thread stopped while it read.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Offers tensors that take the place of the initialisation, under full names.
    pub fn provide(&self, tensors: impl IntoIterator<Item = (String, Tensor)>) {
        self.lock().provided.extend(tensors);
    }

    /// Number type of the parameters.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Where the parameters are kept.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The builder to make a model with.
    pub fn builder(&self) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), self.dtype, self.device.clone())
    }

    /// Trained parameters, sorted by name.
    pub fn trained(&self) -> Vec<(String, Var)> {
        let inner = self.lock();
        let vars = inner.entries.iter().filter_map(|(name, entry)| match entry {
            Entry::Trained(var) => Some((name.clone(), var.clone())),
            Entry::Fixed(_) => None,
        });
        vars.collect()
    }

    /// All parameters, sorted by name.
    pub fn tensors(&self) -> BTreeMap<String, Tensor> {
        let inner = self.lock();
        inner.entries.iter().map(|(name, entry)| (name.clone(), entry.tensor().clone())).collect()
    }

    /// Numbers and bytes held.
    pub fn count(&self) -> ParamCount {
        let mut count = ParamCount::default();
        for entry in self.lock().entries.values() {
            let tensor = entry.tensor();
            count.total += tensor.elem_count();
            count.stored_bytes += tensor.elem_count() * tensor.dtype().size_in_bytes();
            if matches!(entry, Entry::Trained(_)) {
                count.trainable += tensor.elem_count();
            }
        }
        count
    }

    /// Checks that the model took every tensor that was provided, and that none was missing.
    ///
    /// # Errors
    /// [`Error::CheckpointNames`] with both lists.
    pub fn check_complete(&self, source: &std::path::Path) -> Result<()> {
        let inner = self.lock();
        let missing = inner.entries.keys().filter(|name| !inner.provided.contains_key(*name));
        let missing: Vec<String> = missing.cloned().collect();
        let unexpected = inner.provided.keys().filter(|name| !inner.entries.contains_key(*name));
        let mut unexpected: Vec<String> = unexpected.cloned().collect();
        unexpected.sort();
        if missing.is_empty() && unexpected.is_empty() {
            return Ok(());
        }
        Err(Error::CheckpointNames { path: source.to_path_buf(), missing, unexpected })
    }

    /// Forgets the provided tensors, whose values the parameters now hold.
    pub fn release_provided(&self) {
        self.lock().provided.clear();
    }

    /// Overwrites the values of parameters that exist.
    ///
    /// # Errors
    /// When a name is unknown, missing, or has another shape.
    pub fn assign(
        &self,
        tensors: &HashMap<String, Tensor>,
        source: &std::path::Path,
    ) -> Result<()> {
        let mut inner = self.lock();
        let missing: Vec<String> =
            inner.entries.keys().filter(|name| !tensors.contains_key(*name)).cloned().collect();
        let mut unexpected: Vec<String> =
            tensors.keys().filter(|name| !inner.entries.contains_key(*name)).cloned().collect();
        unexpected.sort();
        if !missing.is_empty() || !unexpected.is_empty() {
            return Err(Error::CheckpointNames { path: source.to_path_buf(), missing, unexpected });
        }
        for (name, entry) in &mut inner.entries {
            let value = &tensors[name];
            check_shape(name, entry.tensor().shape(), value)?;
            match entry {
                Entry::Trained(var) => var.set(&value.to_dtype(var.dtype())?)?,
                Entry::Fixed(tensor) => *tensor = value.to_dtype(tensor.dtype())?,
            }
        }
        Ok(())
    }

    fn draw(&self, name: &str, shape: &Shape, init: Init) -> candle_core::Result<Tensor> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(fnv1a(name));
        let n = shape.elem_count();
        let normal = |rng: &mut ChaCha8Rng, mean: f64, std: f64| -> Vec<f64> {
            (0..n)
                .map(|_| {
                    let z: f64 = StandardNormal.sample(rng);
                    mean + std * z
                })
                .collect()
        };
        let uniform = |rng: &mut ChaCha8Rng, lo: f64, up: f64| -> Vec<f64> {
            (0..n).map(|_| lo + (up - lo) * rng.random::<f64>()).collect()
        };
        let values = match init {
            Init::Const(value) => vec![value; n],
            Init::Randn { mean, stdev } => normal(&mut rng, mean, stdev),
            Init::Uniform { lo, up } => uniform(&mut rng, lo, up),
            Init::Kaiming { dist, fan, non_linearity } => {
                let std = non_linearity.gain() / (fan.for_shape(shape) as f64).sqrt();
                match dist {
                    NormalOrUniform::Normal => normal(&mut rng, 0.0, std),
                    NormalOrUniform::Uniform => {
                        let bound = 3f64.sqrt() * std;
                        uniform(&mut rng, -bound, bound)
                    }
                }
            }
        };
        Tensor::from_vec(values, shape, &self.device)?.to_dtype(self.dtype)
    }
}

impl SimpleBackend for ParamStore {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        init: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let mut inner = self.lock();
        if let Some(entry) = inner.entries.get(name) {
            check_shape(name, &shape, entry.tensor()).map_err(plain)?;
            return Ok(entry.tensor().clone());
        }
        let value = match inner.provided.get(name) {
            Some(tensor) => {
                check_shape(name, &shape, tensor).map_err(plain)?;
                // A copy of our own: variables are updated in place.
                tensor.to_dtype(dtype)?.to_device(device)?.force_contiguous()?.copy()?
            }
            None => self.draw(name, &shape, init)?,
        };
        let entry = if (self.trained)(name) {
            Entry::Trained(Var::from_tensor(&value)?)
        } else {
            Entry::Fixed(value)
        };
        let tensor = entry.tensor().clone();
        inner.entries.insert(name.to_owned(), entry);
        Ok(tensor)
    }

    fn get_unchecked(
        &self,
        name: &str,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let shape = match self.lock().provided.get(name) {
            Some(tensor) => tensor.shape().clone(),
            None => candle_core::bail!("no tensor `{name}` was provided"),
        };
        self.get(shape, name, Init::Const(0.0), dtype, device)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        let inner = self.lock();
        inner.entries.contains_key(name) || inner.provided.contains_key(name)
    }
}

fn check_shape(name: &str, expected: &Shape, tensor: &Tensor) -> Result<()> {
    if expected == tensor.shape() {
        return Ok(());
    }
    Err(Error::ParameterShape {
        name: name.to_owned(),
        expected: expected.dims().to_vec(),
        got: tensor.dims().to_vec(),
    })
}

/// An error that only passes through the tensor library: without the backtrace that `wrap` adds.
fn plain(error: Error) -> candle_core::Error {
    candle_core::Error::Msg(error.to_string())
}

/// 64-bit FNV-1a: a fixed, portable address for a name.
fn fnv1a(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(seed: u64) -> ParamStore {
        let policy: Policy = Arc::new(|name: &str| name.starts_with("head."));
        ParamStore::new(seed, DType::F32, &Device::Cpu, policy)
    }

    #[test]
    fn draws_do_not_depend_on_the_order_of_building() -> Result<()> {
        let init = Init::Randn { mean: 0.0, stdev: 1.0 };
        let (a, b) = (store(1), store(1));
        let first = a.builder().get_with_hints(7, "head.x", init)?.to_vec1::<f32>()?;
        b.builder().get_with_hints(3, "encoder.y", init)?;
        let second = b.builder().get_with_hints(7, "head.x", init)?.to_vec1::<f32>()?;
        assert_eq!(first, second);
        let other = store(2).builder().get_with_hints(7, "head.x", init)?.to_vec1::<f32>()?;
        assert_ne!(first, other);
        Ok(())
    }

    #[test]
    fn policy_separates_variables_from_fixed_tensors() -> Result<()> {
        let params = store(0);
        let vb = params.builder();
        assert!(vb.get_with_hints((2, 3), "head.w", Init::Const(1.0))?.is_variable());
        assert!(!vb.get_with_hints(5, "encoder.w", Init::Const(1.0))?.is_variable());
        let count = params.count();
        assert_eq!((count.total, count.trainable, count.stored_bytes), (11, 6, 44));
        assert_eq!(params.trained().len(), 1);
        Ok(())
    }

    #[test]
    fn provided_tensors_are_strict_in_shape_and_name() -> Result<()> {
        let params = store(0);
        let value = Tensor::new(&[1f32, 2.0], &Device::Cpu)?;
        params.provide([("head.w".to_owned(), value.clone()), ("stray".to_owned(), value)]);
        let vb = params.builder();
        assert!(vb.get_with_hints(3, "head.w", Init::Const(0.0)).is_err());
        assert_eq!(vb.get(2, "head.w")?.to_vec1::<f32>()?, [1.0, 2.0]);
        let Err(Error::CheckpointNames { missing, unexpected, .. }) =
            params.check_complete(std::path::Path::new("x"))
        else {
            panic!("a stray tensor went unnoticed");
        };
        assert!(missing.is_empty());
        assert_eq!(unexpected, ["stray"]);
        Ok(())
    }
}
