//! The parameters of a model: where they come from, which are trained, how they are saved.
//!
//! A [`ParamStore`] is the backend of the `VarBuilder` that a model is built from. A tensor that
//! the model asks for is taken from the *provided* ones (a checkpoint) or drawn from the
//! initialisation that the model names. A draw is addressed by `(seed, name)`: it does not depend
//! on what was built before it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Device, Shape, Tensor, Var};
use candle_nn::init::NormalOrUniform;
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use quant_nf4::QuantizedTensor;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use sha2::{Digest, Sha256};

use crate::frozen::PackedEntry;
use crate::{Error, Result};

/// What becomes of a parameter that a model asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It is a variable.
    Trained,
    /// It is kept as it is.
    Fixed,
    /// It is handed out and not kept: the model keeps it in another form.
    Passing,
}

/// Decides by its name what becomes of a parameter.
pub type Policy = Arc<dyn Fn(&str) -> Role + Send + Sync>;

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
    quantized: BTreeMap<String, QuantizedTensor>,
    entries: BTreeMap<String, Entry>,
    packed: BTreeMap<String, PackedEntry>,
    /// Names of provided tensors that were handed out and not kept.
    passed: BTreeSet<String>,
    /// Of what is not trained, as it was handed out.
    digests: BTreeMap<String, Vec<u8>>,
}

/// The parameters of one model, by name.
#[derive(Clone)]
pub struct ParamStore {
    inner: Arc<Mutex<Inner>>,
    policy: Policy,
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
    /// Numbers in all parameters, however they are stored.
    pub total: usize,
    /// Numbers in the trained parameters.
    pub trainable: usize,
    /// Elements of the stored tensors, where two 4-bit codes share one and scales are not counted:
    /// what the published tables call parameters.
    pub stored_elements: usize,
    /// Bytes of all parameters as stored.
    pub stored_bytes: usize,
}

