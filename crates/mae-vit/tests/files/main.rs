//! Weights from files: every layout, resized positions, and files that do not fit or are broken.

#![allow(clippy::unwrap_used)]

mod broken;
mod layouts;
mod positions;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use mae_vit::{FrontEnd, PositionEmbedding, VitConfig};

type Tensors = HashMap<String, Tensor>;

/// Path of a golden file.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// Reads a golden file.
fn golden(name: &str) -> Tensors {
    candle_core::safetensors::load(data(name), &Device::Cpu).unwrap()
}

/// The encoder of `checkpoints` in `golden.py`.
fn config() -> VitConfig {
    VitConfig {
        image_size: 8,
        patch_size: 4,
        in_channels: 3,
        dim: 8,
        depth: 1,
        heads: 2,
        mlp_dim: 16,
        layer_norm_eps: 1e-6,
        qkv_bias: true,
        front_end: FrontEnd::Linear,
        position: PositionEmbedding::Learned,
    }
}

/// Asserts that the largest difference is at most `tolerance`.
#[track_caller]
fn assert_close(got: &Tensor, want: &Tensor, tolerance: f32) {
    assert_eq!(got.dims(), want.dims());
    let difference = (got - want).unwrap().abs().unwrap().flatten_all().unwrap();
    let worst = difference.max(0).unwrap().to_scalar::<f32>().unwrap();
    assert!(worst <= tolerance, "off by {worst:e}");
}
