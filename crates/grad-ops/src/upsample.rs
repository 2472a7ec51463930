//! Bilinear interpolation.

use candle_core::Tensor;

use crate::{Result, check, composed};

const OP: &str = "upsample_bilinear";

/// Enlarges height and width by a whole factor, as
/// `torch.nn.functional.interpolate(mode="bilinear", align_corners=False)`.
///
/// # Shapes
/// - `xs`: `(batch, channels, height, width)`
/// - output: `(batch, channels, factor * height, factor * width)`
///
/// # Errors
/// When the shape does not fit, the factor is zero, or there is no kernel for the number type.
pub fn upsample_bilinear(xs: &Tensor, factor: usize) -> Result<Tensor> {
    check::maps(OP, xs)?;
    if factor == 0 {
        return Err(check::shape_error(
            OP,
            "the factor for the input",
            "at least 1",
            xs,
        ));
    }
    check::on_cpu(OP, &[xs])?;
    composed::upsample_bilinear(xs, factor)
}
