#![doc = include_str!("../README.md")]
#![allow(clippy::needless_pass_by_value)] // array views are small and taken by value, as in ndarray

mod bm3d;
mod chain;
mod denoiser;
mod error;
mod forpdn;
mod frame;
mod hyres;
mod hysime;
pub mod linalg;
mod median;
mod noise;
mod options;
mod otvca;
mod rank_set;
mod registry;
mod roughness;
mod shrink;
mod tv;
mod variant;
pub mod wavelet;
mod wsrrr;

pub use bm3d::Bm3d;
pub use chain::Chain;
pub use denoiser::Denoiser;
pub use error::{Error, Result};
pub use forpdn::{Forpdn, PenaltySearch};
pub use hyres::Hyres;
pub use hysime::{Subspace, hysime};
pub use median::MedianFilter;
pub use noise::{NoiseEstimate, estimate_noise, noise_level};
pub use otvca::{Features, Otvca};
pub use registry::{Entry, all, by_name, names, split_descriptions};
pub use roughness::RoughnessFilter;
pub use shrink::{SureGrid, SureThreshold, soft};
pub use tv::SplitBregman;
pub use variant::Variant;
pub use wsrrr::Wsrrr;
