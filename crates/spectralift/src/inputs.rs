//! Which multispectral values of the low-resolution pixels a map is fitted to: those that the
//! response makes of the cube, or the sensor's own.

use ndarray::Array3;

use crate::matching::Matching;
use crate::train::Order;
use crate::{Observed, Result};

/// Part of the variance of the multispectral bands that an exact response leaves unexplained at
/// most, noise included.
const UNEXPLAINED: f64 = 0.01;

/// The multispectral image at low resolution, if the response does not explain it.
///
/// An exact response makes of the cube what the sensor would see of it, and a map can be fitted to
/// that. With an estimated response the sensor sees what the cube does not tell: a map that relies
/// on fine differences between bands then fails on the sensor's own image, and is better fitted to
/// that image, blurred and averaged to the pixels of the cube.
pub(crate) fn sensor_image(observed: &Observed<'_>, order: &Order) -> Result<Option<Array3<f32>>> {
    let computed = observed.srf.apply(observed.lr_hsi)?;
    let (matching, left) = Matching::fit(observed.hr_msi, computed.view(), &order.pixels)?;
    if left <= UNEXPLAINED { Ok(None) } else { matching.apply(observed.hr_msi).map(Some) }
}
