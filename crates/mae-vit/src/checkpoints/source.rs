//! A file of named tensors: which it has, of which shapes, and their numbers on demand.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use candle_core::safetensors::BufferedSafetensors;
use candle_core::{DType, Device, Tensor};

use super::torch::TorchFile;
use crate::{Error, Result};

/// What is wrong with a file, before its path is known.
#[derive(Debug)]
pub(super) enum Fault {
    Io(io::Error),
    Corrupt(String),
    Unsupported(String),
}

impl Fault {
    pub(super) fn corrupt(reason: impl Into<String>) -> Self {
        Self::Corrupt(reason.into())
    }

    fn at(self, path: &Path) -> Error {
        let path = path.to_owned();
        match self {
            Self::Io(source) => Error::Io { path, source },
            Self::Corrupt(reason) => Error::Corrupt { path, reason },
            Self::Unsupported(what) => Error::Unsupported { path, what },
        }
    }
}

impl From<io::Error> for Fault {
    fn from(source: io::Error) -> Self {
        Self::Io(source)
    }
}

/// The first bytes of PyTorch's files from before version 1.6: a pickled magic number.
const LEGACY_TORCH: [u8; 6] = [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc];

/// A file of named tensors.
pub(super) struct Source {
    path: PathBuf,
    shapes: BTreeMap<String, Vec<usize>>,
    kind: Kind,
}

enum Kind {
    Safetensors(BufferedSafetensors),
    Torch(TorchFile),
}

impl Source {
    /// Opens a file; its content, not its name, tells the format.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(io)?;
        let mut head = Vec::with_capacity(9);
        file.by_ref().take(9).read_to_end(&mut head).map_err(io)?;
        if head.starts_with(b"PK") {
            let torch = TorchFile::open(file).map_err(|fault| fault.at(path))?;
            let shapes = torch.shapes();
            return Ok(Self { path: path.to_owned(), shapes, kind: Kind::Torch(torch) });
        }
        if head.get(8) == Some(&b'{') {
            return Self::safetensors(path);
        }
        let hint = if head.starts_with(&LEGACY_TORCH) {
            ", but a PyTorch file from before version 1.6: load it and save it again there"
        } else {
            ""
        };
        Err(Error::UnknownFormat { path: path.to_owned(), hint })
    }

    fn safetensors(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| Fault::Io(e).at(path))?;
        let tensors = BufferedSafetensors::new(bytes)
            .map_err(|error| Fault::corrupt(error.to_string()).at(path))?;
        let all = tensors.tensors().into_iter();
        let shapes = all.map(|(name, view)| (name, view.shape().to_vec())).collect();
        Ok(Self { path: path.to_owned(), shapes, kind: Kind::Safetensors(tensors) })
    }

    /// Names and shapes of all tensors.
    pub(super) fn shapes(&self) -> &BTreeMap<String, Vec<usize>> {
        &self.shapes
    }

    /// Reads a tensor as f32.
    pub(super) fn read(&self, name: &str) -> Result<Tensor> {
        let tensor = match &self.kind {
            Kind::Safetensors(tensors) => tensors
                .load(name, &Device::Cpu)
                .map_err(|error| Fault::corrupt(error.to_string()).at(&self.path))?,
            Kind::Torch(torch) => torch.read(name).map_err(|fault| fault.at(&self.path))?,
        };
        if !tensor.dtype().is_float() {
            let what = format!("the number type {:?} of `{name}`", tensor.dtype());
            return Err(Fault::Unsupported(what).at(&self.path));
        }
        Ok(tensor.to_dtype(DType::F32)?)
    }
}
