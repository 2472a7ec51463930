#![doc = include_str!("../README.md")]
#![allow(clippy::needless_pass_by_value)] // array views are small and taken by value, as in ndarray

mod denoiser;
mod error;
mod median;
mod rank_set;
mod registry;

pub use denoiser::Denoiser;
pub use error::{Error, Result};
pub use median::MedianFilter;
pub use registry::{by_name, names};
