//! What the programs share: arguments, configuration files, progress, tables, pictures, output.
//!
//! Each program is a thin composition of the library crates; whatever two of them need stands
//! here once.

pub mod app;
pub mod baselines;
pub mod config;
pub mod data;
pub mod files;
pub mod method;
pub mod model;
pub mod output;
pub mod progress;
pub mod quick;
pub mod scene;
pub mod superres;
pub mod tables;
pub mod training;

pub use app::run;
