//! The noise models and the ranges of their parameters.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Share of the columns that carry stripes where none is given.
pub(crate) const STRIPE_FRACTION: f64 = 0.4;
/// Largest stripe offset where none is given.
pub(crate) const STRIPE_INTENSITY: f64 = 0.5;
/// Bounds of the clip where none are given.
pub(crate) const CLIP: (f64, f64) = (0.0, 1.0);

/// One kind of noise with its parameters.
///
/// Standard deviations and offsets are on the scale of the data, which is [0, 1] for normalised
/// cubes. In a configuration file a model is a map with the key `kind`, for example
/// `{ kind: gaussian, sigma: 0.1 }`; the command-line form is `gaussian:0.1`
/// (see [`NoisePipeline`](crate::NoisePipeline)).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum NoiseModel {
    /// Adds independent normal noise of one standard deviation to every value: `gaussian:SIGMA`.
    Gaussian {
        /// Standard deviation, at least 0.
        sigma: f64,
    },
    /// Adds vertical stripes: `stripe[:INTENSITY[:FRACTION]]`.
    ///
    /// `floor(fraction * cols)` columns are drawn without replacement once a cube. Each band adds
    /// to each of these columns one value, `uniform(-1, 1) * intensity`.
    Stripe {
        /// Share of the columns, in [0, 1]; 0.4 where a configuration leaves it out.
        #[serde(default = "stripe_fraction")]
        fraction: f64,
        /// Largest offset, at least 0; 0.5 where a configuration leaves it out.
        #[serde(default = "stripe_intensity")]
        intensity: f64,
    },
    /// Sets whole columns to zero: `deadline:FRACTION`.
    ///
    /// A push-broom sensor has a row of detectors for each band, so every band draws its own
    /// `floor(fraction * cols)` columns without replacement.
    DeadLine {
        /// Share of the columns, in [0, 1].
        fraction: f64,
    },
    /// Sets single values to 0 or 1 with equal chance (salt and pepper): `impulse:FRACTION`.
    Impulse {
        /// Probability that a value is replaced, in [0, 1].
        fraction: f64,
    },
    /// Replaces `x` by `Poisson(peak * max(x, 0)) / peak` (photon noise): `poisson:PEAK`.
    ///
    /// Values that are not finite, or above 1e15 counts, pass unchanged.
    Poisson {
        /// Expected count at the value 1, above 0.
        peak: f64,
    },
    /// Adds normal noise whose standard deviation differs between bands: `niid:MIN:MAX`.
    ///
    /// Each band draws its standard deviation from `uniform(sigma_min, sigma_max)`.
    #[serde(rename = "niid")]
    NonIid {
        /// Smallest standard deviation, at least 0.
        sigma_min: f64,
        /// Largest standard deviation, at least `sigma_min`.
        sigma_max: f64,
    },
    /// Adds normal noise at a signal-to-noise ratio, band by band: `snr:DB`.
    ///
    /// The standard deviation of a band is `sqrt(P / 10^(snr_db / 10))`, where `P` is the mean
    /// square of the band as it is when this model's turn comes.
    Snr {
        /// Signal-to-noise ratio in dB, in [-300, 300].
        snr_db: f64,
    },
    /// Limits every value to a range: `clip[:MIN:MAX]`. NaN stays NaN.
    Clip {
        /// Lower bound; 0 where a configuration leaves it out.
        #[serde(default = "clip_min")]
        min: f64,
        /// Upper bound, above `min`; 1 where a configuration leaves it out.
        #[serde(default = "clip_max")]
        max: f64,
    },
}

fn stripe_fraction() -> f64 {
    STRIPE_FRACTION
}

fn stripe_intensity() -> f64 {
    STRIPE_INTENSITY
}

fn clip_min() -> f64 {
    CLIP.0
}

fn clip_max() -> f64 {
    CLIP.1
}

impl NoiseModel {
    /// Returns the name of the kind, as in descriptions and in the key `kind`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Gaussian { .. } => "gaussian",
            Self::Stripe { .. } => "stripe",
            Self::DeadLine { .. } => "deadline",
            Self::Impulse { .. } => "impulse",
            Self::Poisson { .. } => "poisson",
            Self::NonIid { .. } => "niid",
            Self::Snr { .. } => "snr",
            Self::Clip { .. } => "clip",
        }
    }

    /// Checks that every parameter lies in its range.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first parameter that does not.
    pub fn validate(&self) -> Result<()> {
        let model = self.name();
        let ensure = |ok: bool, parameter, got: f64, expected| {
            if ok && (got as f32).is_finite() {
                Ok(())
            } else {
                Err(Error::Parameter { model, parameter, expected, got })
            }
        };
        let at_least_zero = |parameter, got: f64| {
            ensure(got >= 0.0, parameter, got, "a finite number of at least 0")
        };
        let share = |parameter, got: f64| {
            ensure((0.0..=1.0).contains(&got), parameter, got, "between 0 and 1")
        };
        match *self {
            Self::Gaussian { sigma } => at_least_zero("sigma", sigma),
            Self::Stripe { fraction, intensity } => {
                at_least_zero("intensity", intensity)?;
                share("fraction", fraction)
            }
            Self::DeadLine { fraction } | Self::Impulse { fraction } => share("fraction", fraction),
            Self::Poisson { peak } => ensure(peak > 0.0, "peak", peak, "a finite number above 0"),
            Self::NonIid { sigma_min, sigma_max } => {
                at_least_zero("sigma_min", sigma_min)?;
                let expected = "a finite number of at least sigma_min";
                ensure(sigma_max >= sigma_min, "sigma_max", sigma_max, expected)
            }
            Self::Snr { snr_db } => {
                ensure(snr_db.abs() <= 300.0, "snr_db", snr_db, "between -300 and 300 dB")
            }
            Self::Clip { min, max } => {
                ensure(true, "min", min, "a finite number")?;
                ensure(max > min, "max", max, "a finite number above min")
            }
        }
    }
}
