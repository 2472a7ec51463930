//! One step of AdamW.

use candle_core::{Tensor, Var};
use rayon::prelude::*;

use crate::kernel::Real;
use crate::kernel::parallel::PIECE;
use crate::kernel::simd::vectorized;
use crate::kernel::storage::{Reader, dispatch, same_storage, write};
use crate::{Error, Result, check};

const OP: &str = "adamw_step";

/// Settings of one step of AdamW. The defaults are those of `torch.optim.AdamW`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWStep {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the mean of the gradients.
    pub beta1: f64,
    /// Decay of the mean of the squared gradients.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay, in units of the learning rate.
    pub weight_decay: f64,
    /// Which step this is, counted from 1: it corrects the bias of the moments.
    pub step: usize,
    /// Factor by which the gradient is multiplied first, to clip or to average.
    pub grad_scale: f64,
}

impl Default for AdamWStep {
    fn default() -> Self {
        Self {
            lr: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 1e-2,
            step: 1,
            grad_scale: 1.0,
        }
    }
}

/// Updates `param` and its moments `m` and `v` in place, as `torch.optim.AdamW`.
///
/// ```text
/// g = grad_scale · grad
/// m = beta1 · m + (1 - beta1) · g            v = beta2 · v + (1 - beta2) · g²
/// param = param · (1 - lr · weight_decay)
///         - lr / (1 - beta1^step) · m / (√(v / (1 - beta2^step)) + eps)
/// ```
///
/// # Shapes
/// - `param`, `grad`, `m`, `v`: any, the same
///
/// # Errors
/// When the shapes or number types differ, or two of the tensors share memory.
///
/// # References
/// - Loshchilov and Hutter, Decoupled weight decay regularization, <https://arxiv.org/abs/1711.05101>
pub fn adamw_step(param: &Var, grad: &Tensor, m: &Var, v: &Var, step: &AdamWStep) -> Result<()> {
    let dims = param.dims();
    for (what, tensor) in
        [("the gradient", grad), ("the first moment", m), ("the second moment", v)]
    {
        check::dims(OP, what, tensor, dims)?;
    }
    if !check::on_cpu(OP, &[param, grad, m, v])? {
        return composed(param, grad, m, v, step);
    }
    for (what, a, b) in [
        ("the gradient", grad, param.as_tensor()),
        ("the gradient", grad, m),
        ("the gradient", grad, v),
        ("the first moment", m, param),
        ("the second moment", v, param),
        ("the second moment", v, m),
    ] {
        if same_storage(a, b) {
            return Err(Error::Aliased { op: OP, what });
        }
    }
    let grad = grad.detach().contiguous()?;
    dispatch!(OP, param.dtype(), T => {
        let reader = Reader::new(&grad);
        let grad = reader.slice::<T>()?;
        let factors = Factors::<T>::new(step);
        write::<T, _>(param, |param| {
            write::<T, _>(m, |m| {
                write::<T, _>(v, |v| {
                    param
                        .par_chunks_mut(PIECE)
                        .zip(m.par_chunks_mut(PIECE).zip(v.par_chunks_mut(PIECE)))
                        .zip(grad.par_chunks(PIECE))
                        .for_each(|((param, (m, v)), grad)| update(param, grad, m, v, factors));
                })
            })
        })???;
        Ok(())
    })
}

/// The numbers of a step as the loop needs them.
#[derive(Clone, Copy)]
pub(crate) struct Factors<T> {
    grad_scale: T,
    beta1: T,
    beta2: T,
    /// `1 - beta1` and `1 - beta2`, not lost in the rounding of the betas.
    rest1: T,
    rest2: T,
    eps: T,
    decay: T,
    rate: T,
    /// The inverse root of the correction of the second moment.
    correction: T,
}

impl<T: Real> Factors<T> {
    fn new(step: &AdamWStep) -> Self {
        let exponent = step.step.max(1) as f64;
        Self {
            grad_scale: T::of(step.grad_scale),
            beta1: T::of(step.beta1),
            beta2: T::of(step.beta2),
            rest1: T::of(1.0 - step.beta1),
            rest2: T::of(1.0 - step.beta2),
            eps: T::of(step.eps),
            decay: T::of(1.0 - step.lr * step.weight_decay),
            rate: T::of(step.lr / (1.0 - step.beta1.powf(exponent))),
            correction: T::of((1.0 - step.beta2.powf(exponent)).sqrt().recip()),
        }
    }
}

vectorized! {
    fn update<T>(param: &mut [T], grad: &[T], m: &mut [T], v: &mut [T], factors: Factors<T>) {
        for (((param, &grad), m), v) in param.iter_mut().zip(grad).zip(m).zip(v) {
            let grad = grad * factors.grad_scale;
            *m = *m * factors.beta1 + grad * factors.rest1;
            *v = *v * factors.beta2 + grad * grad * factors.rest2;
            let root = v.sqrt() * factors.correction + factors.eps;
            *param = *param * factors.decay - *m / root * factors.rate;
        }
    }
}

fn composed(param: &Var, grad: &Tensor, m: &Var, v: &Var, step: &AdamWStep) -> Result<()> {
    let AdamWStep { lr, beta1, beta2, eps, weight_decay, .. } = *step;
    let grad = (grad.detach() * step.grad_scale)?;
    let exponent = step.step.max(1) as f64;
    let first = ((m.detach() * beta1)? + (&grad * (1.0 - beta1))?)?;
    let second = ((v.detach() * beta2)? + (grad.sqr()? * (1.0 - beta2))?)?;
    let root = ((&second / (1.0 - beta2.powf(exponent)))?.sqrt()? + eps)?;
    let update = ((&first / &root)? * (lr / (1.0 - beta1.powf(exponent))))?;
    param.set(&((param.detach() * (1.0 - lr * weight_decay))? - update)?)?;
    m.set(&first)?;
    v.set(&second)?;
    Ok(())
}
