#![doc = include_str!("../README.md")]
#![allow(clippy::needless_pass_by_value)] // array views are small and taken by value, as in ndarray

mod describe;
mod error;
mod kernel;
mod model;
mod pipeline;
mod stream;

pub use error::{Error, Result};
pub use model::NoiseModel;
pub use pipeline::NoisePipeline;
