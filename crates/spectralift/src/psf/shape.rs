//! The formulas of the point spread functions.

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::bessel::k1;
use crate::{Error, Result};

/// First zero of the Bessel function `J1`: the first dark ring of an Airy disc.
const J1_ZERO: f64 = 3.831_705_970_207_512_3;
/// The constant of the published `airy`.
const PUBLISHED_AIRY: f64 = 2.338_11;
/// Highest order of [`PsfShape::Hermite`].
const MAX_ORDER: u32 = 60;

/// Shape of a point spread function: a function of the distance `r` from the centre in pixels, or
/// of the offsets `x` (columns) and `y` (rows), and of a width `sigma`.
///
/// All but [`AiryDisc`](Self::AiryDisc) are the published ones, with their peculiarities.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "shape")]
#[non_exhaustive]
pub enum PsfShape {
    /// `exp(-r² / 2σ²)`.
    Gaussian,
    /// `exp(-(r/σ)^(5/3))`: long exposure through turbulent air.
    Kolmogorov,
    /// `(2 K1(z) / z)²` with `z = 2.33811 r/σ`, and 1 at the centre.
    ///
    /// The published kernel of this name. It has the modified Bessel function of the second kind
    /// where diffraction has `J1`, and is a narrow ring: at σ = 3.4 the four neighbours of the
    /// centre have ten times its weight. [`AiryDisc`](Self::AiryDisc) is the diffraction pattern.
    Airy,
    /// `(2 J1(z) / z)²` with `z = 3.8317 r/σ`: diffraction at a circular aperture, the first dark
    /// ring at `r = σ`.
    AiryDisc,
    /// `(1 + (r/σ)²)^-β`.
    Moffat {
        /// How fast the wings fall, above 0; published: 3.5.
        beta: f64,
    },
    /// `sin(πr/σ) / (πr/σ)`: has negative rings.
    Sinc,
    /// `1 / (1 + (r/σ)⁴)`.
    Lorentzian2,
    /// `exp(-r² / 2σ²) H_n(r/σ)` with the physicists' Hermite polynomial. The published order 1
    /// is a ring that is zero at the centre.
    Hermite {
        /// Order `n` of the polynomial, 0 to 60; published: 1.
        order: u32,
    },
    /// `max(0, 1 - (r/σ)²)`: zero from `r = σ` on.
    Parabolic,
    /// `exp(-(x'² + γ²y'²) / 2σ²) cos(2πx'/λ + ψ)` with `x' = x cos θ + y sin θ` and
    /// `y' = -x sin θ + y cos θ`. With the published wavelength of one pixel the cosine is 1 at
    /// every pixel: a Gaussian, twice as wide across the columns' direction.
    Gabor {
        /// Direction θ in radians; published: 0.
        theta: f64,
        /// Wavelength λ in pixels, above 0; published: 1.
        lambda: f64,
        /// Aspect γ, above 0; published: 0.5.
        gamma: f64,
        /// Phase ψ in radians; published: 0.
        psi: f64,
    },
    /// 1 at the centre, 0 elsewhere; `sigma` plays no part.
    Delta,
}

impl PsfShape {
    /// Every shape with its published parameters.
    pub const ALL: [Self; 11] = [
        Self::Gaussian,
        Self::Kolmogorov,
        Self::Airy,
        Self::AiryDisc,
        Self::Moffat { beta: 3.5 },
        Self::Sinc,
        Self::Lorentzian2,
        Self::Hermite { order: 1 },
        Self::Parabolic,
        Self::Gabor { theta: 0.0, lambda: 1.0, gamma: 0.5, psi: 0.0 },
        Self::Delta,
    ];

    /// The name, as in configurations.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Gaussian => "gaussian",
            Self::Kolmogorov => "kolmogorov",
            Self::Airy => "airy",
            Self::AiryDisc => "airy-disc",
            Self::Moffat { .. } => "moffat",
            Self::Sinc => "sinc",
            Self::Lorentzian2 => "lorentzian2",
            Self::Hermite { .. } => "hermite",
            Self::Parabolic => "parabolic",
            Self::Gabor { .. } => "gabor",
            Self::Delta => "delta",
        }
    }

    /// Checks the parameters.
    pub(super) fn validate(&self) -> Result<()> {
        let positive = |name, value: f64| {
            if value.is_finite() && value > 0.0 {
                Ok(())
            } else {
                Err(Error::setting(name, "a number above 0", value))
            }
        };
        let finite = |name, value: f64| {
            if value.is_finite() {
                Ok(())
            } else {
                Err(Error::setting(name, "a finite number", value))
            }
        };
        match *self {
            Self::Moffat { beta } => positive("beta", beta),
            Self::Hermite { order } if order > MAX_ORDER => {
                Err(Error::setting("order", format!("at most {MAX_ORDER}"), order))
            }
            Self::Gabor { theta, lambda, gamma, psi } => {
                finite("theta", theta)?;
                positive("lambda", lambda)?;
                positive("gamma", gamma)?;
                finite("psi", psi)
            }
            _ => Ok(()),
        }
    }

    /// The value at an offset, before the kernel is normalised.
    pub(super) fn value(&self, x: f64, y: f64, sigma: f64) -> f64 {
        let r = x.hypot(y);
        let t = r / sigma;
        let gauss = |squared: f64| (-0.5 * squared / (sigma * sigma)).exp();
        match *self {
            Self::Gaussian => gauss(r * r),
            Self::Kolmogorov => (-t.powf(5.0 / 3.0)).exp(),
            Self::Delta => f64::from(u8::from(r == 0.0)),
            Self::Airy | Self::AiryDisc | Self::Sinc if r == 0.0 => 1.0,
            Self::Airy => {
                let z = PUBLISHED_AIRY * t;
                (2.0 * k1(z) / z).powi(2)
            }
            Self::AiryDisc => {
                let z = J1_ZERO * t;
                (2.0 * libm::j1(z) / z).powi(2)
            }
            Self::Moffat { beta } => (1.0 + t * t).powf(-beta),
            Self::Sinc => (PI * t).sin() / (PI * t),
            Self::Lorentzian2 => 1.0 / (1.0 + t.powi(4)),
            Self::Hermite { order } => gauss(r * r) * hermite(order, t),
            Self::Parabolic => (1.0 - t * t).max(0.0),
            Self::Gabor { theta, lambda, gamma, psi } => {
                let (sin, cos) = theta.sin_cos();
                let (along, across) = (x * cos + y * sin, y * cos - x * sin);
                let envelope = gauss(along * along + gamma * gamma * across * across);
                envelope * (2.0 * PI * along / lambda + psi).cos()
            }
        }
    }
}

/// The physicists' Hermite polynomial: `H_{n+1} = 2t H_n - 2n H_{n-1}`.
fn hermite(order: u32, t: f64) -> f64 {
    let (mut below, mut value) = (0.0, 1.0);
    for n in 0..order {
        (below, value) = (value, 2.0 * t * value - 2.0 * f64::from(n) * below);
    }
    value
}

impl fmt::Display for PsfShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for PsfShape {
    type Err = Error;

    /// The shape of a name with its published parameters; upper and lower case are the same.
    fn from_str(text: &str) -> Result<Self> {
        let name = text.trim().to_lowercase().replace('_', "-");
        Self::ALL.into_iter().find(|shape| shape.name() == name).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(Self::name).collect();
            Error::setting("psf-type", format!("one of {}", names.join(", ")), text)
        })
    }
}
