//! The update of a parameter whose moments are 8-bit codes.

use std::cell::RefCell;

use candle_core::{CpuStorage, Error, InplaceOp2, Layout, Result};
use grad_ops::AdamWStep;
use rayon::prelude::*;

use super::Blocks;
use crate::eight_bit::{self, BLOCK, DynamicMap};
use crate::simd::vectorized;

/// Elements that one thread updates at a time.
const PIECE: usize = 16 * BLOCK;

/// A step as an operation in place on the parameter, with the gradient as its other argument.
pub(super) struct Update<'a> {
    moments: RefCell<(&'a mut Blocks, &'a mut Blocks)>,
    factors: Factors,
}

impl<'a> Update<'a> {
    pub(super) fn new(m: &'a mut Blocks, v: &'a mut Blocks, step: &AdamWStep) -> Self {
        Self { moments: RefCell::new((m, v)), factors: Factors::new(step) }
    }
}

impl InplaceOp2 for Update<'_> {
    fn name(&self) -> &'static str {
        "adamw_8bit_step"
    }

    fn cpu_fwd(
        &self,
        param: &mut CpuStorage,
        param_layout: &Layout,
        grad: &CpuStorage,
        grad_layout: &Layout,
    ) -> Result<()> {
        let contiguous = || Error::RequiresContiguous { op: "adamw_8bit_step" }.bt();
        let (CpuStorage::F32(param), CpuStorage::F32(grad)) = (param, grad) else {
            return Err(contiguous());
        };
        let (start, end) = param_layout.contiguous_offsets().ok_or_else(contiguous)?;
        let param = param.get_mut(start..end).ok_or_else(contiguous)?;
        let (start, end) = grad_layout.contiguous_offsets().ok_or_else(contiguous)?;
        let grad = grad.get(start..end).ok_or_else(contiguous)?;
        let mut moments = self.moments.borrow_mut();
        let (m, v) = &mut *moments;
        let factors = self.factors;
        param
            .par_chunks_mut(PIECE)
            .zip(grad.par_chunks(PIECE))
            .zip(pieces(m).zip(pieces(v)))
            .for_each(|((param, grad), (m, v))| update(factors, param, grad, m, v));
        Ok(())
    }
}

/// Codes and scales of the pieces.
fn pieces(blocks: &mut Blocks) -> impl IndexedParallelIterator<Item = (&mut [u8], &mut [f32])> {
    let codes = blocks.codes.par_chunks_mut(PIECE);
    codes.zip(blocks.absmax.par_chunks_mut(PIECE / BLOCK))
}

/// The numbers of a step as the loop needs them.
#[derive(Clone, Copy)]
pub(super) struct Factors {
    grad_scale: f32,
    beta1: f32,
    beta2: f32,
    /// `1 - beta1` and `1 - beta2`, not lost in the rounding of the betas.
    rest1: f32,
    rest2: f32,
    eps: f32,
    decay: f32,
    /// The learning rate over the correction of the first moment, negative.
    rate: f32,
    /// The root of the correction of the second moment.
    correction: f32,
}

impl Factors {
    fn new(step: &AdamWStep) -> Self {
        let exponent = step.step.max(1) as f64;
        Self {
            grad_scale: step.grad_scale as f32,
            beta1: step.beta1 as f32,
            beta2: step.beta2 as f32,
            rest1: (1.0 - step.beta1) as f32,
            rest2: (1.0 - step.beta2) as f32,
            eps: step.eps as f32,
            decay: (1.0 - step.lr * step.weight_decay) as f32,
            rate: (-step.lr / (1.0 - step.beta1.powf(exponent))) as f32,
            correction: (1.0 - step.beta2.powf(exponent)).sqrt() as f32,
        }
    }
}

vectorized! {
    /// Updates some blocks of a parameter and their moments.
    fn update(
        factors: Factors,
        param: &mut [f32],
        grad: &[f32],
        m: (&mut [u8], &mut [f32]),
        v: (&mut [u8], &mut [f32]),
    ) {
        let (first, second) = (DynamicMap::signed(), DynamicMap::unsigned());
        let (mut mean, mut square) = ([0.0; BLOCK], [0.0; BLOCK]);
        let numbers = param.chunks_mut(BLOCK).zip(grad.chunks(BLOCK));
        let m = m.0.chunks_mut(BLOCK).zip(m.1);
        let v = v.0.chunks_mut(BLOCK).zip(v.1);
        for ((param, grad), ((m, m_scale), (v, v_scale))) in numbers.zip(m.zip(v)) {
            let (mean, square) = (&mut mean[..param.len()], &mut square[..param.len()]);
            eight_bit::decode(&first.values, m, *m_scale, mean);
            eight_bit::decode(&second.values, v, *v_scale, square);
            let moments = mean.iter_mut().zip(square.iter_mut());
            for ((param, &grad), (m, v)) in param.iter_mut().zip(grad).zip(moments) {
                let grad = grad * factors.grad_scale;
                *m = *m * factors.beta1 + grad * factors.rest1;
                *v = *v * factors.beta2 + factors.rest2 * grad * grad;
                let root = v.sqrt() / factors.correction + factors.eps;
                *param = *param * factors.decay + factors.rate * *m / root;
            }
            *m_scale = eight_bit::encode(first, mean, m);
            *v_scale = eight_bit::encode(second, square, v);
        }
    }
}