impl ParamStore {
    /// Makes an empty store. `policy` decides by name which parameters become variables.
    pub fn new(seed: u64, dtype: DType, device: &Device, policy: Policy) -> Self {
        Self { inner: Arc::default(), policy, seed, device: device.clone(), dtype }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // A poisoned lock only says that another thread stopped while it read.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Offers tensors that take the place of the initialisation, under full names; weights in 4
    /// bits under the keys of bitsandbytes.
    ///
    /// # Errors
    /// When the parts of a quantised weight do not fit each other.
    pub fn provide(&self, tensors: impl IntoIterator<Item = (String, Tensor)>) -> Result<()> {
        let read = quant_nf4::read_quantized(tensors)?;
        let mut inner = self.lock();
        inner.quantized.extend(read.quantized);
        inner.provided.extend(read.others);
        Ok(())
    }

    /// The weights that were provided in 4 bits.
    pub(crate) fn quantized(&self) -> BTreeMap<String, QuantizedTensor> {
        self.lock().quantized.clone()
    }

    /// Takes note of the weights that the model keeps in another form.
    pub(crate) fn keep_packed(&self, packed: BTreeMap<String, PackedEntry>) {
        self.lock().packed = packed;
    }

    /// Address of the draws.
    pub fn seed(&self) -> u64 {
        self.seed
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

    /// All parameters under the names that a file has for them, sorted. A 4-bit weight has several.
    pub fn tensors(&self) -> BTreeMap<String, Tensor> {
        let inner = self.lock();
        let plain =
            inner.entries.iter().map(|(name, entry)| (name.clone(), entry.tensor().clone()));
        let packed = inner.packed.values().flat_map(|entry| entry.file.iter().cloned());
        plain.chain(packed).collect()
    }

    /// All parameters as dense tensors under their names in the model, sorted; packed weights are
    /// unpacked into new tensors.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn dense_tensors(&self) -> Result<BTreeMap<String, Tensor>> {
        let inner = self.lock();
        let plain = inner.entries.iter();
        let plain = plain.map(|(name, entry)| (name.clone(), entry.tensor().detach()));
        let mut all: BTreeMap<_, _> = plain.collect();
        for (name, entry) in &inner.packed {
            all.insert(name.clone(), entry.layer.weight()?.to_dtype(self.dtype)?);
        }
        Ok(all)
    }

    /// SHA-256 of the names, shapes and values of all parameters that are not trained, as they were
    /// before they were packed, in hexadecimal digits: which weights an adapter belongs to.
    pub fn base_sha256(&self) -> String {
        let mut all = Sha256::new();
        for (name, digest) in &self.lock().digests {
            all.update((name.len() as u64).to_le_bytes());
            all.update(name.as_bytes());
            all.update(digest);
        }
        all.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
            let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
            text.extend([digit(byte >> 4), digit(byte & 15)]);
            text
        })
    }

    /// Numbers and bytes held.
    pub fn count(&self) -> ParamCount {
        let mut count = ParamCount::default();
        let inner = self.lock();
        for entry in inner.entries.values() {
            let tensor = entry.tensor();
            count.total += tensor.elem_count();
            count.stored_elements += tensor.elem_count();
            count.stored_bytes += tensor.elem_count() * tensor.dtype().size_in_bytes();
            if matches!(entry, Entry::Trained(_)) {
                count.trainable += tensor.elem_count();
            }
        }
        for part in inner.packed.values().flat_map(|entry| &entry.parts) {
            count.total += part.elements;
            count.stored_bytes += part.stored_bytes();
            if part.elements > 0 {
                count.stored_elements += part.tensor.elem_count();
            }
        }
        count
    }

    /// Checks that the model took every tensor that was provided, and that none was missing, or
    /// none of the trained ones if only these have to be there.
    ///
    /// # Errors
    /// [`Error::CheckpointNames`] with both lists.
    pub fn check_complete(&self, source: &std::path::Path, trained_only: bool) -> Result<()> {
        let inner = self.lock();
        let taken = |name: &String| {
            inner.provided.contains_key(name)
                || inner.quantized.contains_key(name)
                || inner.passed.contains(name)
        };
        let needed = |entry: &Entry| !trained_only || matches!(entry, Entry::Trained(_));
        let asked = inner.entries.iter().filter(|(_, entry)| needed(entry)).map(|(name, _)| name);
        let asked = asked.chain(inner.packed.keys().filter(|_| !trained_only));
        let missing: Vec<String> = asked.filter(|name| !taken(name)).cloned().collect();
        let unexpected = inner.provided.keys().filter(|name| !inner.entries.contains_key(*name));
        let unpacked = inner.quantized.keys().filter(|name| !inner.packed.contains_key(*name));
        let mut unexpected: Vec<String> = unexpected.chain(unpacked).cloned().collect();
        unexpected.sort();
        if missing.is_empty() && unexpected.is_empty() {
            return Ok(());
        }
        Err(Error::CheckpointNames { path: source.to_path_buf(), missing, unexpected })
    }

    /// Forgets the provided tensors, whose values the parameters now hold.
    pub fn release_provided(&self) {
        let mut inner = self.lock();
        inner.provided.clear();
        inner.quantized.clear();
        inner.passed.clear();
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
        let role = (self.policy)(name);
        let found = match role {
            // Dropped as soon as the model has packed it.
            Role::Passing => inner.provided.remove(name),
            Role::Trained | Role::Fixed => inner.provided.get(name).cloned(),
        };
        let provided = found.is_some();
        let value = match found {
            Some(tensor) => {
                check_shape(name, &shape, &tensor).map_err(plain)?;
                let tensor = tensor.to_dtype(dtype)?.to_device(device)?.force_contiguous()?;
                // A copy of our own: variables are updated in place.
                if role == Role::Passing { tensor } else { tensor.copy()? }
            }
            None => self.draw(name, &shape, init)?,
        };
        if role != Role::Trained {
            inner.digests.insert(name.to_owned(), digest(&value)?);
        }
        let entry = match role {
            Role::Trained => Entry::Trained(Var::from_tensor(&value)?),
            Role::Fixed => Entry::Fixed(value),
            Role::Passing => {
                if provided {
                    inner.passed.insert(name.to_owned());
                }
                return Ok(value);
            }
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

/// SHA-256 of the shape and the values in `f32`.
fn digest(tensor: &Tensor) -> candle_core::Result<Vec<u8>> {
    let mut hash = Sha256::new();
    for &dim in tensor.dims() {
        hash.update((dim as u64).to_le_bytes());
    }
    let values = tensor.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>()?;
    let mut bytes = Vec::with_capacity(4096);
    for part in values.chunks(1024) {
        bytes.clear();
        bytes.extend(part.iter().flat_map(|value| value.to_le_bytes()));
        hash.update(&bytes);
    }
    Ok(hash.finalize().to_vec())
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
        let policy: Policy = Arc::new(|name: &str| match name {
            name if name.starts_with("head.") => Role::Trained,
            "encoder.packed" => Role::Passing,
            _ => Role::Fixed,
        });
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
        vb.get_with_hints(4, "encoder.packed", Init::Const(1.0))?;
        assert_eq!(params.tensors().len(), 2, "what passes is not kept");
        Ok(())
    }

    #[test]
    fn the_hash_is_of_the_values_that_are_not_trained() -> Result<()> {
        let hash = |head: f64, packed: f64| -> Result<String> {
            let params = store(0);
            let vb = params.builder();
            vb.get_with_hints(2, "head.w", Init::Const(head))?;
            vb.get_with_hints(4, "encoder.packed", Init::Const(packed))?;
            Ok(params.base_sha256())
        };
        assert_eq!(hash(1.0, 1.0)?, hash(2.0, 1.0)?);
        assert_ne!(hash(1.0, 1.0)?, hash(1.0, 2.0)?);
        assert_eq!(hash(1.0, 1.0)?.len(), 64);
        Ok(())
    }

    #[test]
    fn provided_tensors_are_strict_in_shape_and_name() -> Result<()> {
        let params = store(0);
        let value = Tensor::new(&[1f32, 2.0], &Device::Cpu)?;
        params.provide([("head.w".to_owned(), value.clone()), ("stray".to_owned(), value)])?;
        let vb = params.builder();
        assert!(vb.get_with_hints(3, "head.w", Init::Const(0.0)).is_err());
        assert_eq!(vb.get(2, "head.w")?.to_vec1::<f32>()?, [1.0, 2.0]);
        let Err(Error::CheckpointNames { missing, unexpected, .. }) =
            params.check_complete(std::path::Path::new("x"), false)
        else {
            panic!("a stray tensor went unnoticed");
        };
        assert!(missing.is_empty());
        assert_eq!(unexpected, ["stray"]);
        Ok(())
    }
}
