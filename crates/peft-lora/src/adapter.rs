//! The matrices that adapt one layer, as tensors.

use candle_core::{DType, Tensor};

use crate::names::{A, MAGNITUDE, pair_names};
use crate::{Error, Form, Result};

/// A pair of matrices for one slice of the outputs.
#[derive(Debug, Clone)]
pub struct Pair {
    /// `(r, in_features)`.
    pub a: Tensor,
    /// `(out_features of the slice, r)`.
    pub b: Tensor,
}

/// What adapts one layer: a pair of matrices for each adapted slice, their scale, and the
/// magnitudes of the outputs if the direction is trained apart from them.
///
/// Names below the path of the layer:
///
/// | form | names |
/// | --- | --- |
/// | plain | `lora_A.weight`, `lora_B.weight` |
/// | split | `lora_A.0`, `lora_B.0`, `lora_A.1`, .. for each slice that is adapted |
/// | either | `lora_magnitude_vector` |
#[derive(Debug, Clone)]
pub struct LayerAdapter {
    form: Form,
    pairs: Vec<Pair>,
    alpha: f64,
    use_rslora: bool,
    magnitude: Option<Tensor>,
}

impl LayerAdapter {
    /// Puts an adapter together; `path` is that of its layer, for the errors.
    ///
    /// `pairs` are those of the slices that `form` switches on, in order.
    ///
    /// # Errors
    /// When the number of pairs is not that of the slices, or their shapes do not fit each other.
    pub fn new(
        path: &str,
        form: Form,
        pairs: Vec<Pair>,
        alpha: f64,
        use_rslora: bool,
        magnitude: Option<Tensor>,
    ) -> Result<Self> {
        let slices = form.adapted();
        let Some(first) = pairs.first().filter(|_| pairs.len() == slices.len()) else {
            return Err(Error::Missing { name: format!("{path}.{A}") });
        };
        let shape = |tensor: &Tensor, name: String, expected: String| Error::Shape {
            name: format!("{path}.{name}"),
            expected,
            got: tensor.dims().to_vec(),
        };
        let names = |index: usize| pair_names(&form, slices[index]);
        let (r, inputs) = match *first.a.dims() {
            [r, inputs] if r > 0 && inputs > 0 => (r, inputs),
            _ => return Err(shape(&first.a, names(0).0, "(r, in_features)".into())),
        };
        let outputs = match *first.b.dims() {
            [outputs, rank] if rank == r && outputs > 0 => outputs,
            _ => return Err(shape(&first.b, names(0).1, format!("(out_features, {r})"))),
        };
        for (index, pair) in pairs.iter().enumerate() {
            let (a, b) = names(index);
            if pair.a.dims() != [r, inputs] {
                return Err(shape(&pair.a, a, format!("({r}, {inputs})")));
            }
            if pair.b.dims() != [outputs, r] {
                return Err(shape(&pair.b, b, format!("({outputs}, {r})")));
            }
        }
        let all = outputs * form.slices();
        if let Some(magnitude) = &magnitude
            && magnitude.dims() != [all]
        {
            return Err(shape(magnitude, MAGNITUDE.into(), format!("({all})")));
        }
        Ok(Self { form, pairs, alpha, use_rslora, magnitude })
    }

    /// The same adapter with magnitudes for its outputs.
    pub(crate) fn with_magnitude(self, path: &str, magnitude: Tensor) -> Result<Self> {
        let Self { form, pairs, alpha, use_rslora, .. } = self;
        Self::new(path, form, pairs, alpha, use_rslora, Some(magnitude))
    }

    /// One pair or several.
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// The pairs of the adapted slices, in order.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// The magnitudes of the outputs, `(out_features)`, with DoRA.
    pub fn magnitude(&self) -> Option<&Tensor> {
        self.magnitude.as_ref()
    }

    /// Rank of each pair.
    pub fn rank(&self) -> usize {
        self.pairs[0].a.dims()[0]
    }

    /// Numerator of the scale.
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// Whether the scale is `alpha / √r` rather than `alpha / r`.
    pub fn use_rslora(&self) -> bool {
        self.use_rslora
    }

    /// Factor of what the pairs add: `alpha / r`, or `alpha / √r`.
    pub fn scale(&self) -> f64 {
        let r = self.rank() as f64;
        self.alpha / if self.use_rslora { r.sqrt() } else { r }
    }

    /// Size of the last dimension of the input of the layer.
    pub fn in_features(&self) -> usize {
        self.pairs[0].a.dims()[1]
    }

    /// Size of the last dimension of the output of the layer.
    pub fn out_features(&self) -> usize {
        self.slice_features() * self.form.slices()
    }

    /// Outputs of one slice.
    pub(crate) fn slice_features(&self) -> usize {
        self.pairs[0].b.dims()[0]
    }

    /// The tensors with their names below the path of the layer.
    pub fn tensors(&self) -> Vec<(String, &Tensor)> {
        let mut all = Vec::new();
        for (slice, pair) in self.form.adapted().into_iter().zip(&self.pairs) {
            let (a, b) = pair_names(&self.form, slice);
            all.extend([(a, &pair.a), (b, &pair.b)]);
        }
        all.extend(self.magnitude.iter().map(|magnitude| (MAGNITUDE.to_owned(), magnitude)));
        all
    }

    /// The same adapter with other tensors of the same shapes.
    pub(crate) fn map(&self, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Self> {
        let pairs = self.pairs.iter().map(|pair| Ok(Pair { a: f(&pair.a)?, b: f(&pair.b)? }));
        let pairs = pairs.collect::<Result<_>>()?;
        let magnitude = self.magnitude.as_ref().map(f).transpose()?;
        Ok(Self { form: self.form.clone(), pairs, magnitude, ..*self })
    }

    /// What the pairs add to the weight: `scale · B · A`, computed in `f64`.
    ///
    /// # Shapes
    /// - output: `(out_features, in_features)`, in `f64`
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn delta(&self) -> Result<Tensor> {
        self.delta_in(DType::F64)
    }

    /// [`LayerAdapter::delta`] in another number type.
    pub(crate) fn delta_in(&self, dtype: DType) -> Result<Tensor> {
        let mut products = self.pairs.iter().map(|pair| {
            let [a, b] = [&pair.a, &pair.b].map(|tensor| tensor.detach().to_dtype(dtype));
            let product = b?.contiguous()?.matmul(&a?.contiguous()?)?;
            Ok::<_, Error>((product * self.scale())?)
        });
        let Form::Split { parts } = &self.form else {
            return products.next().unwrap_or_else(|| Err(missing()));
        };
        let shape = (self.slice_features(), self.in_features());
        let device = self.pairs[0].a.device();
        let slices = parts.iter().map(|&adapted| {
            if adapted {
                products.next().unwrap_or_else(|| Err(missing()))
            } else {
                Ok(Tensor::zeros(shape, dtype, device)?)
            }
        });
        Ok(Tensor::cat(&slices.collect::<Result<Vec<_>>>()?, 0)?)
    }
}

/// What cannot happen: `new` compares the number of pairs with that of the slices.
fn missing() -> Error {
    Error::Missing { name: A.to_owned() }
}
