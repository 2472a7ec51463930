//! Adapted layers: values, gradients, dropout, and what a factory adapts.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;

mod dropout;
mod factory;
mod gradients;
mod laws;
