#![doc = include_str!("../README.md")]

mod degrade;
mod error;
mod normalize;
mod psf;
mod srf;
mod train;

pub use degrade::{
    Degradation, Observations, add_noise, area_average, blur, low_resolution, unit_normals,
};
pub use error::{Error, Result};
pub use normalize::PercentileRange;
pub use psf::{Psf, PsfConfig, PsfShape};
pub use srf::{
    PUBLISHED_FWHM_FACTOR, SENSOR_BAND_COUNTS, SensorBand, Srf, SrfEstimate, estimate_srf,
    nonnegative_least_squares, published_grid, sensor_bands,
};
pub use train::{Schedule, ScheduleKind};
