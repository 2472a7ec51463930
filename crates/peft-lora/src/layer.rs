//! A linear layer under an adapter.

use std::sync::Arc;

use candle_core::{Tensor, Var};
use candle_nn::init::ZERO;
use candle_nn::{Init, VarBuilder};
use grad_ops::{LinearLayer, Parameter, linear, recompute};

use crate::dropout::{Dropout, Mask};
use crate::names::{MAGNITUDE, pair_names};
use crate::{Error, LayerAdapter, LoraConfig, Merged, Moment, Pair, Result, Target, dora};

/// A linear layer with a low-rank adapter.
///
/// ```text
/// y = base(x) + scale · B · A · dropout(x)
/// ```
///
/// A split layer has a pair `A`, `B` for each slice of the outputs that is adapted; the inputs of
/// all pairs are dropped by one mask. For the backward pass the layer keeps its input, the output
/// of the base and `A · dropout(x)`; dropped inputs are computed again. With DoRA see [`LoraConfig::use_dora`]; the norms of the
/// adapted weight are constants for the gradient, as in HF peft.
#[derive(Debug)]
pub struct LoraLinear {
    base: Arc<dyn LinearLayer>,
    adapter: LayerAdapter,
    dropout: Option<Dropout>,
}

impl LoraLinear {
    /// Puts `adapter` over `base`, without dropout.
    ///
    /// # Errors
    /// [`Error::Shape`] when the adapter is for a layer of another size.
    pub fn new(base: Arc<dyn LinearLayer>, adapter: LayerAdapter) -> Result<Self> {
        let expected = [base.out_features(), base.in_features()];
        let got = [adapter.out_features(), adapter.in_features()];
        if expected != got {
            return Err(Error::Shape {
                name: "adapter".into(),
                expected: format!("of a layer {expected:?}"),
                got: got.to_vec(),
            });
        }
        Ok(Self { base, adapter, dropout: None })
    }

    /// Takes the tensors of the adapter of `base` from `vb`, which stands at the path of the
    /// layer. New ones start as `A` Kaiming uniform with `a = √5`, `B` zero, and the magnitudes
    /// as the norms of the rows of the weight, so that the layer starts as `base` is.
    ///
    /// `seed` and `moment` are the address of the masks of dropout.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape, or the outputs cannot be cut into slices.
    #[expect(clippy::needless_pass_by_value, reason = "candle hands builders over by value")]
    pub fn load(
        base: Arc<dyn LinearLayer>,
        config: &LoraConfig,
        target: &Target,
        seed: u64,
        moment: &Moment,
        vb: VarBuilder<'_>,
    ) -> Result<Self> {
        let path = vb.prefix();
        let (inputs, outputs) = (base.in_features(), base.out_features());
        let (r, form) = (config.rank_of(target), target.form.clone());
        let parts = form.slices();
        if !outputs.is_multiple_of(parts) {
            return Err(Error::Slices { layer: path, out_features: outputs, parts });
        }
        // Kaiming uniform with a = √5; candle's own hint is with a = 0.
        let bound = 1.0 / (inputs as f64).sqrt();
        let start = Init::Uniform { lo: -bound, up: bound };
        let pairs = form.adapted().into_iter().map(|slice| {
            let (a, b) = pair_names(&form, slice);
            Ok(Pair {
                a: vb.get_with_hints((r, inputs), &a, start)?,
                b: vb.get_with_hints((outputs / parts, r), &b, ZERO)?,
            })
        });
        let pairs = pairs.collect::<Result<_>>()?;
        let (alpha, use_rslora) = (config.alpha_of(target), config.use_rslora);
        let mut adapter = LayerAdapter::new(&path, form, pairs, alpha, use_rslora, None)?;
        if config.use_dora {
            let magnitude = load_magnitude(&*base, &adapter, &vb)?;
            adapter = adapter.with_magnitude(&path, magnitude)?;
        }
        let dropout = (config.dropout > 0.0)
            .then(|| Dropout::new(config.dropout, seed, &path, moment.clone()));
        Ok(Self { dropout, ..Self::new(base, adapter)? })
    }

