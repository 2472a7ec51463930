//! Maximum over 2 x 2 windows.

use candle_core::Tensor;

use crate::{Result, check, composed};

const OP: &str = "max_pool2x2";

/// Halves height and width (rounding down): each output is the maximum of a 2 x 2 window, and the
/// gradient goes to the first maximum in row-major order, as in PyTorch.
///
/// # Shapes
/// - `xs`: `(batch, channels, height, width)`, height and width at least 2
/// - output: `(batch, channels, height / 2, width / 2)`
///
/// # Errors
/// When the shape does not fit or there is no kernel for the number type.
pub fn max_pool2x2(xs: &Tensor) -> Result<Tensor> {
    let [_, _, height, width] = check::maps(OP, xs)?;
    if height < 2 || width < 2 {
        let expected = "(batch, channels, at least 2, at least 2)";
        return Err(check::shape_error(OP, "the input", expected, xs));
    }
    check::on_cpu(OP, &[xs])?;
    composed::max_pool2x2(xs)
}
