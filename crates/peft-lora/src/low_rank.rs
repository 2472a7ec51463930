//! What an adapter without magnitudes adds to the output of its layer.

use candle_core::Tensor;
use grad_ops::{linear, low_rank_add};

use crate::{Form, LayerAdapter, Result};

impl LayerAdapter {
    /// Returns `ys + scale · B · A · xs`.
    ///
    /// # Shapes
    /// - `ys` and output: `(.., out_features)`
    /// - `xs`: `(.., in_features)`
    pub(crate) fn add(&self, ys: &Tensor, xs: &Tensor) -> Result<Tensor> {
        self.add_product(ys, &linear(xs, &self.stacked_a()?, None)?)
    }

    /// Returns `ys + scale · B · h`.
    ///
    /// # Shapes
    /// - `ys` and output: `(.., out_features)`
    /// - `h`: `(.., pairs * r)`, the products with [`Self::stacked_a`]
    pub(crate) fn add_product(&self, ys: &Tensor, h: &Tensor) -> Result<Tensor> {
        let b = (stacked(self.pairs().iter().map(|pair| &pair.b))? * self.scale())?;
        let plain = [true];
        let slices = match self.form() {
            Form::Plain => &plain[..],
            Form::Split { parts } => parts,
        };
        Ok(low_rank_add(ys, h, &b, slices)?)
    }

    /// The matrices `A` of all pairs, one below the other: `(pairs * r, in_features)`.
    pub(crate) fn stacked_a(&self) -> Result<Tensor> {
        stacked(self.pairs().iter().map(|pair| &pair.a))
    }
}

fn stacked<'a>(parts: impl Iterator<Item = &'a Tensor>) -> Result<Tensor> {
    let parts: Vec<_> = parts.collect();
    Ok(match *parts {
        [one] => one.clone(),
        _ => Tensor::cat(&parts, 0)?,
    })
}
