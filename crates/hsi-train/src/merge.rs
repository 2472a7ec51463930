//! A trained model as plain weights, adapters merged.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};
use peft_lora::{AdapterState, MergeReport};
use quant_nf4::QuantizedTensor;

use crate::checkpoint::Restored;
use crate::method::{Method, Precision, Quantization};
use crate::model::{ENCODER, ModelConfig};
use crate::{Error, Result};

/// How merged weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// In 32 bits.
    F32,
    /// In 16 bits, rounded once.
    Bf16,
    /// Linear layers of the encoder's blocks in 4 bits, which adds the error of quantisation to
    /// what the adapters learned; all else in 32 bits.
    Quantized(Quantization),
}

/// What quantising the merged weights cost.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantError {
    /// Root of the mean squared error of a weight, over all quantised weights.
    pub rmse: f64,
    /// The same, divided by the root of the mean square of the weights.
    pub relative: f64,
    /// Largest error of a weight.
    pub max_abs_err: f64,
    /// The weight with the largest error.
    pub worst: String,
}

/// A model as plain weights: what [`crate::checkpoint::write_file`] takes.
#[derive(Debug)]
pub struct MergedWeights {
    /// The configuration of the model without adapters.
    pub config: ModelConfig,
    /// All tensors, by the names of a file.
    pub tensors: BTreeMap<String, Tensor>,
    /// What merging changed; nothing where there were no adapters.
    pub report: Option<MergeReport>,
    /// What quantising cost, where it was asked for.
    pub error: Option<QuantError>,
}

/// Merges the adapters of a model into its weights. Weights that are kept in 4 bits are unpacked
/// first, so that the merged model gives the outputs that the adapted one gives.
///
/// # Errors
/// When the settings of the form are not valid, or a weight cannot be quantised.
pub fn merge(restored: &Restored, form: Form) -> Result<MergedWeights> {
    let old = restored.model.config();
    let (mut tensors, mut report) = (restored.params.dense_tensors()?, None);
    if let Some(lora) = &old.lora {
        let state = AdapterState::from_tensors(lora, tensors.clone())?;
        tensors.retain(|name, _| !peft_lora::is_adapter_parameter(name));
        let merged = state.merge(tensors)?;
        (tensors, report) = (merged.tensors, Some(merged.report));
    }
    let mut config = ModelConfig {
        method: Method::Full,
        lora: None,
        quantization: None,
        precision: Precision::F32,
        ..old.clone()
    };
    let mut error = None;
    match form {
        Form::F32 => {}
        Form::Bf16 => {
            for tensor in tensors.values_mut() {
                *tensor = tensor.to_dtype(DType::BF16)?;
            }
        }
        Form::Quantized(quantization) => {
            quantization.config.validate()?;
            config.method = Method::Frozen;
            config.quantization = Some(quantization);
            error = Some(quantize(&mut tensors, &quantization)?);
        }
    }
    Ok(MergedWeights { config, tensors, report, error })
}

/// Replaces the weights that are selected by the tensors of their 4-bit form.
fn quantize(
    tensors: &mut BTreeMap<String, Tensor>,
    quantization: &Quantization,
) -> Result<QuantError> {
    let selected = |name: &String| {
        let path = name.strip_suffix(".weight").filter(|path| path.starts_with(ENCODER));
        path.is_some_and(|path| quantization.modules.selects(path))
    };
    let names: Vec<String> = tensors.keys().filter(|name| selected(name)).cloned().collect();
    let mut error = QuantError { rmse: 0.0, relative: 0.0, max_abs_err: 0.0, worst: String::new() };
    let (mut count, mut energy) = (0usize, 0.0);
    for name in names {
        let Some(weight) = tensors.remove(&name) else { continue };
        let of = |source| {
            Error::Quant(quant_nf4::Error::Tensor { name: name.clone(), source: Box::new(source) })
        };
        let quantized = QuantizedTensor::quantize(&weight, &quantization.config).map_err(of)?;
        let report = quantized.report(&weight)?;
        let elements = weight.elem_count();
        count += elements;
        error.rmse += report.rmse.powi(2) * elements as f64;
        energy += f64::from(weight.sqr()?.sum_all()?.to_scalar::<f32>()?);
        if report.max_abs_err >= error.max_abs_err {
            (error.max_abs_err, error.worst) = (report.max_abs_err, name.clone());
        }
        tensors.extend(quant_nf4::state_dict_entries(&name, &quantized)?);
    }
    error.relative = if energy > 0.0 { (error.rmse / energy).sqrt() } else { 0.0 };
    error.rmse = (error.rmse / count.max(1) as f64).sqrt();
    Ok(error)
}
