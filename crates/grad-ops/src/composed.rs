//! The same operations put together from candle's own differentiable ones.
//!
//! They run on every device and in every float type, and serve as a second opinion in the tests.
//! The functions at the crate root call them for tensors that are not on the CPU. What does
//! not fit is the same error as there.

use candle_core::{D, Tensor};

use crate::attention::{Sizes, sizes};
use crate::conv_transpose2x2::ConvTranspose;
use crate::conv3x3::Conv;
use crate::linear::Linear;
use crate::low_rank_add::LowRankAdd;
use crate::max_pool::MaxPool;
use crate::packed::Sizes as PackedSizes;
use crate::upsample::{Axis, Upsample};
use crate::{PackedWeight, Result, check};

/// See [`linear`](crate::linear()).
///
/// # Errors
/// When the shapes do not fit.
pub fn linear(xs: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let Linear { rows, inner, output, .. } = Linear::new(xs, weight, bias)?;
    let ys = xs.reshape((rows, inner))?.matmul(&weight.t()?)?.reshape(output)?;
    Ok(match bias {
        Some(bias) => ys.broadcast_add(bias)?,
        None => ys,
    })
}

/// See [`packed_linear`](crate::packed_linear). The dense copy that is made lives until the backward
/// pass.
///
/// # Errors
/// When the shapes do not fit.
pub fn packed_linear(
    xs: &Tensor,
    weight: &dyn PackedWeight,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    PackedSizes::new(xs, weight, bias)?;
    let dense = weight.dense()?.to_device(xs.device())?.to_dtype(xs.dtype())?;
    linear(xs, &dense, bias)
}

/// See [`low_rank_add`](crate::low_rank_add).
///
/// # Errors
/// When the shapes do not fit.
pub fn low_rank_add(base: &Tensor, h: &Tensor, weight: &Tensor, slices: &[bool]) -> Result<Tensor> {
    let LowRankAdd { features, rank, .. } = LowRankAdd::new(base, h, weight, slices)?;
    let mut all = Vec::with_capacity(slices.len());
    let mut index = 0;
    for (slice, &on) in slices.iter().enumerate() {
        let mut ys = base.narrow(D::Minus1, slice * features, features)?;
        if on {
            let h = h.narrow(D::Minus1, index * rank, rank)?.contiguous()?;
            ys = (ys + linear(&h, &weight.narrow(0, index * features, features)?, None)?)?;
            index += 1;
        }
        all.push(ys);
    }
    Ok(Tensor::cat(&all, D::Minus1)?)
}

/// See [`relu`](crate::relu).
///
/// # Errors
/// When the tensor library fails.
pub fn relu(xs: &Tensor) -> Result<Tensor> {
    let fixed = xs.detach();
    // Not `x > 0`: what is not a number stays what it is.
    let dropped = fixed.le(&fixed.zeros_like()?)?;
    Ok(dropped.where_cond(&fixed.zeros_like()?, xs)?)
}

/// See [`gelu`](crate::gelu).
///
/// # Errors
/// When the tensor library fails.
pub fn gelu(xs: &Tensor) -> Result<Tensor> {
    let twice_phi = ((xs * std::f64::consts::FRAC_1_SQRT_2)?.erf()? + 1.0)?;
    Ok(((xs * 0.5)? * twice_phi)?)
}

/// See [`softmax_last_dim`](crate::softmax_last_dim).
///
/// # Errors
/// When the tensor library fails.
pub fn softmax_last_dim(xs: &Tensor) -> Result<Tensor> {
    let max = xs.detach().max_keepdim(D::Minus1)?;
    let exp = xs.broadcast_sub(&max)?.exp()?;
    Ok(exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)?)
}

