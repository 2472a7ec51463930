//! Quantised tensors in state dicts, under the keys of bitsandbytes.

mod quant_state;
mod read;
mod write;

pub use read::{StateDict, read_quantized, read_state_dict};
pub use write::{state_dict_entries, write_state_dict};

/// Between the name of a weight and the name of its type.
const STATE: &str = ".quant_state.bitsandbytes__";
