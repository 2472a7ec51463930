//! Quantises the matrices of a safetensors file and prints what it costs; with `--save`, writes
//! them as bitsandbytes does.
//!
//! ```console
//! $ cargo run -p quant-nf4 --example quant_nf4 -- weights.safetensors --type fp4 --block 128
//! $ cargo run -p quant-nf4 --example quant_nf4 -- --save fc.safetensors
//! ```
//!
//! Without a file it makes one matrix of its own, called `fc.weight`, and saves with it what
//! comes out of dequantising, as `dense`.

#![expect(clippy::print_stdout, reason = "a program that reports on standard output")]

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use quant_nf4::{QuantConfig, QuantizedTensor, Result, write_state_dict};

fn main() -> Result<()> {
    let mut config = QuantConfig::default();
    let (mut input, mut save) = (None, None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().unwrap_or_default();
        match arg.as_str() {
            "--type" => config.quant_type = value().parse()?,
            "--block" => config.block_size = value().parse().unwrap_or(0),
            "--single" => config.double_quant = false,
            "--save" => save = Some(value()),
            _ => input = Some(arg),
        }
    }
    let tensors: BTreeMap<String, Tensor> = match &input {
        Some(path) => candle_core::safetensors::load(path, &Device::Cpu)?.into_iter().collect(),
        None => BTreeMap::from([("fc.weight".to_owned(), example()?)]),
    };
    let (mut quantized, mut others) = (BTreeMap::new(), BTreeMap::new());
    for (name, tensor) in tensors {
        if tensor.rank() != 2 || !tensor.dtype().is_float() {
            others.insert(name, tensor);
            continue;
        }
        let packed = QuantizedTensor::quantize(&tensor, &config)?;
        let report = packed.report(&tensor)?;
        println!(
            "{name} {:?}: {:.3} bits a weight, largest error {:.3e}, rmse {:.3e}",
            packed.shape(),
            report.bits_per_weight,
            report.max_abs_err,
            report.rmse
        );
        if input.is_none() {
            others.insert("dense".to_owned(), packed.dequantize()?);
        }
        quantized.insert(name, packed);
    }
    if let Some(path) = save {
        write_state_dict(
            path,
            quantized.iter().map(|(name, tensor)| (name.as_str(), tensor)),
            others.iter().map(|(name, tensor)| (name.as_str(), tensor)),
        )?;
    }
    Ok(())
}

/// A matrix of 130 rows and 70 columns.
fn example() -> Result<Tensor> {
    let numbers = (0..130 * 70).map(|i| (i as f32 * 0.618).sin() * (i as f32 * 0.011).cos());
    Ok(Tensor::from_iter(numbers, &Device::Cpu)?.reshape((130, 70))?)
}
