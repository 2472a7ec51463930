//! Separate slices as one pair for the fused layer, and back.
//!
//! ```text
//! A = | A1 |    B = | B1  0 |    of rank k · r, for k = 2 slices
//!     | A2 |        |  0 B2 |
//! ```
//!
//! The product is that of the slices. The scale stays with `k · alpha`, or `√k · alpha` when it is
//! divided by the root of the rank.

use candle_core::Tensor;

use crate::names::B;
use crate::{Error, Form, LayerAdapter, Pair, Result};

/// Factor of the numerator of the scale for `slices` slices.
pub(super) fn alpha_factor(slices: usize, use_rslora: bool) -> f64 {
    let slices = slices as f64;
    if use_rslora { slices.sqrt() } else { slices }
}

/// The one pair that does what all pairs do.
pub(super) fn fuse(layer: &LayerAdapter) -> Result<Pair> {
    let pairs = layer.pairs();
    let Form::Split { parts } = layer.form() else {
        return Ok(pairs[0].clone());
    };
    let a: Vec<_> = pairs.iter().map(|pair| &pair.a).collect();
    let a = Tensor::cat(&a, 0)?;
    let (outputs, r) = pairs[0].b.dims2()?;
    let (dtype, device) = (pairs[0].b.dtype(), pairs[0].b.device());
    let zeros = |columns: usize| Tensor::zeros((outputs, columns), dtype, device);
    let mut left = pairs.iter().enumerate();
    let mut rows = Vec::with_capacity(parts.len());
    for &adapted in parts {
        let pair = if adapted { left.next() } else { None };
        rows.push(match pair {
            Some((index, pair)) => {
                let after = pairs.len() - index - 1;
                Tensor::cat(&[&zeros(index * r)?, &pair.b, &zeros(after * r)?], 1)?
            }
            None => zeros(pairs.len() * r)?,
        });
    }
    Ok(Pair { a, b: Tensor::cat(&rows, 0)? })
}

/// The pairs of a fused adapter that is block diagonal; `path` is that of the layer.
pub(super) fn cut(path: &str, layer: &LayerAdapter, form: Form) -> Result<LayerAdapter> {
    let Form::Split { parts } = &form else {
        return Ok(layer.clone());
    };
    let Pair { a, b } = &layer.pairs()[0];
    let name = || format!("{path}.{B}.weight");
    let (slices, k) = (parts.len(), form.adapted().len());
    let (outputs, rank) = b.dims2()?;
    if !outputs.is_multiple_of(slices) {
        let (layer, parts) = (path.to_owned(), slices);
        return Err(Error::Slices { layer, out_features: outputs, parts });
    }
    if !rank.is_multiple_of(k) {
        return Err(Error::NotBlockDiagonal { name: name() });
    }
    let (outputs, r) = (outputs / slices, rank / k);
    let mut pairs = Vec::with_capacity(k);
    for (index, slice) in form.adapted().into_iter().enumerate() {
        let b = b.narrow(0, slice * outputs, outputs)?.narrow(1, index * r, r)?;
        pairs.push(Pair { a: a.narrow(0, index * r, r)?.copy()?, b: b.force_contiguous()? });
    }
    let use_rslora = layer.use_rslora();
    let alpha = layer.alpha() / alpha_factor(k, use_rslora);
    let magnitude = layer.magnitude().cloned();
    let separate = LayerAdapter::new(path, form, pairs, alpha, use_rslora, magnitude)?;
    let difference = (fuse(&separate)?.b - b)?.abs()?.flatten_all()?.max(0)?;
    if difference.to_dtype(candle_core::DType::F64)?.to_scalar::<f64>()? == 0.0 {
        Ok(separate)
    } else {
        Err(Error::NotBlockDiagonal { name: name() })
    }
}
