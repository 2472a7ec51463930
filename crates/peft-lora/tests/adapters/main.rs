//! Adapted layers, and the files of their adapters.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;
mod dropout;
mod factory;
mod files;
mod gradients;
mod laws;
#[path = "../../examples/vit/mod.rs"]
mod vit;
