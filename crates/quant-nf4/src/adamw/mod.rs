//! AdamW with 8-bit state.

mod step;

use candle_core::{DType, Device, Storage, Tensor, Var};
use grad_ops::{AdamWStep, adamw_step};

use crate::eight_bit::BLOCK;
use crate::storage::{owned, with_bytes, with_f32};
use crate::tensor::elements;
use crate::{Error, Result};

/// Tensors with fewer elements keep their moments in `f32`.
pub const LEAST_8BIT: usize = 4096;

/// The moments of one parameter, for AdamW.
///
/// The moments of a tensor of at least [`LEAST_8BIT`] elements are stored as 8-bit codes, in blocks
/// of 256 that share a scale: 2.03 bytes an element instead of 8. A step unpacks them block by
/// block, updates the parameter with the exact new moments, and rounds these. Those of smaller
/// tensors are stored as numbers.
///
/// Maps, blocks and rounding are those of `bitsandbytes.optim.AdamW8bit` 0.50.2 on the CPU. There
/// an element is rounded to the nearest of 65536 evenly spaced numbers first, so that in a block
/// that is not all zero a moment of zero is stored as 2.1e-5 (the first) or 1.6e-5 (the second) of
/// the largest in its block.
///
/// # References
/// - Dettmers et al., 8-bit optimizers via block-wise quantization,
///   <https://arxiv.org/abs/2110.02861>
#[derive(Debug)]
pub struct AdamW8bitState {
    shape: Vec<usize>,
    moments: Moments,
}

/// The moments as they are stored.
#[derive(Debug)]
enum Moments {
    Numbers { m: Var, v: Var },
    Blocks { m: Blocks, v: Blocks },
}

/// Codes in blocks of 256.
#[derive(Debug)]
struct Blocks {
    codes: Vec<u8>,
    absmax: Vec<f32>,
}

impl Blocks {
    fn new(elements: usize) -> Self {
        Self { codes: vec![0; elements], absmax: vec![0.0; elements.div_ceil(BLOCK)] }
    }
}

/// Names of the stored tensors: those of bitsandbytes.
const NAMES: [&str; 4] = ["state1", "state2", "absmax1", "absmax2"];

impl AdamW8bitState {
    /// Moments of zero for a parameter.
    ///
    /// # Errors
    /// When the shape has no elements, or more than can be counted.
    pub fn new(shape: &[usize]) -> Result<Self> {
        let elements = elements(shape)?;
        let moments = if elements < LEAST_8BIT {
            let zeros = || Var::zeros(shape, DType::F32, &Device::Cpu);
            Moments::Numbers { m: zeros()?, v: zeros()? }
        } else {
            Moments::Blocks { m: Blocks::new(elements), v: Blocks::new(elements) }
        };
        Ok(Self { shape: shape.to_vec(), moments })
    }

    /// Updates the parameter and its moments in place, as [`grad_ops::adamw_step`] does with exact
    /// moments.
    ///
    /// # Shapes
    /// - `param`, `grad`: the shape of this state
    ///
    /// # Errors
    /// When they have another shape, are not `f32` on the CPU, or share memory.
    pub fn step(&mut self, param: &Var, grad: &Tensor, step: &AdamWStep) -> Result<()> {
        for (what, tensor) in [("the parameter", param.as_tensor()), ("the gradient", grad)] {
            if tensor.dims() != self.shape {
                let (expected, got) = (format!("{:?}", self.shape), tensor.dims().to_vec());
                return Err(Error::Shape { what, expected, got });
            }
            if tensor.dtype() != DType::F32 || !tensor.device().is_cpu() {
                let expected = "f32 on the CPU";
                return Err(Error::Dtype { what, expected, got: tensor.dtype() });
            }
        }
        match &mut self.moments {
            Moments::Numbers { m, v } => Ok(adamw_step(param, grad, m, v, step)?),
            Moments::Blocks { m, v } => {
                if same_storage(param, grad) {
                    return Err(Error::Aliased);
                }
                let grad = grad.detach().contiguous()?;
                Ok(param.inplace_op2(&grad, &step::Update::new(m, v, step))?)
            }
        }
    }

    /// The shape of the parameter.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Bytes that the moments take in memory.
    pub fn stored_bytes(&self) -> usize {
        match &self.moments {
            Moments::Numbers { m, v } => (m.elem_count() + v.elem_count()) * size_of::<f32>(),
            Moments::Blocks { m, v } => [m, v]
                .into_iter()
                .map(|blocks| blocks.codes.len() + blocks.absmax.len() * size_of::<f32>())
                .sum(),
        }
    }

    /// Copies of the stored tensors with their names, for a checkpoint: `state1` and `state2`, and
    /// for 8-bit moments the scales `absmax1` and `absmax2`.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn tensors(&self) -> Result<Vec<(&'static str, Tensor)>> {
        let shape = self.shape.as_slice();
        let all = match &self.moments {
            Moments::Numbers { m, v } => vec![m.as_tensor().copy()?, v.as_tensor().copy()?],
            Moments::Blocks { m, v } => {
                let codes = |x: &Blocks| Tensor::from_slice(&x.codes, shape, &Device::Cpu);
                let absmax =
                    |x: &Blocks| Tensor::from_slice(&x.absmax, x.absmax.len(), &Device::Cpu);
                vec![codes(m)?, codes(v)?, absmax(m)?, absmax(v)?]
            }
        };
        Ok(NAMES.into_iter().zip(all).collect())
    }

    /// Puts a state together from what [`tensors`](Self::tensors) gave, fetched by name. The next
    /// step gives the same numbers as without interruption.
    ///
    /// # Errors
    /// When a tensor is missing or does not fit the shape.
    pub fn from_tensors(shape: &[usize], fetch: impl Fn(&str) -> Option<Tensor>) -> Result<Self> {
        let elements = elements(shape)?;
        let get = |name: &'static str, dtype, dims: &[usize]| {
            let tensor = fetch(name).ok_or_else(|| Error::Missing { key: name.to_owned() })?;
            if tensor.dims() != dims {
                let (expected, got) = (format!("{dims:?}"), tensor.dims().to_vec());
                return Err(Error::Shape { what: name, expected, got });
            }
            owned(&tensor, name, dtype)
        };
        let moments = if elements < LEAST_8BIT {
            let number = |name| Ok::<_, Error>(Var::from_tensor(&get(name, DType::F32, shape)?)?);
            Moments::Numbers { m: number(NAMES[0])?, v: number(NAMES[1])? }
        } else {
            let blocks = |codes, absmax| {
                let count = [elements.div_ceil(BLOCK)];
                Ok::<_, Error>(Blocks {
                    codes: with_bytes(&get(codes, DType::U8, shape)?, codes, <[u8]>::to_vec)?,
                    absmax: with_f32(&get(absmax, DType::F32, &count)?, absmax, <[f32]>::to_vec)?,
                })
            };
            Moments::Blocks { m: blocks(NAMES[0], NAMES[2])?, v: blocks(NAMES[1], NAMES[3])? }
        };
        Ok(Self { shape: shape.to_vec(), moments })
    }
}

/// Whether two tensors share memory.
fn same_storage(a: &Tensor, b: &Tensor) -> bool {
    let address = |tensor: &Tensor| std::ptr::from_ref::<Storage>(&tensor.storage_and_layout().0);
    address(a) == address(b)
}
