//! A function whose inner values are computed again in the backward pass instead of being kept.

use std::sync::{Mutex, PoisonError};

use candle_core::{
    CpuStorage, CudaStorage, CustomOp2, Error, Layout, MetalStorage, Shape, Storage, Tensor, Var,
};

use crate::Result;

const OP: &str = "recompute";

/// Returns `f(xs, weight)` and keeps nothing of it but the output: activation checkpointing (Chen
/// et al., "Training Deep Nets with Sublinear Memory Cost", 2016).
///
/// The backward pass runs `f` once more and differentiates that. `f` must give the same output
/// every time, and only its two arguments get a gradient: a variable that it captures gets none.
///
/// # Errors
/// When `f` fails.
pub fn recompute<F>(xs: &Tensor, weight: &Tensor, f: F) -> Result<Tensor>
where
    F: Fn(&Tensor, &Tensor) -> Result<Tensor> + Send + Sync + 'static,
{
    let ys = f(&xs.detach(), &weight.detach())?.detach();
    if !(xs.track_op() || weight.track_op()) {
        return Ok(ys);
    }
    let whole = ys.is_contiguous() && ys.layout().start_offset() == 0;
    let ys = if whole { ys } else { ys.force_contiguous()? };
    Ok(xs.apply_op2(weight, Recompute { f, output: Mutex::new(Some(ys)) })?)
}

struct Recompute<F> {
    f: F,
    /// The output, until the forward pass takes it; it fills its storage.
    output: Mutex<Option<Tensor>>,
}

impl<F> Recompute<F> {
    fn output(&self) -> candle_core::Result<(Storage, Shape)> {
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner).take();
        let ys = output.ok_or_else(|| Error::Msg(format!("`{OP}` was run twice")).bt())?;
        let (storage, layout) = ys.storage_and_layout();
        Ok((storage.try_clone(layout)?, layout.shape().clone()))
    }
}

/// The error for an output that lies on another device than the inputs.
fn elsewhere<T>() -> candle_core::Result<T> {
    Err(Error::Msg(format!("`{OP}`: the function left the device of its arguments")).bt())
}

impl<F> CustomOp2 for Recompute<F>
where
    F: Fn(&Tensor, &Tensor) -> Result<Tensor> + Send + Sync,
{
    fn name(&self) -> &'static str {
        OP
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        match self.output()? {
            (Storage::Cpu(storage), shape) => Ok((storage, shape)),
            _ => elsewhere(),
        }
    }

    fn cuda_fwd(
        &self,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> candle_core::Result<(CudaStorage, Shape)> {
        match self.output()? {
            (Storage::Cuda(storage), shape) => Ok((storage, shape)),
            _ => elsewhere(),
        }
    }

    fn metal_fwd(
        &self,
        _: &MetalStorage,
        _: &Layout,
        _: &MetalStorage,
        _: &Layout,
    ) -> candle_core::Result<(MetalStorage, Shape)> {
        match self.output()? {
            (Storage::Metal(storage), shape) => Ok((storage, shape)),
            _ => elsewhere(),
        }
    }

    fn bwd(
        &self,
        xs: &Tensor,
        weight: &Tensor,
        _ys: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let [first, second] = [xs, weight].map(|arg| {
            let fixed = arg.detach();
            let var = if arg.track_op() { Some(Var::from_tensor(&fixed)?) } else { None };
            Ok::<_, Error>((var.as_ref().map_or(fixed, |var| var.as_tensor().clone()), var))
        });
        let ((xs, xs_var), (weight, weight_var)) = (first?, second?);
        let ys = (self.f)(&xs, &weight)?;
        let mut grads = (ys * grad)?.sum_all()?.backward()?;
        let mut grad = |var: Option<Var>| var.and_then(|var| grads.remove(&var));
        Ok((grad(xs_var), grad(weight_var)))
    }
}
