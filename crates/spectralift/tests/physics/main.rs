//! Point spread and spectral response functions, normalisation, degradation; models and their
//! training.

mod fixtures;
mod golden;
mod laws;
mod models;
mod refused;
mod training;
