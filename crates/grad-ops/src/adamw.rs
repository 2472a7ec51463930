//! One step of AdamW.

use candle_core::{Tensor, Var};

use crate::{Result, check};

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
/// When the shapes or number types differ.
///
/// # References
/// - Loshchilov and Hutter, Decoupled weight decay regularization, <https://arxiv.org/abs/1711.05101>
pub fn adamw_step(param: &Var, grad: &Tensor, m: &Var, v: &Var, step: &AdamWStep) -> Result<()> {
    let dims = param.dims();
    for (what, tensor) in [
        ("the gradient", grad),
        ("the first moment", m),
        ("the second moment", v),
    ] {
        check::dims(OP, what, tensor, dims)?;
    }
    check::on_cpu(OP, &[param, grad, m, v])?;
    composed(param, grad, m, v, step)
}

fn composed(param: &Var, grad: &Tensor, m: &Var, v: &Var, step: &AdamWStep) -> Result<()> {
    let AdamWStep {
        lr,
        beta1,
        beta2,
        eps,
        weight_decay,
        ..
    } = *step;
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
