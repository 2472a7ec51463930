//! The denoising model: an encoder and a head under one roof.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use denoise_heads::{Head, HeadConfig};
use grad_ops::LinearFactory;
use mae_vit::{Encoder, MaeConfig, VitConfig, sin_cos_positions};
use ndarray::{Array3, ArrayView3};
use peft_lora::{LoraConfig, LoraFactory, Moment};
use serde::{Deserialize, Serialize};

use crate::frozen::FrozenLayers;
use crate::method::{Method, Precision, Quantization, is_block_linear};
use crate::params::{ParamStore, Policy, Role};
use crate::{Error, Result};

/// What a denoising model is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// The encoder.
    pub encoder: VitConfig,
    /// The head.
    pub head: HeadConfig,
    /// How it is adapted.
    pub method: Method,
    /// The adapters of [`Method::Lora`] and [`Method::Qlora`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraConfig>,
    /// How frozen weights are quantised: [`Method::Qlora`] asks for it, [`Method::Frozen`] allows
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantization: Option<Quantization>,
    /// Number type of the frozen weights that are not quantised.
    #[serde(default, skip_serializing_if = "Precision::is_f32")]
    pub precision: Precision,
}

impl ModelConfig {
    /// A model with what the method needs by default: adapters of rank 8 on query, key, value and
    /// projection, NF4 with double quantisation.
    pub fn new(encoder: VitConfig, head: HeadConfig, method: Method) -> Self {
        let lora = method.has_adapters().then(|| LoraConfig::rank(8));
        let quantization = (method == Method::Qlora).then(Quantization::default);
        Self { encoder, head, method, lora, quantization, precision: Precision::F32 }
    }

    /// Checks that the parts are valid and fit each other and the method.
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
        self.validate_method()
    }

    fn validate_method(&self) -> Result<()> {
        let method = self.method;
        let check = |name, given: bool, wanted: Option<bool>| match wanted {
            Some(wanted) if wanted != given => {
                let expected = if wanted { "given" } else { "left out" };
                let expected = format!("{expected} with the method `{method}`");
                let got = if given { "settings" } else { "nothing" }.to_owned();
                Err(Error::Setting { name, expected, got })
            }
            _ => Ok(()),
        };
        check("lora", self.lora.is_some(), Some(method.has_adapters()))?;
        let quantized = match method {
            Method::Qlora => Some(true),
            Method::Frozen => None,
            Method::Full | Method::Lora => Some(false),
        };
        check("quantization", self.quantization.is_some(), quantized)?;
        if method == Method::Full && self.precision != Precision::F32 {
            return Err(Error::Setting {
                name: "dtype",
                expected: "`f32` with the method `full`, which has no frozen weights".to_owned(),
                got: self.precision.name().to_owned(),
            });
        }
        if let Some(lora) = &self.lora {
            lora.validate()?;
        }
        if let Some(quantization) = &self.quantization {
            quantization.config.validate()?;
        }
        Ok(())
    }

    /// An empty store for the parameters, with the roles that the method gives them.
    pub fn params(&self, seed: u64, dtype: DType, device: &Device) -> ParamStore {
        let config = self.clone();
        let policy: Policy = Arc::new(move |name| config.role(name));
        ParamStore::new(seed, dtype, device, policy)
    }

    /// What becomes of the parameter of this name.
    fn role(&self, name: &str) -> Role {
        let adapted = |name| self.lora.as_ref().is_some_and(|lora| lora.trains(name));
        let trained = match self.method {
            Method::Full => true,
            Method::Frozen => name.starts_with(HEAD),
            Method::Lora | Method::Qlora => name.starts_with(HEAD) || adapted(name),
        };
        let packed = |path: &str| path.starts_with(ENCODER) && self.packs(path);
        if trained && !self.encoder.is_fixed(name) {
            Role::Trained
        } else if name.strip_suffix(".weight").is_some_and(packed) {
            Role::Passing
        } else {
            Role::Fixed
        }
    }

    /// Whether the weight of the linear layer at this path is kept in another form than `f32`.
    fn packs(&self, path: &str) -> bool {
        self.quantization.is_some_and(|quantization| quantization.modules.selects(path))
            || (self.precision == Precision::Bf16 && is_block_linear(path))
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
    let policy: Policy =
        Arc::new(move |name| if encoder.is_fixed(name) { Role::Fixed } else { Role::Trained });
    let params = ParamStore::new(seed, dtype, device, policy);
    let widths = [("pos_embed", config.encoder.dim), ("decoder_pos_embed", config.decoder_dim)];
    for (name, dim) in widths {
        if config.encoder.is_fixed(name) {
            let positions = sin_cos_positions(dim, config.encoder.grid(), dtype, device)?;
            params.provide([(name.to_owned(), positions)])?;
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
    moment: Moment,
    device: Device,
}

impl DenoisingModel {
    /// Builds the model from the parameters of a store: frozen weights are kept as the
    /// configuration says, adapters put over them.
    ///
    /// # Errors
    /// When the configuration is not valid, a tensor that was provided does not fit or cannot be
    /// quantised, or a target of the adapters is no layer of the encoder.
    pub fn new(config: &ModelConfig, params: &ParamStore) -> Result<Self> {
        config.validate()?;
        let frozen = FrozenLayers::new(config, params)?;
        let moment = Moment::new();
        let mut model = match &config.lora {
            None => Self::with_factory(config, frozen.factory(), params.builder())?,
            Some(lora) => {
                let (base, seed) = (frozen.factory(), params.seed());
                let adapted = LoraFactory::new(base, lora.clone(), seed, moment.clone())?;
                let model = Self::with_factory(config, &adapted, params.builder())?;
                adapted.check_targets()?;
                model
            }
        };
        model.moment = moment;
        params.keep_packed(frozen.packed()?);
        Ok(model)
    }

    /// Builds the model with the linear layers of a factory.
    ///
    /// # Errors
    /// When the configuration is not valid or a provided tensor does not fit.
    pub fn with_factory(
        config: &ModelConfig,
        factory: &dyn LinearFactory,
        vb: VarBuilder<'_>,
    ) -> Result<Self> {
        config.validate()?;
        let encoder = Encoder::new(&config.encoder, factory, vb.pp("encoder"))?;
        let head = denoise_heads::build(&config.head, vb.pp("head"))?;
        Ok(Self::assemble(config, encoder, head, &vb))
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
        Ok(Self::assemble(config, encoder, head, &vb))
    }

    fn assemble(
        config: &ModelConfig,
        encoder: Encoder,
        head: Box<dyn Head>,
        vb: &VarBuilder<'_>,
    ) -> Self {
        let (moment, device) = (Moment::new(), vb.device().clone());
        Self { config: config.clone(), encoder, head, moment, device }
    }

    /// The address of the masks of dropout: to be set before every forward pass of training.
    pub fn moment(&self) -> &Moment {
        &self.moment
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
