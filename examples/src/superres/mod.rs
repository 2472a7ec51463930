//! Super-resolution: arguments, inputs, estimates, scores, tables and pictures of `superres`.

pub mod args;
pub mod case;
pub mod estimate;
pub mod models;
pub mod modes;
pub mod pair;
pub mod pictures;
pub mod run;
pub mod save;
pub mod scene;
pub mod sensors;
pub mod sweep;
pub mod table;
