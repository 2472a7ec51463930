//! The moments of a parameter, exact or in 8 bits.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Tensor, Var};
use grad_ops::AdamWStep;
use quant_nf4::AdamW8bitState;

use crate::{Error, Result};

/// Running means of the gradient and of its square.
#[derive(Debug)]
pub(crate) enum Moments {
    Exact { mean: Var, square: Var },
    EightBit(AdamW8bitState),
}

impl Moments {
    /// Moments of zero.
    pub(crate) fn new(var: &Var, eight_bit: bool) -> Result<Self> {
        if !eight_bit {
            let zeros = || Var::zeros(var.shape(), var.dtype(), var.device());
            return Ok(Self::Exact { mean: zeros()?, square: zeros()? });
        }
        if !var.device().is_cpu() {
            return Err(Error::Setting {
                name: "optimizer",
                expected: "`adamw` on this device: 8-bit moments are on the CPU only".to_owned(),
                got: "adamw8bit".to_owned(),
            });
        }
        Ok(Self::EightBit(AdamW8bitState::new(var.dims())?))
    }

    /// Updates the parameter and its moments.
    pub(crate) fn step(&mut self, var: &Var, gradient: &Tensor, step: &AdamWStep) -> Result<()> {
        match self {
            Self::Exact { mean, square } => {
                Ok(grad_ops::adamw_step(var, gradient, mean, square, step)?)
            }
            Self::EightBit(state) => Ok(state.step(var, gradient, step)?),
        }
    }

    /// Bytes that are held.
    pub(crate) fn stored_bytes(&self) -> usize {
        match self {
            Self::Exact { mean, square } => {
                let bytes = |var: &Var| var.elem_count() * var.dtype().size_in_bytes();
                bytes(mean) + bytes(square)
            }
            Self::EightBit(state) => state.stored_bytes(),
        }
    }

    /// The tensors to be saved, by the end of their names.
    pub(crate) fn tensors(&self) -> Result<Vec<(&'static str, Tensor)>> {
        match self {
            Self::Exact { mean, square } => Ok(vec![
                ("exp_avg", mean.as_tensor().clone()),
                ("exp_avg_sq", square.as_tensor().clone()),
            ]),
            Self::EightBit(state) => Ok(state.tensors()?),
        }
    }

    /// Takes the saved tensors of the parameter `name` back.
    pub(crate) fn load(
        &mut self,
        name: &str,
        var: &Var,
        saved: &HashMap<String, Tensor>,
        source: &Path,
    ) -> Result<()> {
        let missing = |missing: String| Error::CheckpointNames {
            path: source.to_path_buf(),
            missing: vec![missing],
            unexpected: Vec::new(),
        };
        match self {
            Self::Exact { mean, square } => {
                for (suffix, moment) in [("exp_avg", mean), ("exp_avg_sq", square)] {
                    let name = format!("{name}.{suffix}");
                    let Some(saved) = saved.get(&name) else { return Err(missing(name)) };
                    if saved.shape() != moment.shape() {
                        return Err(Error::ParameterShape {
                            name,
                            expected: moment.dims().to_vec(),
                            got: saved.dims().to_vec(),
                        });
                    }
                    moment.set(saved)?;
                }
            }
            Self::EightBit(state) => {
                let fetch = |suffix: &str| saved.get(&format!("{name}.{suffix}")).cloned();
                *state =
                    AdamW8bitState::from_tensors(var.dims(), fetch).map_err(
                        |error| match error {
                            quant_nf4::Error::Missing { key } => missing(format!("{name}.{key}")),
                            other => other.into(),
                        },
                    )?;
            }
        }
        Ok(())
    }
}
