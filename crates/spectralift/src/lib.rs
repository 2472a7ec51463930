#![doc = include_str!("../README.md")]

mod error;
mod train;

pub use error::{Error, Result};
pub use train::{Schedule, ScheduleKind};