/// See [`layer_norm`](crate::layer_norm).
///
/// # Errors
/// When the shapes do not fit.
pub fn layer_norm(xs: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let centred = xs.broadcast_sub(&xs.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    let normed = centred.broadcast_div(&(variance + eps)?.sqrt()?)?;
    Ok(normed.broadcast_mul(weight)?.broadcast_add(bias)?)
}

/// See [`attention`](crate::attention).
///
/// # Errors
/// When the shapes do not fit.
pub fn attention(qkv: &Tensor, heads: usize) -> Result<Tensor> {
    let Sizes { batch, tokens, heads, dim } = sizes(qkv, heads)?;
    let parts = qkv.reshape((batch, tokens, 3, heads, dim))?.permute((2, 0, 3, 1, 4))?;
    let q = (parts.get(0)?.contiguous()? * (1.0 / (dim as f64).sqrt()))?;
    let k = parts.get(1)?.contiguous()?;
    let v = parts.get(2)?.contiguous()?;
    let probabilities = softmax_last_dim(&q.matmul(&k.t()?.contiguous()?)?)?;
    let mixed = probabilities.matmul(&v)?.transpose(1, 2)?;
    Ok(mixed.reshape((batch, tokens, heads * dim))?)
}

/// See [`conv3x3`](crate::conv3x3).
///
/// # Errors
/// When the shapes do not fit.
pub fn conv3x3(
    xs: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    rectify: bool,
) -> Result<Tensor> {
    Conv::new(xs, weight, bias, rectify)?;
    let mut ys = xs.conv2d(weight, 1, 1, 1, 1)?;
    if let Some(bias) = bias {
        ys = ys.broadcast_add(&bias.reshape((1, (), 1, 1))?)?;
    }
    if rectify { relu(&ys) } else { Ok(ys) }
}

/// See [`conv_transpose2x2`](crate::conv_transpose2x2).
///
/// # Errors
/// When the shapes do not fit.
pub fn conv_transpose2x2(xs: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let ConvTranspose { batch, inner, out, height, width, .. } =
        ConvTranspose::new(xs, weight, bias)?;
    let pixels = xs.permute((0, 2, 3, 1))?.reshape((batch * height * width, inner))?;
    let ys = pixels.matmul(&weight.reshape((inner, out * 4))?)?;
    let ys = ys.reshape(vec![batch, height, width, out, 2, 2])?.permute(vec![0, 3, 1, 4, 2, 5])?;
    let ys = ys.reshape((batch, out, 2 * height, 2 * width))?;
    Ok(match bias {
        Some(bias) => ys.broadcast_add(&bias.reshape((1, out, 1, 1))?)?,
        None => ys,
    })
}

/// See [`max_pool2x2`](crate::max_pool2x2).
///
/// # Errors
/// When the shapes do not fit.
pub fn max_pool2x2(xs: &Tensor) -> Result<Tensor> {
    let MaxPool { maps: (batch, channels), height, width } = MaxPool::new(xs)?;
    let (h, w) = (height / 2, width / 2);
    let windows = xs
        .narrow(2, 0, 2 * h)?
        .narrow(3, 0, 2 * w)?
        .reshape(vec![batch, channels, h, 2, w, 2])?
        .permute(vec![3, 5, 0, 1, 2, 4])?
        .reshape((4, batch, channels, h, w))?;
    let mut best = windows.get(0)?;
    for index in 1..4 {
        let next = windows.get(index)?;
        let (seen, candidate) = (best.detach(), next.detach());
        // The first maximum stays; what is not a number wins.
        let wins = (candidate.gt(&seen)? + candidate.ne(&candidate)?)?;
        best = wins.where_cond(&next, &best)?;
    }
    Ok(best)
}

/// See [`upsample_bilinear`](crate::upsample_bilinear).
///
/// # Errors
/// When the shapes do not fit.
pub fn upsample_bilinear(xs: &Tensor, factor: usize) -> Result<Tensor> {
    let Upsample { maps: (batch, channels), down, across } = Upsample::new(xs, factor)?;
    let (height, width) = (down.sources.len(), across.sources.len());
    let ys = xs.reshape((batch * channels * down.size, across.size))?;
    let ys = ys.matmul(&interpolation(xs, &across)?)?;
    let ys = ys.reshape((batch * channels, down.size, width))?.transpose(1, 2)?;
    let ys = ys.reshape((batch * channels * width, down.size))?;
    let ys = ys.matmul(&interpolation(xs, &down)?)?;
    let ys = ys.reshape((batch * channels, width, height))?.transpose(1, 2)?;
    Ok(ys.reshape((batch, channels, height, width))?)
}

/// The matrix that interpolates a row.
fn interpolation(like: &Tensor, axis: &Axis) -> Result<Tensor> {
    let width = axis.sources.len();
    let mut matrix = vec![0.0f64; axis.size * width];
    for (target, &(low, high, share)) in axis.sources.iter().enumerate() {
        matrix[low * width + target] += 1.0 - share;
        matrix[high * width + target] += share;
    }
    Ok(Tensor::from_vec(matrix, (axis.size, width), like.device())?.to_dtype(like.dtype())?)
}

/// See [`mse_loss`](crate::mse_loss).
///
/// # Errors
/// When the shapes differ.
pub fn mse_loss(xs: &Tensor, target: &Tensor) -> Result<Tensor> {
    check::dims("mse_loss", "the target", target, xs.dims())?;
    Ok((xs - target)?.sqr()?.mean_all()?)
}
