//! Adapters merged into plain weights, and out of them again.

use candle_core::{DType, Tensor};

use crate::{Error, LayerAdapter, Result, dora};

/// A weight with an adapter merged into it.
#[derive(Debug, Clone)]
pub struct Merged {
    /// `(out_features, in_features)`, in the number type of the weight that was given.
    pub weight: Tensor,
    /// With DoRA the norms of the rows of `W + scale · B · A`, `(out_features)` in `f64`: the
    /// merged weight alone does not tell them, and unmerging needs them.
    pub norms: Option<Tensor>,
    /// Largest change of an element.
    pub max_abs_change: f64,
}

impl LayerAdapter {
    /// Merges the adapter into a weight; computed in `f64`, rounded once.
    ///
    /// ```text
    /// W + scale · B · A                         without magnitudes
    /// m / ‖W + scale · B · A‖ · (W + scale · B · A)   with magnitudes m, row by row
    /// ```
    ///
    /// # Shapes
    /// - `weight`: `(out_features, in_features)`
    ///
    /// # Errors
    /// [`Error::Shape`] when the weight is that of a layer of another size.
    pub fn merge(&self, weight: &Tensor) -> Result<Merged> {
        self.check(weight)?;
        let before = weight.detach().to_dtype(DType::F64)?;
        let mut after = (&before + self.delta()?)?;
        let mut norms = None;
        if let Some(magnitude) = self.magnitude() {
            let lengths = dora::row_norms(&after)?;
            let factors = (magnitude.detach().to_dtype(DType::F64)? / &lengths)?;
            after = after.broadcast_mul(&factors.unsqueeze(1)?)?;
            norms = Some(lengths);
        }
        let merged = after.to_dtype(weight.dtype())?;
        let change = (merged.to_dtype(DType::F64)? - before)?.abs()?.flatten_all()?.max(0)?;
        let max_abs_change = change.to_scalar()?;
        Ok(Merged { weight: merged, norms, max_abs_change })
    }

    /// Takes the adapter out of a weight that it was merged into. What rounding took is lost.
    ///
    /// # Errors
    /// [`Error::Shape`] when the weight is that of a layer of another size, [`Error::Missing`]
    /// when the adapter has magnitudes and `merged` has no norms.
    pub fn unmerge(&self, merged: &Merged) -> Result<Tensor> {
        self.check(&merged.weight)?;
        let mut weight = merged.weight.detach().to_dtype(DType::F64)?;
        if let Some(magnitude) = self.magnitude() {
            let norms = merged.norms.as_ref();
            let norms = norms.ok_or_else(|| Error::Missing { name: "norms".into() })?;
            let factors = (norms / magnitude.detach().to_dtype(DType::F64)?)?;
            weight = weight.broadcast_mul(&factors.unsqueeze(1)?)?;
        }
        Ok((weight - self.delta()?)?.to_dtype(merged.weight.dtype())?)
    }

    fn check(&self, weight: &Tensor) -> Result<()> {
        let expected = [self.out_features(), self.in_features()];
        if weight.dims() == expected {
            return Ok(());
        }
        Err(Error::Shape {
            name: "weight".into(),
            expected: format!("{expected:?}"),
            got: weight.dims().to_vec(),
        })
    }
}
