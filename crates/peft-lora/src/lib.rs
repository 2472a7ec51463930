#![doc = include_str!("../README.md")]

mod adapter;
mod config;
mod dora;
mod dropout;
mod error;
mod factory;
mod layer;
mod low_rank;
mod merge;
mod model;
mod moment;
mod names;
mod peft;
mod state;

pub use adapter::{LayerAdapter, Pair};
pub use config::{Form, LoraConfig, Target, is_adapter_parameter};
pub use error::{Error, Result};
pub use factory::LoraFactory;
pub use layer::LoraLinear;
pub use merge::Merged;
pub use model::{MergeReport, MergedModel};
pub use moment::Moment;
pub use peft::PeftOptions;
pub use state::AdapterState;
