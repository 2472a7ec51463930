//! The models against timm and torch, their gradients, and what they say to wrong input.

#![allow(clippy::unwrap_used)]

mod adapter;
mod autoencoder;
mod common;
mod encoder;
