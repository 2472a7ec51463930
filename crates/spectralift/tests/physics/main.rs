//! Point spread and spectral response functions, normalisation, degradation.

mod fixtures;
mod golden;
mod laws;
mod refused;
