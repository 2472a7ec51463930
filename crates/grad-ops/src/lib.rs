//! grad-ops
mod error;
mod layer;
mod linear;

pub use error::{Error, Result};
pub use layer::{Dense, LinearFactory, LinearLayer, LinearSpec, Parameter};
pub use linear::{Linear, linear};
