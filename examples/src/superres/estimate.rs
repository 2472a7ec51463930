//! Methods, what they make of a case, and how that scores.

use std::fmt;
use std::str::FromStr;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use hsi_metrics::{Metrics, Variant, hyperbench};
use ndarray::{Array2, Array3, ArrayView3, Axis};
use spectralift::{LiftConfig, LiftReport, ModelKind, Progress, super_resolve, upsample_bicubic};

use super::case::{Case, fill};

/// What reconstructs a cube.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Interpolation of the low-resolution cube: what it shows without the multispectral image.
    Bicubic,
    /// A model of `spectralift`.
    Model(ModelKind),
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bicubic => f.write_str("bicubic"),
            Self::Model(model) => model.fmt(f),
        }
    }
}

impl FromStr for Method {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "bicubic" {
            return Ok(Self::Bicubic);
        }
        text.parse().map(Self::Model).ok().with_context(|| {
            let models: Vec<String> = ModelKind::ALL.iter().map(|m| format!("`{m}`")).collect();
            format!("should be `none`, or of `bicubic`, {}, got `{text}`", models.join(", "))
        })
    }
}

/// What a method made of a case.
#[derive(Debug)]
pub struct Estimate {
    /// The method.
    pub method: Method,
    /// `[bands, rows, cols]`, in [0, 1].
    pub image: Array3<f32>,
    /// Seconds of the fit.
    pub train_seconds: f64,
    /// Seconds of the prediction.
    pub inference_seconds: f64,
    /// Numbers that were fitted.
    pub parameters: usize,
    /// Multiplications and additions of the prediction.
    pub flops: u64,
    /// The course of the fit of a model.
    pub report: Option<LiftReport>,
}

/// Reconstructs the cube of a case.
///
/// # Errors
/// When images, response and settings do not fit each other, or a training diverges.
pub fn estimate(
    case: &Case,
    method: Method,
    config: Option<&LiftConfig>,
    progress: &mut (dyn FnMut(&Progress) + Send),
) -> Result<Estimate> {
    let Method::Model(_) = method else {
        let start = Instant::now();
        let (rows, cols) = case.size();
        let (bands, _, low_cols) = case.lr_hsi.dim();
        let mut image = upsample_bicubic(filled(case).view(), rows, cols)?;
        image.par_mapv_inplace(|value| value.clamp(0.0, 1.0));
        return Ok(Estimate {
            method,
            image,
            train_seconds: 0.0,
            inference_seconds: start.elapsed().as_secs_f64(),
            parameters: 0,
            // Four pixels along the columns, then along the rows.
            flops: (8 * bands * rows * (low_cols + cols)) as u64,
            report: None,
        });
    };
    let config = config.context("a model needs its settings")?;
    let done = super_resolve(&case.observed(), config, progress)?;
    Ok(Estimate {
        method,
        image: done.image,
        train_seconds: done.report.train_seconds,
        inference_seconds: done.report.inference_seconds,
        parameters: done.report.parameters,
        flops: done.report.flops,
        report: Some(done.report),
    })
}

/// Refuses images that the windows of the metrics do not fit into.
///
/// # Errors
/// When there are fewer than 11 rows or columns.
pub fn check_scorable(rows: usize, cols: usize) -> Result<()> {
    // Only small images are refused: a part of a large one stands for it.
    let image = Array3::<f32>::zeros((1, rows.min(4096), cols.min(4096)));
    if rows.min(cols) < 32 {
        hyperbench::ssim(image.view(), image.view())?;
        hyperbench::uiqi(image.view(), image.view())?;
    }
    if rows == 0 || cols == 0 {
        bail!("the image has no pixels");
    }
    Ok(())
}

