//! Adding the products of low rank to the output of a layer.

use candle_core::{D, Tensor};

use crate::{Form, Result};

/// Returns `base` with `h · Bᵀ` added to the slices that are adapted.
///
/// # Shapes
/// - `base` and output: `(.., slices * outputs)`
/// - `h`: `(.., adapted * r)`, the adapted slices one after the other
/// - `bs`: `(outputs, r)` each, scaled
pub(crate) fn add(base: &Tensor, h: &Tensor, bs: &[Tensor], form: &Form) -> Result<Tensor> {
    composed(base, h, bs, form)
}

/// Put together from operations of `grad-ops` and candle.
pub(crate) fn composed(base: &Tensor, h: &Tensor, bs: &[Tensor], form: &Form) -> Result<Tensor> {
    let Form::Split { parts } = form else {
        return Ok((base + grad_ops::linear(h, &bs[0], None)?)?);
    };
    let (outputs, r) = bs[0].dims2()?;
    let mut pairs = bs.iter().enumerate();
    let mut slices = Vec::with_capacity(parts.len());
    for (slice, &adapted) in parts.iter().enumerate() {
        let base = base.narrow(D::Minus1, slice * outputs, outputs)?;
        let pair = if adapted { pairs.next() } else { None };
        slices.push(match pair {
            Some((index, b)) => {
                let h = h.narrow(D::Minus1, index * r, r)?;
                (base + grad_ops::linear(&h, b, None)?)?
            }
            None => base,
        });
    }
    Ok(Tensor::cat(&slices, D::Minus1)?)
}
