//! Which head, and how large.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Factor by which the convolutional heads upsample: the only patch size that they serve.
pub(crate) const UPSAMPLING: usize = 4;

/// The published heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeadKind {
    /// One linear layer from a token to its patch, [`FcHead`](crate::FcHead).
    Fc,
    /// Upsampling and two convolutions, [`ConvHead`](crate::ConvHead).
    Conv,
    /// Upsampling and three residual blocks, [`ResidualHead`](crate::ResidualHead).
    Residual,
    /// Upsampling and a U-Net of two levels, [`UnetHead`](crate::UnetHead).
    Unet,
}

impl HeadKind {
    /// All heads, in the order of their size.
    pub const ALL: [Self; 4] = [Self::Fc, Self::Conv, Self::Residual, Self::Unet];

    /// Name on the command line and in config files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fc => "fc",
            Self::Conv => "conv",
            Self::Residual => "residual",
            Self::Unet => "unet",
        }
    }

    /// The published width of the hidden layers; none where the head has no hidden layer of a
    /// width of its own.
    pub fn default_width(self) -> Option<usize> {
        match self {
            Self::Fc | Self::Residual => None,
            Self::Conv => Some(512),
            Self::Unet => Some(256),
        }
    }
}

impl fmt::Display for HeadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for HeadKind {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == s);
        found.ok_or_else(|| Error::UnknownKind { got: s.to_owned() })
    }
}

/// Kind and sizes of a head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadConfig {
    /// Which of the published heads.
    pub kind: HeadKind,
    /// Width of the encoder: channels of the features.
    pub embed_dim: usize,
    /// Bands of the image that comes out.
    pub bands: usize,
    /// Side of a patch of the encoder, in pixels: every feature becomes that many rows and columns.
    pub patch_size: usize,
    /// Width of the hidden layers of `conv` and of the first level of `unet` (its second level is
    /// twice as wide); [`HeadKind::default_width`] if not given. `fc` and `residual` have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
}

impl HeadConfig {
    /// The sizes of the published denoising models: width 384, 202 bands, patch size 4.
    pub fn published(kind: HeadKind) -> Self {
        Self { kind, embed_dim: 384, bands: 202, patch_size: UPSAMPLING, width: None }
    }

    /// Checks that a head of this config can be built.
    ///
    /// # Errors
    /// [`Error::ZeroSize`] for a size of zero, [`Error::PatchSize`] for a patch size that the head
    /// cannot serve, [`Error::NoWidth`] for a width given to a head without one, and
    /// [`Error::TooLarge`] if the parameters could not be counted.
    pub fn validate(&self) -> Result<()> {
        self.parameter_count().map(|_| ())
    }

    /// Number of parameters of the head, all of them trainable.
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub fn parameter_count(&self) -> Result<usize> {
        let sizes = [
            ("embed_dim", self.embed_dim),
            ("bands", self.bands),
            ("patch_size", self.patch_size),
            ("width", self.width.unwrap_or(1)),
        ];
        if let Some((field, _)) = sizes.into_iter().find(|(_, size)| *size == 0) {
            return Err(Error::ZeroSize { field });
        }
        if self.kind != HeadKind::Fc && self.patch_size != UPSAMPLING {
            return Err(Error::PatchSize {
                kind: self.kind,
                expected: UPSAMPLING,
                got: self.patch_size,
            });
        }
        if let (None, Some(got)) = (self.kind.default_width(), self.width) {
            return Err(Error::NoWidth { kind: self.kind, got });
        }
        self.layers()
            .and_then(|layers| {
                layers.into_iter().try_fold(0usize, |sum, (inputs, outputs, taps)| {
                    let weight = inputs.checked_mul(outputs)?.checked_mul(taps)?;
                    sum.checked_add(weight)?.checked_add(outputs)
                })
            })
            // Eight bytes a number at most: a tensor has to fit in the address space.
            .filter(|count| *count <= isize::MAX as usize / 8)
            .ok_or(Error::TooLarge { kind: self.kind })
    }

    /// The width that is used: the one given, or the published one.
    pub(crate) fn hidden(&self) -> usize {
        self.width.or(self.kind.default_width()).unwrap_or(self.bands)
    }

    /// Inputs, outputs and kernel taps of every layer; none if a size overflows.
    fn layers(&self) -> Option<Vec<(usize, usize, usize)>> {
        let (d, c, w) = (self.embed_dim, self.bands, self.hidden());
        Some(match self.kind {
            HeadKind::Fc => {
                let pixels = self.patch_size.checked_mul(self.patch_size)?;
                vec![(d, c.checked_mul(pixels)?, 1)]
            }
            HeadKind::Conv => vec![(d, w, 9), (w, c, 9)],
            HeadKind::Residual => {
                let mut layers = vec![(d, c, 9)];
                layers.extend([(c, c, 9); 6]);
                layers
            }
            HeadKind::Unet => {
                let (w2, w3) = (w.checked_mul(2)?, w.checked_mul(3)?);
                vec![
                    (d, w, 9),
                    (w, w, 9),
                    (w, w2, 9),
                    (w2, w2, 9),
                    (w2, w2, 9),
                    (w2, w2, 4),
                    (w3, w, 9),
                    (w, w, 4),
                    (w2, w, 9),
                    (w, c, 9),
                ]
            }
        })
    }
}