/// The six metrics, as HyperBench defines them. Pixels without data are left out of those that are
/// means over pixels; for those of windows both images have the same values there.
///
/// # Errors
/// When shapes differ or the image is smaller than a window.
pub fn score(
    truth: ArrayView3<'_, f32>,
    image: ArrayView3<'_, f32>,
    missing: Option<&Array2<bool>>,
) -> Result<Metrics> {
    let Some(mask) = missing else {
        return Ok(Metrics::compute_variant(truth, image, 1.0, Variant::HyperBench)?);
    };
    let mut filled = image.to_owned();
    let places = filled.outer_iter_mut().zip(truth.outer_iter());
    for (mut band, truth) in places {
        ndarray::Zip::from(&mut band).and(&truth).and(mask).for_each(|to, &from, &missing| {
            if missing {
                *to = from;
            }
        });
    }
    let windows = Metrics::compute_variant(truth, filled.view(), 1.0, Variant::HyperBench)?;
    let pixels: Vec<usize> =
        mask.iter().enumerate().filter(|(_, missing)| !**missing).map(|(i, _)| i).collect();
    let gather = |cube: ArrayView3<'_, f32>| -> Array3<f32> {
        let mut flat = Array3::zeros((cube.dim().0, 1, pixels.len()));
        for (mut to, from) in flat.outer_iter_mut().zip(cube.outer_iter()) {
            let values: Vec<f32> = from.iter().copied().collect();
            to.iter_mut().zip(&pixels).for_each(|(to, &i)| *to = values[i]);
        }
        flat
    };
    let (truth, image) = (gather(truth), gather(image));
    let pair = || (truth.view(), image.view());
    let psnr_db = hyperbench::psnr(pair().0, pair().1)?;
    let rmse = hyperbench::rmse(pair().0, pair().1)?;
    Ok(Metrics {
        psnr_db,
        psnr_global_db: psnr_db,
        rmse,
        mse: rmse * rmse,
        ergas: hyperbench::ergas(pair().0, pair().1)?,
        sam_deg: hyperbench::sam_deg(pair().0, pair().1)?,
        ..windows
    })
}

/// Mean over bands of the absolute error of each pixel, `[rows, cols]`.
pub fn error_map(truth: ArrayView3<'_, f32>, image: ArrayView3<'_, f32>) -> Array2<f32> {
    let mut sum = Array2::zeros((truth.dim().1, truth.dim().2));
    for (truth, image) in truth.axis_iter(Axis(0)).zip(image.axis_iter(Axis(0))) {
        ndarray::Zip::from(&mut sum).and(&truth).and(&image).for_each(|sum, a, b| {
            *sum += (a - b).abs();
        });
    }
    sum / truth.dim().0.max(1) as f32
}

/// The low-resolution cube with the marked pixels filled, for methods that take whole images.
fn filled(case: &Case) -> Array3<f32> {
    let mut cube = case.lr_hsi.clone();
    if let Some(mask) = &case.lr_missing {
        fill(&mut cube, mask.view());
    }
    cube
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_without_data_do_not_count() -> Result<()> {
        let value =
            |(b, r, c): (usize, usize, usize)| 0.2 + ((b + 3 * r + 5 * c) % 7) as f32 / 10.0;
        let truth = Array3::from_shape_fn((3, 16, 16), value);
        let mut image = truth.mapv(|v| v + 0.05);
        let clean = score(truth.view(), image.view(), None)?;
        image.slice_mut(ndarray::s![.., 2, 2]).fill(1.0);
        let mut mask = Array2::from_elem((16, 16), false);
        mask[[2, 2]] = true;
        let masked = score(truth.view(), image.view(), Some(&mask))?;
        assert!((masked.rmse - clean.rmse).abs() < 1e-6, "{masked:?} {clean:?}");
        assert!(score(truth.view(), image.view(), None)?.rmse > 1.1 * clean.rmse);
        assert!(check_scorable(10, 400).is_err() && check_scorable(11, 11).is_ok());
        assert!(check_scorable(0, 0).is_err());
        let map = error_map(truth.view(), image.view());
        assert!((map[[0, 0]] - 0.05).abs() < 1e-6);
        Ok(())
    }
}
