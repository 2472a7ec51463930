//! Operations of an input, a weight and perhaps a bias, as custom operations of candle.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, WithDType};

use super::Real;
use super::storage::{Reader, dispatch, slice, tensor};

/// A kernel that is linear in the input and in the weight.
pub(crate) trait Affine: Send + Sync + 'static {
    /// Name of the operation.
    const NAME: &'static str;

    /// Shape of the output.
    fn output(&self) -> Shape;

    /// Computes the output.
    fn forward<T: Real>(&self, xs: &[T], weight: &[T], bias: Option<&[T]>) -> Vec<T>;

    /// Computes the gradients that are wanted; the others may be anything.
    fn backward<T: Real>(&self, given: Given<'_, T>, wanted: Wanted) -> Grads<T>;
}

/// What a backward pass starts from.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a, T> {
    pub(crate) xs: &'a [T],
    pub(crate) weight: &'a [T],
    /// The output and its gradient.
    pub(crate) ys: &'a [T],
    pub(crate) grad: &'a [T],
}

/// Which gradients are wanted.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) xs: bool,
    pub(crate) weight: bool,
    pub(crate) bias: bool,
}

/// Gradients of input, weight and bias.
#[derive(Default)]
pub(crate) struct Grads<T> {
    pub(crate) xs: Vec<T>,
    pub(crate) weight: Vec<T>,
    pub(crate) bias: Vec<T>,
}

/// Applies the operation to tensors on the CPU whose shapes fit.
pub(crate) fn apply<A: Affine>(
    op: A,
    xs: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    let (xs, weight) = (xs.contiguous()?, weight.contiguous()?);
    match bias {
        Some(bias) => xs.apply_op3(&weight, &bias.contiguous()?, Op(op)),
        None => xs.apply_op2(&weight, Op(op)),
    }
}

struct Op<A>(A);

impl<A: Affine> Op<A> {
    fn forward(
        &self,
        (xs, xs_layout): (&CpuStorage, &Layout),
        (weight, weight_layout): (&CpuStorage, &Layout),
        bias: Option<(&CpuStorage, &Layout)>,
    ) -> Result<(CpuStorage, Shape)> {
        dispatch!(A::NAME, xs.dtype(), T => {
            let xs = slice::<T>(xs, xs_layout)?;
            let weight = slice::<T>(weight, weight_layout)?;
            let bias = bias.map(|(bias, layout)| slice::<T>(bias, layout)).transpose()?;
            Ok((T::to_cpu_storage_owned(self.0.forward(xs, weight, bias)), self.0.output()))
        })
    }

    fn backward(
        &self,
        xs: &Tensor,
        weight: &Tensor,
        bias: Option<&Tensor>,
        ys: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let bias = bias.filter(|bias| bias.track_op());
        let wanted = Wanted { xs: xs.track_op(), weight: weight.track_op(), bias: bias.is_some() };
        dispatch!(A::NAME, grad.dtype(), T => {
            let grad = grad.contiguous()?;
            let (input, matrix) = (Reader::new(xs), Reader::new(weight));
            let (result, grad) = (Reader::new(ys), Reader::new(&grad));
            let given = Given {
                xs: input.slice::<T>()?,
                weight: matrix.slice()?,
                ys: result.slice()?,
                grad: grad.slice()?,
            };
            let grads = self.0.backward(given, wanted);
            Ok((
                wanted.xs.then(|| tensor(grads.xs, xs.shape())).transpose()?,
                wanted.weight.then(|| tensor(grads.weight, weight.shape())).transpose()?,
                bias.map(|bias| tensor(grads.bias, bias.shape())).transpose()?,
            ))
        })
    }
}

impl<A: Affine> CustomOp2 for Op<A> {
    fn name(&self) -> &'static str {
        A::NAME
    }

    fn cpu_fwd(
        &self,
        xs: &CpuStorage,
        xs_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward((xs, xs_layout), (weight, weight_layout), None)
    }

    fn bwd(
        &self,
        xs: &Tensor,
        weight: &Tensor,
        ys: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (dx, dw, _) = self.backward(xs, weight, None, ys, grad)?;
        Ok((dx, dw))
    }
}

impl<A: Affine> CustomOp3 for Op<A> {
    fn name(&self) -> &'static str {
        A::NAME
    }

    fn cpu_fwd(
        &self,
        xs: &CpuStorage,
        xs_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward((xs, xs_layout), (weight, weight_layout), Some((bias, bias_layout)))
    }

    fn bwd(
        &self,
        xs: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        ys: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        self.backward(xs, weight, Some(bias), ys, grad)
    }
}
