//! The affine map of the last dimension by a packed matrix.

use std::sync::Arc;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Shape, Tensor, WithDType};

use super::PackedWeight;
use super::product::{Side, product};
use crate::kernel::Real;
use crate::kernel::parallel::{PIECE, build};
use crate::kernel::storage::{Reader, dispatch, slice, tensor};
use crate::linear::column_sums;
use crate::{Result, check, composed};

const OP: &str = "packed_linear";

/// Returns `xs · weightᵀ + bias` for a weight that is kept packed.
///
/// There is a gradient for `xs` and `bias`, where they need one, and none for the weight. On the
/// CPU the matrix is unpacked in panels of at most 256 KiB (of `f32`) a thread, in the forward and
/// in the backward pass. On other devices a dense copy is made and lives until the backward pass
/// (`composed::packed_linear`).
///
/// # Shapes
/// - `xs`: `(.., in_features)`
/// - `weight`: `(out_features, in_features)`
/// - `bias`: `(out_features)`
/// - output: `(.., out_features)`
///
/// # Errors
/// When the shapes do not fit or there is no kernel for the number type.
pub fn packed_linear(
    xs: &Tensor,
    weight: &Arc<dyn PackedWeight>,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    let sizes = Sizes::new(xs, &**weight, bias)?;
    let on_cpu = match bias {
        Some(bias) => check::on_cpu(OP, &[xs, bias])?,
        None => check::on_cpu(OP, &[xs])?,
    };
    if !on_cpu {
        return composed::packed_linear(xs, &**weight, bias);
    }
    let op = Op { weight: Arc::clone(weight), sizes };
    let xs = xs.contiguous()?;
    Ok(match bias {
        Some(bias) => xs.apply_op2(&bias.contiguous()?, op)?,
        None => xs.apply_op1(op)?,
    })
}

/// The sizes of the arguments.
pub(crate) struct Sizes {
    rows: usize,
    inner: usize,
    out: usize,
    output: Shape,
}

impl Sizes {
    /// Checks the arguments.
    pub(crate) fn new(
        xs: &Tensor,
        weight: &dyn PackedWeight,
        bias: Option<&Tensor>,
    ) -> Result<Self> {
        let (out, inner) = weight.shape();
        let (rows, width) = check::rows(OP, xs)?;
        if width != inner || out == 0 {
            let expected = format!("(.., {inner}), for a weight of ({out}, {inner})");
            return Err(check::shape_error(OP, "the input", expected, xs));
        }
        if let Some(bias) = bias {
            check::dims(OP, "the bias", bias, &[out])?;
        }
        let mut output = xs.dims().to_vec();
        if let Some(last) = output.last_mut() {
            *last = out;
        }
        Ok(Self { rows, inner, out, output: Shape::from(output) })
    }
}

struct Op {
    weight: Arc<dyn PackedWeight>,
    sizes: Sizes,
}

impl Op {
    fn forward(
        &self,
        (xs, layout): (&CpuStorage, &Layout),
        bias: Option<(&CpuStorage, &Layout)>,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let Sizes { rows, inner, out, ref output } = self.sizes;
        dispatch!(OP, xs.dtype(), T => {
            let xs = slice::<T>(xs, layout)?;
            let bias = bias.map(|(bias, layout)| slice::<T>(bias, layout)).transpose()?;
            let mut ys = build(rows * out, (PIECE / out).max(1) * out, |_, ys| {
                if let Some(bias) = bias {
                    ys.chunks_exact_mut(out).for_each(|row| row.copy_from_slice(bias));
                }
            });
            product(&*self.weight, Side::Outputs, xs, (rows, inner), &mut ys)?;
            Ok((T::to_cpu_storage_owned(ys), output.clone()))
        })
    }

    fn input_gradient<T: Real>(&self, xs: &Tensor, grad: &[T]) -> candle_core::Result<Tensor> {
        let Sizes { rows, inner, out, .. } = self.sizes;
        let mut dxs = build(rows * inner, PIECE, |_, _| {});
        product(&*self.weight, Side::Inputs, grad, (rows, out), &mut dxs)?;
        tensor(dxs, xs.shape())
    }
}

impl CustomOp1 for Op {
    fn name(&self) -> &'static str {
        OP
    }

    fn cpu_fwd(
        &self,
        xs: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        self.forward((xs, layout), None)
    }

    fn bwd(&self, xs: &Tensor, _ys: &Tensor, grad: &Tensor) -> candle_core::Result<Option<Tensor>> {
        dispatch!(OP, grad.dtype(), T => {
            let grad = grad.contiguous()?;
            let grad = Reader::new(&grad);
            self.input_gradient::<T>(xs, grad.slice()?).map(Some)
        })
    }
}

impl CustomOp2 for Op {
    fn name(&self) -> &'static str {
        OP
    }

    fn cpu_fwd(
        &self,
        xs: &CpuStorage,
        layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        self.forward((xs, layout), Some((bias, bias_layout)))
    }

    fn bwd(
        &self,
        xs: &Tensor,
        bias: &Tensor,
        _ys: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        dispatch!(OP, grad.dtype(), T => {
            let grad = grad.contiguous()?;
            let reader = Reader::new(&grad);
            let grad = reader.slice::<T>()?;
            let dxs = xs.track_op().then(|| self.input_gradient(xs, grad)).transpose()?;
            let dbias = bias
                .track_op()
                .then(|| tensor(column_sums(grad, self.sizes.out), bias.shape()))
                .transpose()?;
            Ok((dxs, dbias))
        })
    }
}
