//! AdamW over groups of parameters, and what surrounds a step: accumulation and clipping.

use std::collections::HashMap;
use std::path::Path;

use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};
use grad_ops::AdamWStep;
use serde::{Deserialize, Serialize};

use crate::moments::Moments;
use crate::{Error, Result};

/// Settings of [`AdamW`], except the learning rates, which belong to the groups.
///
/// # References
/// Loshchilov and Hutter, *Decoupled Weight Decay Regularization*, ICLR 2019, arXiv:1711.05101.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AdamWConfig {
    /// Decay of the mean of the gradient.
    pub beta1: f64,
    /// Decay of the mean of its square.
    pub beta2: f64,
    /// Added to the denominator.
    pub eps: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Whether the moments are kept in 8 bits, block by block, as in bitsandbytes' `AdamW8bit`;
    /// those of parameters below 4096 elements stay numbers. On the CPU only.
    #[serde(default)]
    pub eight_bit: bool,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 1e-4, eight_bit: false }
    }
}

impl AdamWConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the first that cannot be used.
    pub fn validate(&self) -> Result<()> {
        let decay = |value: f64| (0.0..1.0).contains(&value);
        let checks = [
            ("beta1", self.beta1, "from 0 to below 1", decay(self.beta1)),
            ("beta2", self.beta2, "from 0 to below 1", decay(self.beta2)),
            ("eps", self.eps, "a positive number", self.eps.is_finite() && self.eps > 0.0),
            (
                "weight-decay",
                self.weight_decay,
                "a number, 0 or more",
                self.weight_decay.is_finite() && self.weight_decay >= 0.0,
            ),
        ];
        for (name, value, expected, valid) in checks {
            if !valid {
                let (expected, got) = (expected.to_owned(), value.to_string());
                return Err(Error::Setting { name, expected, got });
            }
        }
        Ok(())
    }
}

/// Parameters that share a learning rate.
#[derive(Debug, Clone)]
pub struct ParamGroup {
    /// Name of the group: `encoder`, `head`.
    pub name: String,
    /// Learning rate.
    pub learning_rate: f64,
    /// The parameters with their full names.
    pub params: Vec<(String, Var)>,
}

/// Splits parameters into groups by the longest matching prefix of their name.
///
/// # Errors
/// When a parameter matches no prefix, or a learning rate is not a positive number.
pub fn groups_by_prefix(
    params: Vec<(String, Var)>,
    rates: &[(&str, f64)],
) -> Result<Vec<ParamGroup>> {
    let mut groups: Vec<ParamGroup> = Vec::new();
    for &(prefix, learning_rate) in rates {
        if !(learning_rate.is_finite() && learning_rate > 0.0) {
            return Err(Error::Setting {
                name: "learning-rate",
                expected: "a positive number".to_owned(),
                got: learning_rate.to_string(),
            });
        }
        groups.push(ParamGroup { name: prefix.to_owned(), learning_rate, params: Vec::new() });
    }
    for (name, var) in params {
        let group = groups
            .iter_mut()
            .filter(|group| name.starts_with(&group.name))
            .max_by_key(|group| group.name.len());
        match group {
            Some(group) => group.params.push((name, var)),
            None => {
                return Err(Error::Setting {
                    name: "parameter groups",
                    expected: "prefixes of all parameters".to_owned(),
                    got: name,
                });
            }
        }
    }
    groups.retain(|group| !group.params.is_empty());
    Ok(groups)
}

#[derive(Debug)]
struct Slot {
    name: String,
    var: Var,
    moments: Moments,
    gradient: Option<Tensor>,
    learning_rate: f64,
}

/// AdamW with decoupled weight decay, as `torch.optim.AdamW`.
///
/// Gradients are collected with [`AdamW::accumulate`] over any number of backward passes and used
/// by [`AdamW::step`].
#[derive(Debug)]
pub struct AdamW {
    config: AdamWConfig,
    slots: Vec<Slot>,
    steps: usize,
    /// Factor on all learning rates, for schedules.
    pub rate_factor: f64,
}

