#![doc = include_str!("../README.md")]

mod adamw;
mod attention;
mod check;
pub mod composed;
mod conv3x3;
mod conv_transpose2x2;
mod error;
mod gelu;
mod inplace;
mod kernel;
mod layer;
mod layer_norm;
mod linear;
mod linear_layer;
mod max_pool;
mod mse;
mod relu;
mod softmax;
mod upsample;

pub use adamw::{AdamWStep, adamw_step};
pub use attention::attention;
pub use conv_transpose2x2::conv_transpose2x2;
pub use conv3x3::conv3x3;
pub use error::{Error, Result};
pub use gelu::gelu;
pub use inplace::{accumulate, global_norm, scale_in_place};
pub use layer::{Dense, LinearFactory, LinearLayer, LinearSpec, Parameter};
pub use layer_norm::layer_norm;
pub use linear::linear;
pub use linear_layer::Linear;
pub use max_pool::max_pool2x2;
pub use mse::mse_loss;
pub use relu::relu;
pub use softmax::softmax_last_dim;
pub use upsample::upsample_bilinear;
