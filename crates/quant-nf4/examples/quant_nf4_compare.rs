//! Quantises the tensors that `tests/data/compare_bitsandbytes.py` wrote, for its comparison.
//!
//! Arguments: the file to read, with tensors called `<number>/<type>/<block size>/<nested: 0 or 1>`,
//! and the file to write, with the parts of the format under these names.

use candle_core::Device;
use quant_nf4::{QuantConfig, QuantizedTensor, Result, write_state_dict};

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let (input, output) = (args.next().unwrap_or_default(), args.next().unwrap_or_default());
    let mut all = Vec::new();
    for (name, tensor) in candle_core::safetensors::load(input, &Device::Cpu)? {
        let mut fields = name.split('/').skip(1);
        let mut field = || fields.next().unwrap_or_default();
        let config = QuantConfig {
            quant_type: field().parse()?,
            block_size: field().parse().unwrap_or(0),
            double_quant: field() == "1",
        };
        all.push((name, QuantizedTensor::quantize(&tensor, &config)?));
    }
    write_state_dict(output, all.iter().map(|(name, tensor)| (name.as_str(), tensor)), [])
}
