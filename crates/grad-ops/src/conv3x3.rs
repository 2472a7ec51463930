//! Convolution with a 3 x 3 kernel.

use candle_core::Tensor;

use crate::{Result, check, composed};

const OP: &str = "conv3x3";

/// Returns the cross-correlation with padding 1 and stride 1, rectified if `rectify` is set.
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
    let [_, channels, _, _] = check::maps(OP, xs)?;
    let out = match *weight.dims() {
        [out, inner, 3, 3] if out > 0 && inner == channels => out,
        _ => {
            let expected = format!("(channels_out, {channels}, 3, 3)");
            return Err(check::shape_error(OP, "the weight", expected, weight));
        }
    };
    let mut all = vec![xs, weight];
    if let Some(bias) = bias {
        check::dims(OP, "the bias", bias, &[out])?;
        all.push(bias);
    }
    check::on_cpu(OP, &all)?;
    composed::conv3x3(xs, weight, bias, rectify)
}
