//! 8-bit block quantisation: of the scales of 4-bit tensors and of the state of the optimiser.

mod blocks;
mod map;

pub(crate) use blocks::{BLOCK, decode, encode};
pub(crate) use map::{DynamicMap, VALUES};
