//! Noise models applied one after the other.

use std::fmt;

use ndarray::parallel::prelude::*;
use ndarray::{Array3, ArrayBase, ArrayView3, Axis, DataMut, Ix3};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::kernel::Prepared;
use crate::model::{CLIP, STRIPE_FRACTION, STRIPE_INTENSITY};
use crate::stream::Address;
use crate::{NoiseModel, Result};

/// Noise models in the order in which they are applied.
///
/// The command-line form is `paper`, `none`, or models joined by `+`, such as
/// `gaussian:0.05+stripe:0.5+clip`; a configuration file may hold this text or a list whose
/// entries are such texts or maps (`{ kind: gaussian, sigma: 0.05 }`). It is written as the text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NoisePipeline(pub Vec<NoiseModel>);

impl NoisePipeline {
    /// Returns the pipeline that changes nothing.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// Returns the published mixed noise: Gaussian of sigma 0.27, then stripes on 40 % of the
    /// columns with offsets of up to 0.5, then a clip to [0, 1].
    pub fn paper() -> Self {
        Self::paper_with(0.27, STRIPE_INTENSITY)
    }

    /// Returns the published mixed noise with another Gaussian sigma and stripe intensity.
    pub fn paper_with(sigma: f64, intensity: f64) -> Self {
        Self(vec![
            NoiseModel::Gaussian { sigma },
            NoiseModel::Stripe { fraction: STRIPE_FRACTION, intensity },
            NoiseModel::Clip { min: CLIP.0, max: CLIP.1 },
        ])
    }

    /// Checks the parameters of every model.
    ///
    /// # Errors
    /// [`Error::Parameter`](crate::Error::Parameter) for the first parameter out of its range.
    pub fn validate(&self) -> Result<()> {
        self.0.iter().try_for_each(NoiseModel::validate)
    }

    /// Returns a noisy copy of a cube, in standard layout.
    ///
    /// The noise depends on the shape, `seed`, `index` and the position of each model alone: not
    /// on the number of threads, nor on what was drawn before. `index` names the sample within a
    /// data set. An empty cube is returned as it is.
    ///
    /// # Shapes
    /// `clean` and the result: `[bands, rows, cols]`.
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub fn apply(&self, clean: ArrayView3<'_, f32>, seed: u64, index: u64) -> Result<Array3<f32>> {
        self.validate()?;
        let mut noisy = clean.as_standard_layout().into_owned();
        self.apply_in_place(&mut noisy, seed, index)?;
        Ok(noisy)
    }

    /// Adds the noise to a cube in place; otherwise as [`apply`](Self::apply).
    ///
    /// # Shapes
    /// `cube`: `[bands, rows, cols]`, in any memory layout, which does not change the result.
    ///
    /// # Errors
    /// As [`validate`](Self::validate); the cube is unchanged then.
    pub fn apply_in_place<S>(
        &self,
        cube: &mut ArrayBase<S, Ix3>,
        seed: u64,
        index: u64,
    ) -> Result<()>
    where
        S: DataMut<Elem = f32>,
    {
        self.validate()?;
        let cols = cube.dim().2;
        let models: Vec<Prepared> = (0u64..)
            .zip(&self.0)
            .map(|(position, model)| Prepared::new(*model, Address { seed, index, position }, cols))
            .collect();
        cube.view_mut().axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(
            |(band, mut values)| {
                for model in &models {
                    model.apply(band, values.view_mut());
                }
            },
        );
        Ok(())
    }
}

impl From<NoiseModel> for NoisePipeline {
    fn from(model: NoiseModel) -> Self {
        Self(vec![model])
    }
}

impl Serialize for NoisePipeline {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NoisePipeline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(PipelineVisitor)
    }
}

/// Reads a pipeline from text, a list, one map, or nothing.
struct PipelineVisitor;

impl<'de> Visitor<'de> for PipelineVisitor {
    type Value = NoisePipeline;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a noise description such as `paper`, or a list of noise models")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> std::result::Result<Self::Value, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> std::result::Result<Self::Value, A::Error> {
        let parts = Vec::<Part>::deserialize(SeqAccessDeserializer::new(list))?;
        Ok(NoisePipeline(parts.into_iter().flat_map(|part| part.0.0).collect()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<Self::Value, A::Error> {
        let model = NoiseModel::deserialize(MapAccessDeserializer::new(map))?;
        model.validate().map_err(serde::de::Error::custom)?;
        Ok(model.into())
    }
}

/// One entry of a list: text or a map, but not another list.
struct Part(NoisePipeline);

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(PartVisitor).map(Self)
    }
}

struct PartVisitor;

impl<'de> Visitor<'de> for PartVisitor {
    type Value = NoisePipeline;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a noise model, as text or as a map with the key `kind`")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> std::result::Result<Self::Value, E> {
        PipelineVisitor.visit_str(text)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<Self::Value, A::Error> {
        PipelineVisitor.visit_map(map)
    }
}
