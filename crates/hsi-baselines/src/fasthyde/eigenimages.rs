//! BM3D of images whose values span any range.

use ndarray::{Array2, ArrayViewMut1, Axis};

use crate::denoiser::reshape;
use crate::{Bm3d, Result};

/// Denoises each row of a matrix as an image of `size`, scaled to [0, 1] meanwhile; `sigma` is
/// the noise of each.
pub(crate) fn denoise_images(
    bm3d: &Bm3d,
    images: &mut Array2<f32>,
    size: (usize, usize),
    sigma: &[f64],
) -> Result<()> {
    for (mut image, &sigma) in images.axis_iter_mut(Axis(0)).zip(sigma) {
        let min = image.iter().copied().fold(f32::INFINITY, f32::min);
        let range = image.iter().copied().fold(f32::NEG_INFINITY, f32::max) - min;
        if !(range > 0.0 && range.is_finite()) {
            continue; // nothing varies; what has overflown is found by the caller
        }
        image.mapv_inplace(|x| (x - min) / range);
        // Far below the noise nothing but the mean is left, and squares must not overflow.
        let noise = (sigma / f64::from(range)).min(1e6);
        let estimate = one(bm3d, &image, size, noise)?;
        for (to, &from) in image.iter_mut().zip(&estimate) {
            *to = from * range + min;
        }
    }
    Ok(())
}

fn one(
    bm3d: &Bm3d,
    image: &ArrayViewMut1<'_, f32>,
    size: (usize, usize),
    sigma: f64,
) -> Result<Array2<f32>> {
    bm3d.denoise(reshape(image.view(), size)?, sigma as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_far_below_their_noise_stay_finite() {
        for scale in [1e-44_f32, 1e-38, 1e-20, 1e-7] {
            let mut images =
                Array2::from_shape_fn((2, 20), |(_, pixel)| scale * (pixel % 3) as f32);
            denoise_images(&Bm3d::default(), &mut images, (4, 5), &[1.0, 1e30]).expect("denoised");
            assert!(images.iter().all(|x| (-scale..=3.0 * scale).contains(x)), "{scale}: {images}");
        }
    }
}
