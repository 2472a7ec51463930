//! Weights as magnitude and direction.

use candle_core::{D, Tensor};

use crate::{LayerAdapter, Result};

/// The norms of the rows of the adapted weight, without a gradient.
///
/// # Shapes
/// - `weight`: `(out_features, in_features)`
/// - output: `(out_features)`
pub(crate) fn norms(adapter: &LayerAdapter, weight: &Tensor) -> Result<Tensor> {
    let weight = weight.detach();
    row_norms(&(&weight + adapter.delta_in(weight.dtype())?)?)
}

/// The norms of the rows of a matrix; that of a row of zeros is the smallest number that can be
/// divided by.
pub(crate) fn row_norms(matrix: &Tensor) -> Result<Tensor> {
    Ok(matrix.sqr()?.sum(D::Minus1)?.sqrt()?.maximum(f64::from(f32::MIN_POSITIVE))?)
}
