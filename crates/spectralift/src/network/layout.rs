//! Where the weights of the network lie in one list of numbers.

use std::ops::Range;

use crate::{Error, Result};

/// Layers that have weights: six hidden ones and the output.
pub(crate) const LAYERS: usize = 7;
/// Largest number of features of a layer.
const MAX_WIDTH: usize = 1 << 14;

/// Widths of the network. Layer by layer its parameters are the weight `[inputs, outputs]`, row by
/// row, and the bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) inputs: usize,
    pub(crate) hidden: usize,
    pub(crate) outputs: usize,
}

/// The place of the parameters of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    start: usize,
}

impl Layer {
    pub(crate) fn weight(&self) -> Range<usize> {
        self.start..self.start + self.inputs * self.outputs
    }

    pub(crate) fn bias(&self) -> Range<usize> {
        let start = self.weight().end;
        start..start + self.outputs
    }
}

impl Layout {
    pub(crate) fn new(inputs: usize, hidden: usize, outputs: usize) -> Result<Self> {
        let widths = [("msi-bands", inputs), ("hidden_size", hidden), ("hsi-bands", outputs)];
        for (name, width) in widths {
            if !(1..=MAX_WIDTH).contains(&width) {
                return Err(Error::setting(name, format!("from 1 to {MAX_WIDTH}"), width));
            }
        }
        Ok(Self { inputs, hidden, outputs })
    }

    /// The layers from the first to the output.
    pub(crate) fn layers(&self) -> [Layer; LAYERS] {
        let mut start = 0;
        std::array::from_fn(|index| {
            let inputs = if index == 0 { self.inputs } else { self.hidden };
            let outputs = if index + 1 == LAYERS { self.outputs } else { self.hidden };
            let layer = Layer { inputs, outputs, start };
            start = layer.bias().end;
            layer
        })
    }

    /// Number of parameters.
    pub(crate) fn parameters(&self) -> usize {
        self.layers()[LAYERS - 1].bias().end
    }
}
