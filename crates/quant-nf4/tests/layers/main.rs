//! Layers with 4-bit weights, and the factory that makes them.

#![expect(clippy::unwrap_used, reason = "tests")]

mod factory;
mod linear;
