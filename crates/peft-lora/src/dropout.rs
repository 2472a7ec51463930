//! Dropout whose masks are addressed, not drawn.
//!
//! Whether element `i` is dropped is a function of a key and `i`: the SplitMix64 generator (Steele
//! et al., 2014) started at the key and read at position `i / 2`, one half of the word for each of
//! two elements. The backward pass computes the mask again; none is kept.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Shape, Tensor, WithDType};
use rayon::prelude::*;

use crate::Moment;

/// Elements that are treated in one go; even, because two share a word.
const PIECE: usize = 1 << 12;

/// Increment of the generator: 2^64 divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Dropout of the inputs of one layer.
#[derive(Debug, Clone)]
pub(crate) struct Dropout {
    probability: f64,
    layer: u64,
    moment: Moment,
}

impl Dropout {
    /// Dropout with this probability in `(0, 1)`, for the layer at `path`.
    pub(crate) fn new(probability: f64, seed: u64, path: &str, moment: Moment) -> Self {
        Self { probability, layer: mix(mix(seed) ^ fnv1a(path)), moment }
    }

    /// The mask of the present moment.
    pub(crate) fn mask(&self) -> Mask {
        Mask::new(self.probability, mix(self.layer ^ mix(self.moment.get())))
    }
}

/// What element is dropped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mask {
    key: u64,
    /// An element is dropped if its 32 bits are a number below this.
    threshold: u32,
    /// Factor of the elements that stay.
    scale: f64,
}

impl Mask {
    fn new(probability: f64, key: u64) -> Self {
        let threshold = (probability * 2f64.powi(32)).round().min(f64::from(u32::MAX)) as u32;
        Self { key, threshold, scale: 1.0 / (1.0 - probability) }
    }

    /// Sets elements to zero and scales the others, so that the mean stays.
    pub(crate) fn apply(&self, xs: &Tensor) -> candle_core::Result<Tensor> {
        if xs.device().is_cpu() && matches!(xs.dtype(), DType::F32 | DType::F64) {
            return xs.contiguous()?.apply_op1(*self);
        }
        let factors = self.tensor(xs.shape())?.to_dtype(xs.dtype())?.to_device(xs.device())?;
        xs * factors
    }

    /// Multiplies `xs` by the factors of the elements from `start` on, which is even.
    fn multiply<T: WithDType>(&self, start: usize, xs: &[T], ys: &mut [T]) {
        let scale = T::from_f64(self.scale);
        let factor = |bits: u32| if bits < self.threshold { T::zero() } else { scale };
        let mut state = self.key.wrapping_add((start as u64 / 2).wrapping_mul(STEP));
        for (ys, xs) in ys.chunks_mut(2).zip(xs.chunks(2)) {
            state = state.wrapping_add(STEP);
            let word = mix(state);
            for ((y, &x), bits) in ys.iter_mut().zip(xs).zip([word as u32, (word >> 32) as u32]) {
                *y = x * factor(bits);
            }
        }
    }

    fn product<T: WithDType>(&self, xs: &[T]) -> Vec<T> {
        let mut ys = vec![T::zero(); xs.len()];
        let pieces = ys.par_chunks_mut(PIECE).zip(xs.par_chunks(PIECE)).enumerate();
        pieces.for_each(|(index, (ys, xs))| self.multiply(index * PIECE, xs, ys));
        ys
    }

    /// The factors themselves.
    fn tensor(&self, shape: &Shape) -> candle_core::Result<Tensor> {
        let ones = vec![1f32; shape.elem_count()];
        Tensor::from_vec(self.product(&ones), shape, &Device::Cpu)
    }
}

impl CustomOp1 for Mask {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(
        &self,
        storage: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let Some((start, end)) = layout.contiguous_offsets() else {
            return Err(candle_core::Error::RequiresContiguous { op: "dropout" }.bt());
        };
        let ys = match storage {
            CpuStorage::F32(xs) => CpuStorage::F32(self.product(&xs[start..end])),
            CpuStorage::F64(xs) => CpuStorage::F64(self.product(&xs[start..end])),
            other => {
                let dtype = other.dtype();
                return Err(candle_core::Error::UnsupportedDTypeForOp(dtype, "dropout").bt());
            }
        };
        Ok((ys, layout.shape().clone()))
    }

    fn bwd(
        &self,
        _xs: &Tensor,
        _ys: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<Option<Tensor>> {
        Ok(Some(grad.contiguous()?.apply_op1_no_bwd(self)?))
    }
}

/// The output function of SplitMix64.
fn mix(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// 64-bit FNV-1a: a fixed, portable address for a path.
fn fnv1a(path: &str) -> u64 {
    path.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mask_is_the_published_generator() {
        // The first outputs of SplitMix64 with state 1234567.
        let state = 1_234_567u64;
        let outputs = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973];
        for (index, output) in outputs.into_iter().enumerate() {
            assert_eq!(mix(state.wrapping_add(STEP.wrapping_mul(index as u64 + 1))), output);
        }
        let mask = Mask { key: state, threshold: outputs[0] as u32, scale: 1.0 };
        // Not below itself, the other halves as they fall.
        let expected = [outputs[0], outputs[0] >> 32, outputs[1], outputs[1] >> 32]
            .map(|bits| f64::from(u8::from(bits as u32 >= outputs[0] as u32)));
        assert_eq!(mask.product(&[1f64; 4]), expected);
    }

    #[test]
    fn pieces_do_not_show() {
        let mask = Mask::new(0.3, 99);
        let whole = mask.product(&vec![1f32; 3 * PIECE + 7]);
        let mut single = vec![0f32; whole.len()];
        mask.multiply(0, &vec![1f32; whole.len()], &mut single);
        assert_eq!(whole, single);
    }
}
