//! Convolution with a 3 x 3 kernel.
//!
//! Some rows of the image are copied three times, one of them shifted to the left and one to the
//! right, with a row of zeros above and below the image. In this copy each row of the kernel is
//! one matrix product: three accumulating products, and no matrix of patches. The gradient of the
//! input is the same routine with the kernel turned and transposed, that of the kernel the product
//! of the gradient of the output with the same copy.

mod convolve;
mod tile;
mod weight_grad;
mod weights;

use candle_core::{Shape, Tensor};

use crate::kernel::Real;
use crate::kernel::affine::{Affine, Given, Grads, Wanted, apply};
use crate::{Result, check, composed};
use convolve::{Maps, convolve};
use weight_grad::weight_grad;

const OP: &str = "conv3x3";

/// Returns the cross-correlation with padding 1 and stride 1, rectified if `rectify` is set.
///
/// No gradient is computed for an argument that needs none.
///
/// # Shapes
/// - `xs`: `(batch, channels_in, height, width)`
/// - `weight`: `(channels_out, channels_in, 3, 3)`
/// - `bias`: `(channels_out)`
/// - output: `(batch, channels_out, height, width)`
///
/// # Errors
/// When the shapes do not fit or there is no kernel for the number type.
pub fn conv3x3(
    xs: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    rectify: bool,
) -> Result<Tensor> {
    let op = Conv::new(xs, weight, bias, rectify)?;
    if check::affine_on_cpu(OP, xs, weight, bias)? {
        Ok(apply(op, xs, weight, bias)?)
    } else {
        composed::conv3x3(xs, weight, bias, rectify)
    }
}

/// The sizes of the arguments.
pub(crate) struct Conv {
    batch: usize,
    channels: usize,
    out: usize,
    height: usize,
    width: usize,
    rectify: bool,
}

impl Conv {
    /// Checks the arguments.
    pub(crate) fn new(
        xs: &Tensor,
        weight: &Tensor,
        bias: Option<&Tensor>,
        rectify: bool,
    ) -> Result<Self> {
        let [batch, channels, height, width] = check::maps(OP, xs)?;
        let out = match *weight.dims() {
            [out, inner, 3, 3] if out > 0 && inner == channels => out,
            _ => {
                let expected = format!("(channels_out, {channels}, 3, 3)");
                return Err(check::shape_error(OP, "the weight", expected, weight));
            }
        };
        if let Some(bias) = bias {
            check::dims(OP, "the bias", bias, &[out])?;
        }
        Ok(Self { batch, channels, out, height, width, rectify })
    }
}

impl Affine for Conv {
    const NAME: &'static str = OP;

    fn output(&self) -> Shape {
        Shape::from((self.batch, self.out, self.height, self.width))
    }

    fn forward<T: Real>(&self, xs: &[T], weight: &[T], bias: Option<&[T]>) -> Vec<T> {
        let shape = [self.batch, self.channels, self.height, self.width];
        let kernel = weights::rows(weight, self.channels);
        convolve(&Maps { data: xs, mask: None, shape }, &kernel, bias, self.rectify)
    }

    fn backward<T: Real>(&self, given: Given<'_, T>, wanted: Wanted) -> Grads<T> {
        let mask = if self.rectify { Some(given.ys) } else { None };
        let shape = [self.batch, self.out, self.height, self.width];
        let grad = Maps { data: given.grad, mask, shape };
        let mut grads = Grads::default();
        if wanted.xs {
            let kernel = weights::turned_rows(given.weight, self.channels);
            grads.xs = convolve(&grad, &kernel, None, false);
        }
        if wanted.weight || wanted.bias {
            let shape = [self.batch, self.channels, self.height, self.width];
            let xs = Maps { data: given.xs, mask: None, shape };
            (grads.weight, grads.bias) = weight_grad(&xs, &grad, wanted.weight);
        }
        grads
    }
}
