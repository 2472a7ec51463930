//! The methods that estimate the noise and shrink what is small, and their parts.
#![allow(clippy::unwrap_used)]

mod golden;
mod noise;
mod parity;
mod support;
mod wavelet;
