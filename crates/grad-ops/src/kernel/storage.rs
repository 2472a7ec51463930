//! Access to the numbers in tensors on the CPU.

use std::cell::RefCell;
use std::marker::PhantomData;

use candle_core::{
    CpuStorage, Device, Error, InplaceOp1, Layout, Result, Shape, Storage, StorageRef, Tensor,
    WithDType,
};

use crate::kernel::Real;

/// The elements of a contiguous layout.
pub(crate) fn slice<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    let all = T::cpu_storage_as_slice(storage)?;
    layout
        .contiguous_offsets()
        .and_then(|(start, end)| all.get(start..end))
        .ok_or_else(|| Error::RequiresContiguous { op: "grad-ops" }.bt())
}

/// A lock on the storage of a contiguous tensor on the CPU.
pub(crate) struct Reader<'a>(StorageRef<'a>, &'a Layout);

impl<'a> Reader<'a> {
    /// Locks a tensor for reading.
    pub(crate) fn new(tensor: &'a Tensor) -> Self {
        let (guard, layout) = tensor.storage_and_layout();
        Self(guard, layout)
    }

    /// The elements of the tensor.
    pub(crate) fn slice<T: WithDType>(&self) -> Result<&[T]> {
        match &*self.0 {
            Storage::Cpu(storage) => slice(storage, self.1),
            _ => Err(Error::Msg("a kernel for the CPU got a tensor of another device".into()).bt()),
        }
    }
}

/// Whether two tensors on the CPU share memory.
pub(crate) fn same_storage(a: &Tensor, b: &Tensor) -> bool {
    let address = |tensor: &Tensor| std::ptr::from_ref::<Storage>(&tensor.storage_and_layout().0);
    address(a) == address(b)
}

/// A new tensor from its elements.
pub(crate) fn tensor<T: WithDType>(data: Vec<T>, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(data, shape.into(), &Device::Cpu)
}

/// Calls `f` with the elements of a contiguous tensor for writing.
pub(crate) fn write<T: Real, R>(tensor: &Tensor, f: impl FnOnce(&mut [T]) -> R) -> Result<R> {
    let op = Write { call: RefCell::new(Some(f)), result: RefCell::new(None), of: PhantomData };
    tensor.inplace_op1(&op)?;
    op.result.into_inner().ok_or_else(|| Error::RequiresContiguous { op: "write" }.bt())
}

/// Runs a closure once as an in-place operation, the only public way to mutable storage.
struct Write<F, R, T> {
    call: RefCell<Option<F>>,
    result: RefCell<Option<R>>,
    of: PhantomData<T>,
}

impl<T: Real, R, F: FnOnce(&mut [T]) -> R> InplaceOp1 for Write<F, R, T> {
    fn name(&self) -> &'static str {
        "write"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let range = layout.contiguous_offsets().map(|(start, end)| start..end);
        let elements = range.and_then(|range| T::elements_mut(storage)?.get_mut(range));
        if let (Some(elements), Some(call)) = (elements, self.call.take()) {
            self.result.replace(Some(call(elements)));
        }
        Ok(())
    }
}

/// Runs an expression with `T` standing for the number type of a tensor.
macro_rules! dispatch {
    ($op:expr, $dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            candle_core::DType::F32 => {
                type $T = f32;
                $body
            }
            candle_core::DType::F64 => {
                type $T = f64;
                $body
            }
            dtype => Err($crate::Error::Dtype { op: $op, dtype }.into()),
        }
    };
}

pub(crate) use dispatch;
