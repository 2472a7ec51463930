//! The models against timm and torch, their gradients, and what they say to wrong input.

#![allow(clippy::unwrap_used)]

mod common;
mod encoder;