impl AdamW {
    /// Makes an optimiser over the groups.
    ///
    /// # Errors
    /// When a setting cannot be used or the moments cannot be allocated.
    pub fn new(groups: Vec<ParamGroup>, config: AdamWConfig) -> Result<Self> {
        config.validate()?;
        let mut slots = Vec::new();
        for group in groups {
            for (name, var) in group.params {
                slots.push(Slot {
                    moments: Moments::new(&var, config.eight_bit)?,
                    gradient: None,
                    learning_rate: group.learning_rate,
                    name,
                    var,
                });
            }
        }
        Ok(Self { config, slots, steps: 0, rate_factor: 1.0 })
    }

    /// Adds the gradients of a backward pass to those collected since the last step.
    ///
    /// A parameter that the loss does not depend on keeps what it has.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn accumulate(&mut self, mut grads: GradStore) -> Result<()> {
        for slot in &mut self.slots {
            if let Some(new) = grads.remove(slot.var.as_tensor()) {
                slot.gradient = Some(match slot.gradient.take() {
                    Some(sum) => (sum + new)?,
                    None => new,
                });
            }
        }
        Ok(())
    }

    /// Euclidean norm of all collected gradients.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn gradient_norm(&self) -> Result<f64> {
        let gradients: Vec<Tensor> =
            self.slots.iter().filter_map(|slot| slot.gradient.clone()).collect();
        Ok(grad_ops::global_norm(&gradients)?)
    }

    /// Updates the parameters with the collected gradients, each times `grad_scale`, and forgets
    /// these.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn step(&mut self, grad_scale: f64) -> Result<()> {
        self.steps += 1;
        for slot in &mut self.slots {
            let Some(gradient) = slot.gradient.take() else {
                continue;
            };
            let step = AdamWStep {
                lr: slot.learning_rate * self.rate_factor,
                beta1: self.config.beta1,
                beta2: self.config.beta2,
                eps: self.config.eps,
                weight_decay: self.config.weight_decay,
                step: self.steps,
                grad_scale,
            };
            slot.moments.step(&slot.var, &gradient, &step)?;
        }
        Ok(())
    }

    /// Steps made so far.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Bytes of the moments.
    pub fn state_bytes(&self) -> usize {
        self.slots.iter().map(|slot| slot.moments.stored_bytes()).sum()
    }

    /// Bytes of one gradient for each parameter.
    pub fn gradient_bytes(&self) -> usize {
        let bytes = |var: &Var| var.elem_count() * var.dtype().size_in_bytes();
        self.slots.iter().map(|slot| bytes(&slot.var)).sum()
    }

    /// Bytes of the gradients collected now.
    pub(crate) fn collected_bytes(&self) -> usize {
        let gradients = self.slots.iter().filter_map(|slot| slot.gradient.as_ref());
        gradients.map(|gradient| gradient.elem_count() * gradient.dtype().size_in_bytes()).sum()
    }

    /// The moments, to be saved: `<parameter>.exp_avg` and `<parameter>.exp_avg_sq`; in 8 bits
    /// `<parameter>.state1` and so on, as bitsandbytes names them.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn state(&self) -> Result<HashMap<String, Tensor>> {
        let mut state = HashMap::new();
        for slot in &self.slots {
            let own = slot.moments.tensors()?.into_iter();
            state.extend(own.map(|(suffix, tensor)| (format!("{}.{suffix}", slot.name), tensor)));
        }
        Ok(state)
    }

    /// Takes saved moments back.
    ///
    /// # Errors
    /// When a moment is missing or has another shape.
    pub fn load_state(
        &mut self,
        state: &HashMap<String, Tensor>,
        steps: usize,
        source: &Path,
    ) -> Result<()> {
        for slot in &mut self.slots {
            slot.moments.load(&slot.name, &slot.var, state, source)?;
        }
        self.steps = steps;
        Ok(())
    }
}

