//! Bands of multispectral sensors.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A band of a multispectral sensor, in nanometres.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SensorBand {
    /// Wavelength at the centre.
    pub center_nm: f64,
    /// Lower edge.
    pub low_nm: f64,
    /// Upper edge.
    pub high_nm: f64,
}

const fn band(center_nm: f64, low_nm: f64, high_nm: f64) -> SensorBand {
    SensorBand { center_nm, low_nm, high_nm }
}

/// IKONOS: panchromatic.
const PAN: [SensorBand; 1] = [band(729.0, 409.0, 1048.0)];
/// IKONOS: blue, green, red, near infrared.
const IKONOS: [SensorBand; 4] = [
    band(480.0, 421.0, 539.0),
    band(552.0, 480.0, 624.0),
    band(666.0, 602.0, 729.0),
    band(803.0, 713.0, 893.0),
];
/// WorldView-2.
const WORLDVIEW2: [SensorBand; 8] = [
    band(427.0, 396.0, 458.0),
    band(478.0, 442.0, 515.0),
    band(546.0, 506.0, 586.0),
    band(608.0, 584.0, 632.0),
    band(659.0, 624.0, 694.0),
    band(724.0, 699.0, 749.0),
    band(833.0, 765.0, 901.0),
    band(949.0, 856.0, 1043.0),
];
/// WorldView-3.
const WORLDVIEW3: [SensorBand; 16] = [
    band(426.0, 397.0, 454.0),
    band(481.0, 445.0, 517.0),
    band(547.0, 507.0, 586.0),
    band(605.0, 580.0, 629.0),
    band(661.0, 626.0, 696.0),
    band(724.0, 698.0, 749.0),
    band(832.0, 765.0, 899.0),
    band(948.0, 857.0, 1039.0),
    band(1210.0, 1184.0, 1235.0),
    band(1572.0, 1546.0, 1598.0),
    band(1661.0, 1636.0, 1686.0),
    band(1730.0, 1702.0, 1759.0),
    band(2164.0, 2137.0, 2191.0),
    band(2203.0, 2174.0, 2232.0),
    band(2260.0, 2228.0, 2292.0),
    band(2329.0, 2285.0, 2373.0),
];

/// Band counts that [`sensor_bands`] knows.
pub const SENSOR_BAND_COUNTS: [usize; 5] = [1, 3, 4, 8, 16];

/// The published sensors: the panchromatic band of IKONOS (1), its blue, green and red (3) with
/// near infrared (4), WorldView-2 (8), WorldView-3 (16).
///
/// # Errors
/// [`Error::Setting`] for another number of bands.
pub fn sensor_bands(count: usize) -> Result<&'static [SensorBand]> {
    match count {
        1 => Ok(&PAN),
        3 => Ok(&IKONOS[..3]),
        4 => Ok(&IKONOS),
        8 => Ok(&WORLDVIEW2),
        16 => Ok(&WORLDVIEW3),
        _ => Err(Error::setting("num-msi-bands", "1, 3, 4, 8 or 16", count)),
    }
}
