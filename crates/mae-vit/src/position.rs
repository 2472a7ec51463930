//! Position embeddings: the fixed sines and cosines of MAE, and another grid for learned ones.

use candle_core::{DType, Device, Tensor};

use crate::config::check_sin_cos;
use crate::{Error, Result};

/// Returns the fixed position embedding of facebookresearch/mae, with a CLS row of zeros.
///
/// The first half of a row encodes the column of the patch, the second half its row, each as
/// sines and then cosines of the coordinate times `10000^(-i / (dim / 4))`.
///
/// # Shapes
/// - output: `(1, 1 + grid.0 * grid.1, dim)`
///
/// # Errors
/// When `dim` is not a multiple of 4.
///
/// # References
/// `get_2d_sincos_pos_embed` of facebookresearch/mae (`util/pos_embed.py`).
pub fn sin_cos_positions(
    dim: usize,
    grid: (usize, usize),
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    check_sin_cos("dim", dim)?;
    let quarter = dim / 4;
    let omega: Vec<f64> =
        (0..quarter).map(|i| 10000f64.powf(-(i as f64) / quarter as f64)).collect();
    let mut rows = vec![0f64; dim];
    for row in 0..grid.0 {
        for col in 0..grid.1 {
            for coordinate in [col, row] {
                let angles = omega.iter().map(|omega| coordinate as f64 * omega);
                rows.extend(angles.clone().map(f64::sin));
                rows.extend(angles.map(f64::cos));
            }
        }
    }
    let rows = Tensor::from_vec(rows, (1, 1 + grid.0 * grid.1, dim), &Device::Cpu)?;
    Ok(rows.to_dtype(dtype)?.to_device(device)?)
}

/// Resizes a position embedding to another grid of patches; the CLS row stays.
///
/// Same as `torch.nn.functional.interpolate(mode="bicubic", align_corners=False)` on the grid,
/// without antialiasing. The result has the dtype of the input and carries no gradient.
///
/// # Shapes
/// - `embedding`: `(1, 1 + n * n, dim)`
/// - output: `(1, 1 + grid.0 * grid.1, dim)`
///
/// # Errors
/// [`Error::Shape`] or [`Error::PositionRows`] when the embedding is not one CLS row and a
/// square grid; [`Error::Config`] when the new grid is empty.
pub fn resize_positions(embedding: &Tensor, grid: (usize, usize)) -> Result<Tensor> {
    let [1, rows, dim] = *embedding.dims() else {
        let got = embedding.dims().to_vec();
        return Err(Error::Shape {
            what: "a position embedding",
            expected: "(1, 1 + patches, dim)".to_owned(),
            got,
        });
    };
    let edge = square_edge(rows).ok_or(Error::PositionRows { rows })?;
    if grid.0 == 0 || grid.1 == 0 {
        let reason = format!("should have at least one patch, got {} x {}", grid.0, grid.1);
        return Err(Error::Config { field: "grid", reason });
    }
    let (dtype, device) = (embedding.dtype(), embedding.device().clone());
    let flat: Vec<f64> =
        embedding.detach().to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
    let mut out = flat.get(..dim).unwrap_or_default().to_vec();
    out.reserve(grid.0 * grid.1 * dim);
    for row in 0..grid.0 {
        let vertical = cubic_taps(row, edge, grid.0);
        for col in 0..grid.1 {
            let horizontal = cubic_taps(col, edge, grid.1);
            let start = out.len();
            out.resize(start + dim, 0.0);
            for (y, wy) in vertical {
                for (x, wx) in horizontal {
                    let from = (1 + y * edge + x) * dim;
                    let weight = wy * wx;
                    let taps = flat[from..from + dim].iter();
                    out[start..].iter_mut().zip(taps).for_each(|(o, v)| *o += weight * v);
                }
            }
        }
    }
    let out = Tensor::from_vec(out, (1, 1 + grid.0 * grid.1, dim), &Device::Cpu)?;
    Ok(out.to_dtype(dtype)?.to_device(&device)?)
}

/// The edge `n` of the grid of an embedding of `1 + n * n` rows.
pub(crate) fn square_edge(rows: usize) -> Option<usize> {
    let patches = rows.checked_sub(1).filter(|&patches| patches > 0)?;
    let edge = patches.isqrt();
    (edge * edge == patches).then_some(edge)
}

/// The four inputs that a bicubic output at `index` is made of, and their weights.
fn cubic_taps(index: usize, from: usize, to: usize) -> [(usize, f64); 4] {
    const A: f64 = -0.75;
    let centre = (index as f64 + 0.5) * (from as f64 / to as f64) - 0.5;
    let first = centre.floor();
    let t = centre - first;
    let near = |x: f64| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let far = |x: f64| ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A;
    let weights = [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)];
    let clamp = |offset: i64| (first as i64 + offset).clamp(0, from as i64 - 1) as usize;
    [
        (clamp(-1), weights[0]),
        (clamp(0), weights[1]),
        (clamp(1), weights[2]),
        (clamp(2), weights[3]),
    ]
}
