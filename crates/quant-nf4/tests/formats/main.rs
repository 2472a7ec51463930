//! The bytes of the format: against bitsandbytes, there and back, and with mistakes in them.

#![expect(clippy::unwrap_used, reason = "tests")]

mod adamw;
mod golden;
mod hostile;
mod laws;
mod state_dict;

use std::collections::HashMap;
use std::path::PathBuf;

use candle_core::{DType, Device, Tensor};

/// The path of a file in `tests/data`.
fn data(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "data", name].iter().collect()
}

/// The tensors of a file in `tests/data`.
fn load(name: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(data(name), &Device::Cpu).unwrap()
}

/// The bytes of a tensor of `f32` or `u8`: zeros differ by their sign.
fn bytes(tensor: &Tensor) -> Vec<u8> {
    let tensor = tensor.flatten_all().unwrap();
    match tensor.dtype() {
        DType::U8 => tensor.to_vec1().unwrap(),
        _ => tensor.to_vec1::<f32>().unwrap().into_iter().flat_map(f32::to_le_bytes).collect(),
    }
}
