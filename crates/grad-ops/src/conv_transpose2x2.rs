//! Transposed convolution with a 2 x 2 kernel and stride 2.

use candle_core::Tensor;

use crate::{Result, check, composed};

const OP: &str = "conv_transpose2x2";

/// Doubles height and width: each pixel becomes a 2 x 2 block, as
/// `torch.nn.ConvTranspose2d(channels_in, channels_out, 2, stride=2)`.
///
/// # Shapes
/// - `xs`: `(batch, channels_in, height, width)`
/// - `weight`: `(channels_in, channels_out, 2, 2)`
/// - `bias`: `(channels_out)`
/// - output: `(batch, channels_out, 2 * height, 2 * width)`
///
/// # Errors
/// When the shapes do not fit or there is no kernel for the number type.
pub fn conv_transpose2x2(xs: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let [_, channels, _, _] = check::maps(OP, xs)?;
    let out = match *weight.dims() {
        [inner, out, 2, 2] if out > 0 && inner == channels => out,
        _ => {
            let expected = format!("({channels}, channels_out, 2, 2)");
            return Err(check::shape_error(OP, "the weight", expected, weight));
        }
    };
    let mut all = vec![xs, weight];
    if let Some(bias) = bias {
        check::dims(OP, "the bias", bias, &[out])?;
        all.push(bias);
    }
    check::on_cpu(OP, &all)?;
    composed::conv_transpose2x2(xs, weight, bias)
}
