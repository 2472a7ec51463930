//! Methods one after the other.

use ndarray::{Array3, ArrayView3};

use crate::{Denoiser, Result};

/// Stages that a cube goes through in turn, such as `destripe+hyres`.
#[derive(Debug)]
pub struct Chain {
    name: String,
    stages: Vec<Box<dyn Denoiser>>,
}

impl Chain {
    /// Puts stages together under a name; without stages a cube stays as it is.
    pub fn new(name: impl Into<String>, stages: Vec<Box<dyn Denoiser>>) -> Self {
        Self { name: name.into(), stages }
    }

    /// Returns the stages in their order.
    pub fn stages(&self) -> &[Box<dyn Denoiser>] {
        &self.stages
    }
}

impl Denoiser for Chain {
    fn name(&self) -> &str {
        &self.name
    }

    fn denoise(&self, noisy: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        self.refine(noisy, noisy)
    }

    fn refine(
        &self,
        estimate: ArrayView3<'_, f32>,
        noisy: ArrayView3<'_, f32>,
    ) -> Result<Array3<f32>> {
        let Some((first, rest)) = self.stages.split_first() else {
            return Ok(estimate.to_owned());
        };
        let mut current = first.refine(estimate, noisy)?;
        for stage in rest {
            current = stage.refine(current.view(), noisy)?;
        }
        Ok(current)
    }
}
