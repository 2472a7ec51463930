#![doc = include_str!("../README.md")]

mod adapter;
mod checkpoints;
mod config;
mod encoder;
mod error;
mod layers;
mod mae;
mod patches;
mod position;
mod start;

pub use adapter::SpectralAdapter;
pub use checkpoints::{Layout, LoadMode, LoadReport, Resized, load_encoder};
pub use config::{FrontEnd, PositionEmbedding, Preset, VitConfig};
pub use encoder::{Encoder, Features};
pub use error::{Error, Result};
pub use mae::{MaeConfig, MaeOutput, MaskedAutoencoder, Masks, random_masks};
pub use patches::{patchify, unpatchify};
pub use position::{resize_positions, sin_cos_positions};
