//! Pretraining by reconstructing hidden patches.

mod autoencoder;
mod config;
mod masks;

pub use autoencoder::{MaeOutput, MaskedAutoencoder};
pub use config::MaeConfig;
pub use masks::{Masks, random_masks};
