//! The tables of the published study, measured here.

mod adaptation;
mod denoising;
mod methods;

pub use adaptation::{AdaptationArgs, adaptation_costs};
pub use denoising::{DenoisingArgs, denoising_scores};
pub use methods::{MethodsArgs, methods_compared};
