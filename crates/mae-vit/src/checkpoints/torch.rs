//! PyTorch's files since version 1.6: a zip of a pickle and one entry a storage.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;

use candle_core::{DType, Device, Tensor};

use super::pickle::{self, Id, Object, Objects};
use super::source::Fault;
use super::zip::Zip;

/// Keys below which training programs keep the state of their model, the most telling first.
const WRAPPERS: [&str; 3] = ["model_state_dict", "model", "state_dict"];

/// How deep dictionaries of tensors are looked for.
const MAX_DEPTH: usize = 8;

/// How many numbers a tensor that repeats some of its storage may have.
const MAX_REPEATED: usize = 1 << 26;

/// A view of a storage.
#[derive(Debug, Clone)]
struct View {
    entry: String,
    dtype: DType,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

/// A PyTorch file.
#[derive(Debug)]
pub(super) struct TorchFile {
    zip: Zip,
    views: BTreeMap<String, Result<View, String>>,
}

impl TorchFile {
    pub(super) fn open(file: File) -> Result<Self, Fault> {
        let zip = Zip::open(file)?;
        let pickled = zip.names().find(|name| *name == "data.pkl" || name.ends_with("/data.pkl"));
        let pickled = pickled.ok_or_else(|| Fault::corrupt("it has no entry `data.pkl`"))?;
        let root = pickled.strip_suffix("data.pkl").unwrap_or_default().to_owned();
        let order = format!("{root}byteorder");
        if let Some(size) = zip.size(&order)
            && zip.read(&order, 0, size)?.starts_with(b"big")
        {
            return Err(Fault::Unsupported("the byte order `big`".to_owned()));
        }
        let size = zip.size(pickled).unwrap_or_default();
        let (objects, top) = pickle::read(&zip.read(pickled, 0, size)?)?;
        let mut views = BTreeMap::new();
        let mut collector =
            Collector { objects: &objects, root: &root, seen: HashSet::new(), views: &mut views };
        collector.collect(state(&objects, top), "", MAX_DEPTH);
        Ok(Self { zip, views })
    }

    /// Names and shapes of all tensors; one that cannot be read has no dimensions.
    pub(super) fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        let shape = |view: &Result<View, String>| match view {
            Ok(view) => view.shape.clone(),
            Err(_) => Vec::new(),
        };
        self.views.iter().map(|(name, view)| (name.clone(), shape(view))).collect()
    }

    /// Reads a tensor in its own number type.
    pub(super) fn read(&self, name: &str) -> Result<Tensor, Fault> {
        let view = match self.views.get(name) {
            Some(Ok(view)) => view,
            Some(Err(what)) => return Err(Fault::Unsupported(format!("{what} of `{name}`"))),
            None => return Err(Fault::corrupt(format!("it has no tensor `{name}`"))),
        };
        let damaged = || Fault::corrupt(format!("the sizes of `{name}` do not fit its data"));
        let (count, span) = view.extent().ok_or_else(damaged)?;
        // A tensor has no more numbers than its storage, unless it repeats some of them.
        if count > span.max(MAX_REPEATED) {
            return Err(Fault::Unsupported(format!("the repeated numbers of `{name}`")));
        }
        let width = view.dtype.size_in_bytes() as u64;
        let start = (view.offset as u64).checked_mul(width).ok_or_else(damaged)?;
        let len = (span as u64).checked_mul(width).ok_or_else(damaged)?;
        let bytes = self.zip.read(&view.entry, start, len)?;
        let bytes = if view.is_contiguous() { bytes } else { view.gather(&bytes, count) };
        Tensor::from_raw_buffer(&bytes, view.dtype, &view.shape, &Device::Cpu)
            .map_err(|error| Fault::corrupt(error.to_string()))
    }
}

