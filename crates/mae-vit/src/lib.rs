#![doc = include_str!("../README.md")]

mod adapter;
mod config;
mod encoder;
mod error;
mod layers;
mod patches;
mod position;

pub use adapter::SpectralAdapter;
pub use config::{FrontEnd, PositionEmbedding, Preset, VitConfig};
pub use encoder::{Encoder, Features};
pub use error::{Error, Result};
pub use patches::{patchify, unpatchify};
pub use position::{resize_positions, sin_cos_positions};
