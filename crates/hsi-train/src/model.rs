//! The denoising model: an encoder and a head under one roof.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use denoise_heads::{Head, HeadConfig};
use grad_ops::{Dense, LinearFactory};
use mae_vit::{Encoder, MaeConfig, VitConfig, sin_cos_positions};
use ndarray::{Array3, ArrayView3};
use serde::{Deserialize, Serialize};

use crate::params::{ParamStore, Policy};
use crate::{Error, Result};

/// How a model is adapted to denoising.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Method {
    /// All parameters are trained.
    Full,
    /// The encoder is fixed, the head is trained.
    Frozen,
}

impl Method {
    /// All methods.
    pub const ALL: [Self; 2] = [Self::Full, Self::Frozen];

    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Frozen => "frozen",
        }
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Method {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|method| method.name() == text).ok_or_else(|| Error::Setting {
            name: "method",
            expected: "one of `full`, `frozen`".to_owned(),
            got: text.to_owned(),
        })
    }
}

/// What a denoising model is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// The encoder.
    pub encoder: VitConfig,
    /// The head.
    pub head: HeadConfig,
    /// How it is adapted.
    pub method: Method,
}

impl ModelConfig {
    /// Checks that the parts are valid and fit each other.
    ///
    /// # Errors
    /// When a part is not valid, or the head asks for other features than the encoder gives.
    pub fn validate(&self) -> Result<()> {
        let (size, patch) = (self.encoder.image_size, self.encoder.patch_size);
        if patch == 0 || !size.is_multiple_of(patch) {
            return Err(Error::PatchGrid { rows: size, cols: size, patch });
        }
        self.encoder.validate()?;
        self.head.validate()?;
        let pairs = [
            ("head.embed_dim", self.encoder.dim, self.head.embed_dim),
            ("head.bands", self.encoder.in_channels, self.head.bands),
            ("head.patch_size", self.encoder.patch_size, self.head.patch_size),
        ];
        for (name, expected, got) in pairs {
            if expected != got {
                return Err(Error::Setting {
                    name,
                    expected: format!("{expected} as in the encoder"),
                    got: got.to_string(),
                });
            }
        }
        Ok(())
    }

    /// An empty store for the parameters, with the policy of the method.
    pub fn params(&self, seed: u64, dtype: DType, device: &Device) -> ParamStore {
        let (method, encoder) = (self.method, self.encoder.clone());
        let policy: Policy = Arc::new(move |name| {
            let trained = match method {
                Method::Full => true,
                Method::Frozen => name.starts_with(HEAD),
            };
            trained && !encoder.is_fixed(name)
        });
        ParamStore::new(seed, dtype, device, policy)
    }
}

/// Prefix of the names of the encoder's parameters.
pub const ENCODER: &str = "encoder.";
/// Prefix of the names of the head's parameters.
pub const HEAD: &str = "head.";

/// A store for the parameters of a masked autoencoder: all trained but fixed positions, which the
/// store holds already, so that a checkpoint has them as MAE's own files do.
///
/// # Errors
/// When the configuration is not valid.
pub fn pretraining_params(
    config: &MaeConfig,
    seed: u64,
    dtype: DType,
    device: &Device,
) -> Result<ParamStore> {
    config.validate()?;
    let encoder = config.encoder.clone();
    let policy: Policy = Arc::new(move |name| !encoder.is_fixed(name));
    let params = ParamStore::new(seed, dtype, device, policy);
    let widths = [("pos_embed", config.encoder.dim), ("decoder_pos_embed", config.decoder_dim)];
    for (name, dim) in widths {
        if config.encoder.is_fixed(name) {
            let positions = sin_cos_positions(dim, config.encoder.grid(), dtype, device)?;
            params.provide([(name.to_owned(), positions)]);
        }
    }
    Ok(params)
}

/// A vision transformer encoder and a head that turns its features into an image.
#[derive(Debug)]
pub struct DenoisingModel {
    config: ModelConfig,
    encoder: Encoder,
    head: Box<dyn Head>,
    device: Device,
}

impl DenoisingModel {
    /// Builds the model from the parameters of a store, with plain linear layers.
    ///
    /// # Errors
    /// When the configuration is not valid or a provided tensor does not fit.
    pub fn new(config: &ModelConfig, params: &ParamStore) -> Result<Self> {
        Self::with_factory(config, &Dense, params.builder())
    }

    /// Builds the model with the linear layers of a factory.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_factory(
        config: &ModelConfig,
        factory: &dyn LinearFactory,
        vb: VarBuilder<'_>,
    ) -> Result<Self> {
        config.validate()?;
        Ok(Self {
            config: config.clone(),
            encoder: Encoder::new(&config.encoder, factory, vb.pp("encoder"))?,
            head: denoise_heads::build(&config.head, vb.pp("head"))?,
            device: vb.device().clone(),
        })
    }

    /// Puts another head on the encoder.
    ///
    /// # Errors
    /// When the configuration is not valid or a provided tensor does not fit.
    pub fn with_head(
        config: &ModelConfig,
        factory: &dyn LinearFactory,
        vb: VarBuilder<'_>,
        head: Box<dyn Head>,
    ) -> Result<Self> {
        config.encoder.validate()?;
        let encoder = Encoder::new(&config.encoder, factory, vb.pp("encoder"))?;
        Ok(Self { config: config.clone(), encoder, head, device: vb.device().clone() })
    }

    /// What the model is made of.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Where the parameters are kept.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The encoder.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Estimates clean images from noisy ones, both on the [0, 1] scale.
    ///
    /// # Shapes
    /// - `noisy`: `(batch, band, row, col)`, of the image size of the encoder
    /// - output: the same
    ///
    /// # Errors
    /// When the shape is another one.
    pub fn forward_t(&self, noisy: &Tensor, train: bool) -> Result<Tensor> {
        let features = self.encoder.forward_t(noisy, train)?;
        Ok(self.head.forward_t(&features.map()?, train)?)
    }
}

/// Applies a model to one image of exactly its size; [`crate::Restorer`] takes any size.
///
/// # Shapes
/// - `noisy`, output: `[bands, rows, cols]`, on the [0, 1] scale
///
/// # Errors
/// When the shape is another one.
pub fn apply(model: &DenoisingModel, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
    let shape = noisy.dim();
    let (bands, rows, cols) = shape;
    let values: Vec<f32> = noisy.iter().copied().collect();
    let device = model.device();
    let batch = Tensor::from_vec(values, (1, bands, rows, cols), device)?;
    let estimate = model.forward_t(&batch, false)?.to_dtype(DType::F32)?;
    let values = estimate.flatten_all()?.to_vec1::<f32>()?;
    let expected = bands * rows * cols;
    Array3::from_shape_vec(shape, values).map_err(|_| Error::Setting {
        name: "output of the head",
        expected: format!("{expected} values"),
        got: format!("{:?}", estimate.dims()),
    })
}
