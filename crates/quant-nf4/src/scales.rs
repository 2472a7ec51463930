//! The scales of the blocks, as numbers or quantised once more.

use std::sync::{Arc, LazyLock};

use candle_core::{DType, Device, Tensor};

use crate::eight_bit::{self, BLOCK, DynamicMap, VALUES};
use crate::mean::mean;
use crate::storage::{owned, with_bytes, with_f32};
use crate::{Error, Result};

/// The scales of a quantised tensor.
#[derive(Debug, Clone)]
pub(crate) enum Scales {
    /// One `f32` a block.
    Plain(Tensor),
    /// One code of the dynamic map a block, of the difference to an offset.
    Nested {
        codes: Tensor,
        /// Scales of the codes, one for each 256.
        absmax: Tensor,
        map: Arc<[f32; VALUES]>,
        offset: f32,
    },
}

/// The dynamic map as new tensors have it.
static MAP: LazyLock<Arc<[f32; VALUES]>> = LazyLock::new(|| Arc::new(DynamicMap::signed().values));

impl Scales {
    /// Keeps scales as they are.
    pub(crate) fn plain(scales: Vec<f32>) -> Result<Self> {
        let count = scales.len();
        Ok(Self::Plain(Tensor::from_vec(scales, count, &Device::Cpu)?))
    }

    /// Quantises scales to 8 bits.
    pub(crate) fn nested(mut scales: Vec<f32>) -> Result<Self> {
        let offset = mean(&scales);
        if !offset.is_finite() {
            return Err(Error::Overflow { mean: offset });
        }
        let mut codes = vec![0; scales.len()];
        let mut absmax = Vec::with_capacity(scales.len().div_ceil(BLOCK));
        for (block, codes) in scales.chunks_mut(BLOCK).zip(codes.chunks_mut(BLOCK)) {
            for scale in block.iter_mut() {
                *scale -= offset;
            }
            absmax.push(eight_bit::encode(DynamicMap::signed(), block, codes));
        }
        let (blocks, groups) = (codes.len(), absmax.len());
        Ok(Self::Nested {
            codes: Tensor::from_vec(codes, blocks, &Device::Cpu)?,
            absmax: Tensor::from_vec(absmax, groups, &Device::Cpu)?,
            map: Arc::clone(&MAP),
            offset,
        })
    }

    /// Puts nested scales together again.
    pub(crate) fn from_nested(
        codes: &Tensor,
        absmax: &Tensor,
        map: &[f32; VALUES],
        offset: f32,
    ) -> Result<Self> {
        let map = if *map == **MAP { Arc::clone(&MAP) } else { Arc::new(*map) };
        Ok(Self::Nested {
            codes: owned(codes, "the scales", DType::U8)?,
            absmax: owned(absmax, "the nested scales", DType::F32)?,
            map,
            offset,
        })
    }

    /// Calls `f` with access to the scales.
    pub(crate) fn with<R>(&self, f: impl FnOnce(View<'_>) -> R) -> Result<R> {
        match self {
            Self::Plain(scales) => with_f32(scales, "the scales", |all| f(View::Plain(all))),
            Self::Nested { codes, absmax, map, offset } => {
                with_bytes(codes, "the scales", |codes| {
                    with_f32(absmax, "the nested scales", |absmax| {
                        f(View::Nested { codes, absmax, map, offset: *offset })
                    })
                })?
            }
        }
    }
}

/// The scales while their tensors are locked for reading.
#[derive(Clone, Copy)]
pub(crate) enum View<'a> {
    Plain(&'a [f32]),
    Nested { codes: &'a [u8], absmax: &'a [f32], map: &'a [f32; VALUES], offset: f32 },
}

impl View<'_> {
    /// The scale of a block.
    #[inline(always)]
    pub(crate) fn of(&self, block: usize) -> f32 {
        match self {
            Self::Plain(scales) => scales[block],
            Self::Nested { codes, absmax, map, offset } => {
                map[usize::from(codes[block])] * absmax[block / BLOCK] + offset
            }
        }
    }
}
