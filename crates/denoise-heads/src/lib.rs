#![doc = include_str!("../README.md")]

mod config;
mod conv;

mod error;
mod fc;
mod head;
mod layers;
mod residual;
mod unet;

pub use config::{HeadConfig, HeadKind};
pub use conv::ConvHead;
pub use error::{Error, Result};
pub use fc::FcHead;
pub use head::{Head, build};
pub use residual::ResidualHead;
pub use unet::UnetHead;