/// The factor that brings a gradient of this norm down to `max_norm`, 1 where it is below.
pub(crate) fn clip_factor(norm: f64, max_norm: Option<f64>) -> f64 {
    match max_norm {
        Some(max_norm) if norm > max_norm => max_norm / norm,
        _ => 1.0,
    }
}

/// Stops when the validation loss has not fallen by `min_delta` for `patience` epochs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EarlyStopping {
    /// Epochs without improvement that are borne; 0 never stops.
    pub patience: usize,
    /// What counts as an improvement.
    pub min_delta: f64,
    best: f64,
    waited: usize,
}

impl EarlyStopping {
    /// Starts to watch.
    pub fn new(patience: usize, min_delta: f64) -> Self {
        Self { patience, min_delta, best: f64::MAX, waited: 0 }
    }

    /// Goes on from where another watch stood, with the patience and threshold of this one.
    #[must_use]
    pub fn continued_from(self, before: Self) -> Self {
        Self { best: before.best, waited: before.waited, ..self }
    }

    /// Whether the patience is used up.
    pub fn is_over(&self) -> bool {
        self.patience > 0 && self.waited >= self.patience
    }

    /// Takes the loss of an epoch and says whether training should stop.
    pub fn should_stop(&mut self, loss: f64) -> bool {
        if loss < self.best - self.min_delta {
            self.best = loss;
            self.waited = 0;
        } else {
            self.waited += 1;
        }
        self.is_over()
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn early_stopping_waits_out_its_patience() {
        let mut watch = EarlyStopping::new(2, 0.1);
        let stops: Vec<bool> =
            [1.0, 0.95, 0.8, 0.75, 0.74].map(|loss| watch.should_stop(loss)).to_vec();
        assert_eq!(stops, [false, false, false, false, true]);
        assert!(watch.is_over());
        let mut patient = EarlyStopping::new(3, 0.1).continued_from(watch);
        assert!(!patient.is_over(), "more patience, the same losses");
        assert!(patient.should_stop(0.74));
        let mut never = EarlyStopping::new(0, 0.0);
        assert!((0..100).all(|_| !never.should_stop(1.0)));
    }

    #[test]
    fn accumulated_gradients_add_up() -> Result<()> {
        let x = Var::new(&[3f64, 4.0], &Device::Cpu)?;
        let group = ParamGroup {
            name: String::new(),
            learning_rate: 0.1,
            params: vec![("x".into(), x.clone())],
        };
        let mut optimizer = AdamW::new(vec![group], AdamWConfig::default())?;
        for _ in 0..2 {
            optimizer.accumulate((x.as_tensor().sqr()?.sum_all()? * 0.25)?.backward()?)?;
        }
        let norm = optimizer.gradient_norm()?;
        assert!((norm - 5.0).abs() < 1e-12, "{norm}");
        assert!((clip_factor(norm, Some(1.0)) - 0.2).abs() < 1e-12);
        assert!((clip_factor(norm, None) - 1.0).abs() < 1e-12);
        optimizer.step(1.0)?;
        assert!(optimizer.gradient_norm()?.abs() < 1e-12, "a step uses the gradients up");
        Ok(())
    }

    #[test]
    fn groups_take_the_longest_prefix() -> Result<()> {
        let var = || Var::zeros(1, candle_core::DType::F32, &Device::Cpu);
        let params = vec![("head.a".to_owned(), var()?), ("encoder.b".to_owned(), var()?)];
        let groups = groups_by_prefix(params.clone(), &[("", 1.0), ("head.", 2.0)])?;
        let rates: Vec<(f64, &str)> =
            groups.iter().map(|g| (g.learning_rate, g.params[0].0.as_str())).collect();
        assert_eq!(rates, [(1.0, "encoder.b"), (2.0, "head.a")]);
        assert!(groups_by_prefix(params, &[("head.", 1.0)]).is_err());
        Ok(())
    }
}
