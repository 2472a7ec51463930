#![doc = include_str!("../README.md")]
#![allow(clippy::needless_pass_by_value)] // array views are small and taken by value, as in ndarray

mod error;
mod fidelity;
pub mod hyperbench;
mod pair;
mod sam;
mod ssim;
mod summary;
mod uiqi;
mod window;

pub use error::{Error, Image, Result};
pub use fidelity::{ergas, mse, mse_per_band, psnr, psnr_global, psnr_per_band, rmse};
pub use sam::{sam, sam_map};
pub use ssim::{ssim, ssim_per_band};
pub use summary::{Metrics, Variant};
pub use uiqi::{uiqi, uiqi_per_band};
