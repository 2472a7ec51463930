#![doc = include_str!("../README.md")]

mod adamw;
mod codes;
mod config;
mod eight_bit;
mod encode;
mod error;
mod factory;
mod linear;
mod mean;
mod report;
mod scales;
mod simd;
mod state_dict;
mod storage;
mod tensor;

pub use adamw::{AdamW8bitState, LEAST_8BIT};
pub use config::{QuantConfig, QuantType};
pub use error::{Error, Result};
pub use factory::Quantize;
pub use linear::{Linear4bit, Weight4bit};
pub use report::QuantReport;
pub use state_dict::{
    StateDict, read_quantized, read_state_dict, state_dict_entries, write_state_dict,
};
pub use tensor::QuantizedTensor;
