//! A product of low rank added to slices of a tensor.

use candle_core::{Shape, Tensor};

use crate::kernel::Real;
use crate::kernel::affine::{Affine, Given, Grads, Wanted, apply};
use crate::kernel::gemm::{Mat, Target, parallel_product};
use crate::kernel::parallel::{PIECE, build};
use crate::{Result, check, composed};

const OP: &str = "low_rank_add";

/// Returns `base` with a product of low rank added to some slices of its last dimension.
///
/// The last dimension of `base` is cut into `slices.len()` equal slices; those that are switched on
/// each get `h_k · weight_kᵀ`, where `h_k` are the columns of `h`, and `weight_k` the rows of
/// `weight`, that belong to the `k`-th of them.
///
/// # Shapes
/// - `base` and output: `(.., slices.len() * features)`
/// - `h`: `(.., k * r)` for `k` slices that are switched on
/// - `weight`: `(k * features, r)`
///
/// # Errors
/// When the shapes do not fit or there is no kernel for the number type.
pub fn low_rank_add(base: &Tensor, h: &Tensor, weight: &Tensor, slices: &[bool]) -> Result<Tensor> {
    let op = LowRankAdd::new(base, h, weight, slices)?;
    if check::affine_on_cpu(OP, h, weight, Some(base))? {
        Ok(apply(op, h, weight, Some(base))?)
    } else {
        composed::low_rank_add(base, h, weight, slices)
    }
}

/// The sizes of the arguments.
pub(crate) struct LowRankAdd {
    pub(crate) features: usize,
    pub(crate) rank: usize,
    rows: usize,
    /// The slices that are added to.
    on: Vec<usize>,
    /// Dimensions of the output.
    output: Vec<usize>,
}

/// One slice: its columns of the output, its columns of `h`.
struct Slice {
    output: usize,
    h: usize,
    /// Where its rows of the weight begin in memory.
    weight: usize,
}

impl LowRankAdd {
    /// Checks the arguments.
    pub(crate) fn new(base: &Tensor, h: &Tensor, weight: &Tensor, slices: &[bool]) -> Result<Self> {
        let (rows, width) = check::rows(OP, base)?;
        let on: Vec<usize> = (0..slices.len()).filter(|&slice| slices[slice]).collect();
        if on.is_empty() || !width.is_multiple_of(slices.len()) {
            let expected = format!("cut into {} slices, one or more switched on", slices.len());
            return Err(check::shape_error(OP, "the base", expected, base));
        }
        let features = width / slices.len();
        let rank = match *weight.dims() {
            [all, rank] if all == on.len() * features && rank > 0 => rank,
            _ => {
                let expected = format!("({}, r)", on.len() * features);
                return Err(check::shape_error(OP, "the weight", expected, weight));
            }
        };
        let output = base.dims().to_vec();
        let mut expected = output.clone();
        if let Some(last) = expected.last_mut() {
            *last = on.len() * rank;
        }
        check::dims(OP, "the factor", h, &expected)?;
        Ok(Self { features, rank, rows, on, output })
    }

    fn width(&self) -> usize {
        self.output.last().copied().unwrap_or(1)
    }

    fn slices(&self) -> impl Iterator<Item = Slice> {
        self.on.iter().enumerate().map(|(index, slice)| Slice {
            output: slice * self.features,
            h: index * self.rank,
            weight: index * self.features * self.rank,
        })
    }

    /// The columns of one slice of `h`.
    fn factor<'a, T>(&self, h: &'a [T], slice: &Slice) -> Mat<'a, T> {
        let stride = self.on.len() * self.rank;
        Mat::strided(&h[slice.h..], (self.rows, self.rank), (stride, 1))
    }

    /// The columns of one slice of the output.
    fn columns<'a, T>(&self, ys: &'a [T], slice: &Slice) -> Mat<'a, T> {
        Mat::strided(&ys[slice.output..], (self.rows, self.features), (self.width(), 1))
    }

    fn weight<'a, T>(&self, weight: &'a [T], slice: &Slice) -> Mat<'a, T> {
        Mat::new(&weight[slice.weight..], self.features, self.rank)
    }
}

impl Affine for LowRankAdd {
    const NAME: &'static str = OP;

    fn output(&self) -> Shape {
        Shape::from(self.output.as_slice())
    }

    fn forward<T: Real>(&self, h: &[T], weight: &[T], base: Option<&[T]>) -> Vec<T> {
        let mut ys = copy(base.unwrap_or_default());
        for slice in self.slices() {
            let to = Target::add(&mut ys[slice.output..], self.width());
            parallel_product(to, self.factor(h, &slice), self.weight(weight, &slice).t());
        }
        ys
    }

    fn backward<T: Real>(&self, given: Given<'_, T>, wanted: Wanted) -> Grads<T> {
        let mut grads = Grads::default();
        if wanted.xs {
            let stride = self.on.len() * self.rank;
            grads.xs = vec![T::zero(); self.rows * stride];
            for slice in self.slices() {
                let to = Target::set(&mut grads.xs[slice.h..], stride);
                let dys = self.columns(given.grad, &slice);
                parallel_product(to, dys, self.weight(given.weight, &slice));
            }
        }
        if wanted.weight {
            grads.weight = vec![T::zero(); self.on.len() * self.features * self.rank];
            for slice in self.slices() {
                let to = Target::set(&mut grads.weight[slice.weight..], self.rank);
                let dys = self.columns(given.grad, &slice);
                parallel_product(to, dys.t(), self.factor(given.xs, &slice));
            }
        }
        if wanted.bias {
            grads.bias = copy(given.grad);
        }
        grads
    }
}

fn copy<T: Real>(xs: &[T]) -> Vec<T> {
    build(xs.len(), PIECE, |index, ys| {
        let start = index * PIECE;
        ys.copy_from_slice(&xs[start..start + ys.len()]);
    })
}