    /// The layer that is adapted.
    pub fn base(&self) -> &Arc<dyn LinearLayer> {
        &self.base
    }

    /// The matrices.
    pub fn adapter(&self) -> &LayerAdapter {
        &self.adapter
    }

    /// See [`LayerAdapter::delta`].
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn delta(&self) -> Result<Tensor> {
        self.adapter.delta()
    }

    /// The weight of the plain layer that gives the same outputs. See [`LayerAdapter::merge`].
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn merged_weight(&self) -> Result<Merged> {
        self.adapter.merge(&self.base.weight()?)
    }

    fn forward(&self, xs: &Tensor, train: bool) -> Result<Tensor> {
        let mask = self.dropout.as_ref().filter(|_| train).map(Dropout::mask);
        match (self.adapter.magnitude(), mask) {
            (None, None) => self.adapter.add(&self.base.forward_t(xs, train)?, xs),
            (None, Some(mask)) => {
                // The dropped inputs are not kept: the backward pass computes them again.
                let dropped = move |xs: &Tensor, a: &Tensor| linear(&mask.apply(xs)?, a, None);
                let h = recompute(xs, &self.adapter.stacked_a()?, dropped)?;
                self.adapter.add_product(&self.base.forward_t(xs, train)?, &h)
            }
            (Some(magnitude), mask) => self.forward_dora(magnitude, mask, xs, train),
        }
    }

    /// As in peft, the part that the magnitudes change sees the dropped inputs.
    fn forward_dora(
        &self,
        magnitude: &Tensor,
        mask: Option<Mask>,
        xs: &Tensor,
        train: bool,
    ) -> Result<Tensor> {
        let dropped = mask.map(|mask| mask.apply(xs)).transpose()?;
        let inputs = dropped.as_ref().unwrap_or(xs);
        let bias = self.base.bias();
        let linear = self.base.forward_t(inputs, train)?;
        let linear = match &bias {
            Some(bias) => linear.broadcast_sub(bias)?,
            None => linear,
        };
        let scale = (magnitude / dora::norms(&self.adapter, &self.base.weight()?)?)?;
        let adapted = self.adapter.add(&linear, inputs)?.broadcast_mul(&scale)?;
        Ok(match (&dropped, &bias) {
            (Some(_), _) => ((self.base.forward_t(xs, train)? - linear)? + adapted)?,
            (None, Some(bias)) => adapted.broadcast_add(bias)?,
            (None, None) => adapted,
        })
    }
}

/// Takes the magnitudes from `vb`, or starts them.
fn load_magnitude(
    base: &dyn LinearLayer,
    adapter: &LayerAdapter,
    vb: &VarBuilder<'_>,
) -> Result<Tensor> {
    let stored = vb.contains_tensor(MAGNITUDE);
    let magnitude = vb.get_with_hints(base.out_features(), MAGNITUDE, Init::Const(1.0))?;
    if !stored {
        // No hint can say what they start as: they depend on the weight.
        let norms = dora::norms(adapter, &base.weight()?)?.to_dtype(magnitude.dtype())?;
        if magnitude.is_variable() {
            Var::from_tensor(&magnitude)?.set(&norms)?;
        } else {
            magnitude.slice_set(&norms.contiguous()?, 0, 0)?;
        }
    }
    Ok(magnitude)
}

impl LinearLayer for LoraLinear {
    fn forward_t(&self, xs: &Tensor, train: bool) -> grad_ops::Result<Tensor> {
        Ok(self.forward(xs, train)?)
    }

    fn in_features(&self) -> usize {
        self.base.in_features()
    }

    fn out_features(&self) -> usize {
        self.base.out_features()
    }

    fn parameters(&self) -> Vec<Parameter> {
        let mut all = self.base.parameters();
        let own = self.adapter.tensors();
        all.extend(own.into_iter().map(|(name, tensor)| Parameter::dense(name, tensor)));
        all
    }

    /// The merged weight.
    fn weight(&self) -> grad_ops::Result<Tensor> {
        Ok(self.merged_weight()?.weight)
    }

    fn bias(&self) -> Option<Tensor> {
        self.base.bias()
    }
}