impl View {
    /// How many numbers the tensor has, and how many of its storage lie between its first and
    /// its last one; `None` when that is more than can be counted.
    fn extent(&self) -> Option<(usize, usize)> {
        let count = self.shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size))?;
        if count == 0 {
            return Some((0, 0));
        }
        let mut span = 1usize;
        for (&size, &stride) in self.shape.iter().zip(&self.strides) {
            span = span.checked_add((size - 1).checked_mul(stride)?)?;
        }
        Some((count, span))
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1usize;
        self.shape.iter().zip(&self.strides).rev().all(|(&size, &stride)| {
            let fits = size == 1 || stride == expected;
            expected = size.wrapping_mul(expected);
            fits
        })
    }

    /// Puts the numbers of a strided tensor in order.
    fn gather(&self, bytes: &[u8], count: usize) -> Vec<u8> {
        let width = self.dtype.size_in_bytes();
        let mut out = Vec::with_capacity(count * width);
        let mut index = vec![0; self.shape.len()];
        for _ in 0..count {
            let at: usize = index.iter().zip(&self.strides).map(|(i, stride)| i * stride).sum();
            out.extend_from_slice(&bytes[at * width..(at + 1) * width]);
            for (i, &size) in index.iter_mut().zip(&self.shape).rev() {
                *i += 1;
                if *i < size {
                    break;
                }
                *i = 0;
            }
        }
        out
    }
}

/// Goes down to the dictionary that holds the state of the model.
fn state(objects: &Objects, mut dict: Id) -> Id {
    for _ in 0..MAX_DEPTH {
        let find = |wrapper: &str| {
            let mut entries = objects.entries(dict)?;
            let (_, value) = entries.find(|(key, _)| *key == wrapper)?;
            objects.entries(value).map(|_| value)
        };
        match WRAPPERS.iter().find_map(|wrapper| find(wrapper)) {
            Some(inner) => dict = inner,
            None => break,
        }
    }
    dict
}

/// Collects the tensors of a dictionary and of the dictionaries in it, their keys joined by dots.
struct Collector<'a> {
    objects: &'a Objects,
    root: &'a str,
    seen: HashSet<Id>,
    views: &'a mut BTreeMap<String, Result<View, String>>,
}

impl Collector<'_> {
    fn collect(&mut self, dict: Id, path: &str, depth: usize) {
        if depth == 0 || !self.seen.insert(dict) {
            return;
        }
        for (key, value) in self.objects.entries(dict).into_iter().flatten() {
            let name = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            match tensor(self.objects, value, self.root) {
                Some(view) => drop(self.views.insert(name, view)),
                None => self.collect(value, &name, depth - 1),
            }
        }
    }
}

/// Reads an object as a tensor: `None` if it is not one.
fn tensor(objects: &Objects, mut id: Id, root: &str) -> Option<Result<View, String>> {
    for _ in 0..MAX_DEPTH {
        let Object::Call { callable, args } = *objects.get(id) else {
            return None;
        };
        let args = objects.tuple(args)?;
        match objects.global(callable)? {
            "torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor" => {
                return Some(view(objects, args, root));
            }
            "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state" => {
                id = *args.first()?;
            }
            other => {
                let kind = other.strip_prefix("torch.")?.starts_with("_utils._rebuild");
                return kind.then(|| Err(format!("the kind `{other}`")));
            }
        }
    }
    None
}

/// Reads storage, offset, sizes and strides.
fn view(objects: &Objects, args: &[Id], root: &str) -> Result<View, String> {
    let read = || {
        let [storage, offset, sizes, strides, ..] = *args else {
            return None;
        };
        let Object::Persistent(storage) = *objects.get(storage) else {
            return None;
        };
        let [_, kind, key, ..] = *objects.tuple(storage)? else {
            return None;
        };
        let shape = objects.counts(sizes)?;
        let strides = objects.counts(strides)?;
        let entry = format!("{root}data/{}", objects.text(key)?);
        let fits = shape.len() == strides.len();
        let offset = objects.count(offset)?;
        fits.then_some((objects.global(kind)?, entry, offset, shape, strides))
    };
    let (kind, entry, offset, shape, strides) = read().ok_or("the form")?;
    let dtype = match kind {
        "torch.FloatStorage" => DType::F32,
        "torch.DoubleStorage" => DType::F64,
        "torch.HalfStorage" => DType::F16,
        "torch.BFloat16Storage" => DType::BF16,
        "torch.LongStorage" => DType::I64,
        other => return Err(format!("the number type `{other}`")),
    };
    Ok(View { entry, dtype, offset, shape, strides })
}
