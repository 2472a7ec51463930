//! The affine map of the last dimension.

use candle_core::{Shape, Tensor};
use rayon::prelude::*;

use crate::kernel::Real;
use crate::kernel::affine::{Affine, Given, Grads, Wanted, apply};
use crate::kernel::gemm::{Mat, Target, parallel_product};
use crate::kernel::parallel::{PIECE, add_up, build};
use crate::{Result, check, composed};

const OP: &str = "linear";

/// Returns `xs · weightᵀ + bias`.
///
/// On the CPU no gradient is computed for an argument that needs none.
///
/// # Shapes
/// - `xs`: `(.., in_features)`
/// - `weight`: `(out_features, in_features)`
/// - `bias`: `(out_features)`
/// - output: `(.., out_features)`
///
/// # Errors
/// When the shapes do not fit or there is no kernel for the number type.
pub fn linear(xs: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let op = Linear::new(xs, weight, bias)?;
    if check::affine_on_cpu(OP, xs, weight, bias)? {
        Ok(apply(op, xs, weight, bias)?)
    } else {
        composed::linear(xs, weight, bias)
    }
}

/// The sizes of the arguments.
pub(crate) struct Linear {
    pub(crate) rows: usize,
    pub(crate) inner: usize,
    pub(crate) out: usize,
    /// Dimensions of the output.
    pub(crate) output: Vec<usize>,
}

impl Linear {
    /// Checks the arguments.
    pub(crate) fn new(xs: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Self> {
        let (rows, inner) = check::rows(OP, xs)?;
        let out = match *weight.dims() {
            [out, width] if out > 0 && width == inner => out,
            _ => {
                let expected = format!("(out_features, {inner})");
                return Err(check::shape_error(OP, "the weight", expected, weight));
            }
        };
        if let Some(bias) = bias {
            check::dims(OP, "the bias", bias, &[out])?;
        }
        let mut output = xs.dims().to_vec();
        if let Some(last) = output.last_mut() {
            *last = out;
        }
        Ok(Self { rows, inner, out, output })
    }
}

impl Affine for Linear {
    const NAME: &'static str = OP;

    fn output(&self) -> Shape {
        Shape::from(self.output.as_slice())
    }

    fn forward<T: Real>(&self, xs: &[T], weight: &[T], bias: Option<&[T]>) -> Vec<T> {
        let xs = Mat::new(xs, self.rows, self.inner);
        let weight = Mat::new(weight, self.out, self.inner);
        let Some(bias) = bias else {
            return product(xs, weight.t());
        };
        // The products are added to the bias.
        let piece = (PIECE / self.out).max(1) * self.out;
        let mut ys = build(self.rows * self.out, piece, |_, rows| {
            for row in rows.chunks_exact_mut(self.out) {
                row.copy_from_slice(bias);
            }
        });
        parallel_product(Target::add(&mut ys, self.out), xs, weight.t());
        ys
    }

    fn backward<T: Real>(&self, given: Given<'_, T>, wanted: Wanted) -> Grads<T> {
        let mut grads = Grads::default();
        let dys = Mat::new(given.grad, self.rows, self.out);
        if wanted.xs {
            grads.xs = product(dys, Mat::new(given.weight, self.out, self.inner));
        }
        if wanted.weight {
            grads.weight = product(dys.t(), Mat::new(given.xs, self.rows, self.inner));
        }
        if wanted.bias {
            grads.bias = column_sums(given.grad, self.out);
        }
        grads
    }
}

fn product<T: Real>(a: Mat<'_, T>, b: Mat<'_, T>) -> Vec<T> {
    let mut product = vec![T::zero(); a.rows() * b.cols()];
    parallel_product(Target::set(&mut product, b.cols()), a, b);
    product
}

/// The sum of all rows of `width` elements.
pub(crate) fn column_sums<T: Real>(rows: &[T], width: usize) -> Vec<T> {
    let piece = (16 * PIECE / width).max(1) * width;
    let mut sums = vec![T::zero(); rows.len().div_ceil(piece) * width];
    sums.par_chunks_mut(width).zip(rows.par_chunks(piece)).for_each(|(sums, rows)| {
        for row in rows.chunks_exact(width) {
            for (sum, &x) in sums.iter_mut().zip(row) {
                *sum += x;
            }
        }
    });
    add_up(&sums, width)
}
