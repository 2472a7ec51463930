//! Operations of one tensor, as custom operations of candle.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, WithDType};

use super::Real;
use super::parallel::{PIECE, build};
use super::storage::{Reader, dispatch, slice, tensor};

/// A kernel of one argument.
pub(crate) trait Unary: Send + Sync + 'static {
    /// Name of the operation.
    const NAME: &'static str;

    /// Shape of the output.
    fn output(&self, input: &Shape) -> Shape;

    /// Computes the output.
    fn forward<T: Real>(&self, xs: &[T]) -> Vec<T>;

    /// Computes the gradient of the input from input, output and gradient of the output.
    fn backward<T: Real>(&self, xs: &[T], ys: &[T], grad: &[T]) -> Vec<T>;
}

/// A kernel that treats each element for itself.
pub(crate) trait Pointwise: Send + Sync + 'static {
    /// Name of the operation.
    const NAME: &'static str;

    /// Computes outputs from as many inputs.
    fn forward<T: Real>(xs: &[T], ys: &mut [T]);

    /// Computes gradients of inputs from as many inputs and gradients of outputs.
    fn backward<T: Real>(xs: &[T], grad: &[T], out: &mut [T]);
}

impl<P: Pointwise> Unary for P {
    const NAME: &'static str = P::NAME;

    fn output(&self, input: &Shape) -> Shape {
        input.clone()
    }

    fn forward<T: Real>(&self, xs: &[T]) -> Vec<T> {
        build(xs.len(), PIECE, |index, ys| P::forward(&xs[index * PIECE..], ys))
    }

    fn backward<T: Real>(&self, xs: &[T], _ys: &[T], grad: &[T]) -> Vec<T> {
        build(xs.len(), PIECE, |index, out| {
            P::backward(&xs[index * PIECE..], &grad[index * PIECE..], out);
        })
    }
}

/// Applies the operation to a tensor on the CPU whose shape fits.
pub(crate) fn apply<U: Unary>(op: U, xs: &Tensor) -> Result<Tensor> {
    xs.contiguous()?.apply_op1(Op(op))
}

struct Op<U>(U);

impl<U: Unary> CustomOp1 for Op<U> {
    fn name(&self) -> &'static str {
        U::NAME
    }

    fn cpu_fwd(&self, xs: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        dispatch!(U::NAME, xs.dtype(), T => {
            let ys = self.0.forward(slice::<T>(xs, layout)?);
            Ok((T::to_cpu_storage_owned(ys), self.0.output(layout.shape())))
        })
    }

    fn bwd(&self, xs: &Tensor, ys: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        dispatch!(U::NAME, grad.dtype(), T => {
            let grad = grad.contiguous()?;
            let (input, result, grad) = (Reader::new(xs), Reader::new(ys), Reader::new(&grad));
            let grad = self.0.backward::<T>(input.slice()?, result.slice()?, grad.slice()?);
            Ok(Some(tensor(grad, xs.shape())?))
        })
    }
}
