#![doc = include_str!("../README.md")]

mod affine;
mod config;
mod degrade;
mod error;
mod inputs;
mod kriging;
mod lift;
mod linalg;
mod matching;
mod network;
mod normalize;
mod pixel_model;
mod psf;
mod report;
mod srf;
mod train;
mod upsample;

pub use affine::AffineMap;
pub use config::{LiftConfig, ModelKind};
pub use degrade::{
    Degradation, Observations, add_noise, area_average, blur, low_resolution, unit_normals,
};
pub use error::{Error, Result};
pub use lift::{Observed, SuperResolution, super_resolve};
pub use network::SpectralNet;
pub use normalize::PercentileRange;
pub use pixel_model::PixelModel;
pub use psf::{Psf, PsfConfig, PsfShape};
pub use report::{LiftReport, Progress};
pub use srf::{
    PUBLISHED_FWHM_FACTOR, SENSOR_BAND_COUNTS, SensorBand, Srf, SrfEstimate, estimate_srf,
    estimate_srf_of_pair, nonnegative_least_squares, published_grid, sensor_bands,
};
pub use train::{Batch, Schedule, ScheduleKind};
pub use upsample::upsample_bicubic;
