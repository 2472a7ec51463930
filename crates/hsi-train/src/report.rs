//! `metrics.json`: what was measured, in one form for all programs.

use hsi_metrics::Metrics;
use serde::{Deserialize, Deserializer, Serialize};

/// What the rows of a report have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// The noise, as on the command line.
    pub noise: String,
    /// How bands were brought to the [0, 1] scale: `oracle`, `from-noisy`, `fixed:MIN:MAX`.
    pub normalisation: String,
    /// Which part of which split was scored.
    pub split: String,
    /// Seed of the noise.
    pub seed: u64,
    /// The data.
    pub data: String,
}

/// The mean scores of a method over samples. What does not apply is left out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Row {
    /// Name of the method.
    pub method: String,
    /// Normalisation, where it differs from that of the protocol.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub normalisation: Option<String>,
    /// Samples scored.
    pub samples: usize,
    /// Mean over bands, then samples, of the PSNR for a range of 1.
    #[serde(deserialize_with = "infinite_if_null")]
    pub psnr_db: f64,
    /// PSNR of the MSE over the whole cube, mean over samples.
    #[serde(deserialize_with = "infinite_if_null")]
    pub psnr_global_db: f64,
    /// Mean over bands of the 7 x 7 SSIM for a range of 1.
    #[serde(deserialize_with = "nan_if_null")]
    pub ssim: f64,
    /// Mean angle over pixels in degrees.
    #[serde(deserialize_with = "nan_if_null")]
    pub sam_deg: f64,
    /// Mean squared error.
    #[serde(deserialize_with = "nan_if_null")]
    pub mse: f64,
    /// Root of the mean squared error, mean over samples.
    #[serde(deserialize_with = "nan_if_null")]
    pub rmse: f64,
    /// Universal image quality index.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub uiqi: Option<f64>,
    /// Relative global error for a ratio of 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ergas: Option<f64>,
    /// Seconds of estimation, mean over samples.
    #[serde(deserialize_with = "nan_if_null")]
    pub seconds_per_sample: f64,
    /// Seconds of training.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub train_seconds: Option<f64>,
    /// Parameters of the model.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parameters: Option<usize>,
    /// Parameters that were trained.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trainable_parameters: Option<usize>,
    /// Bytes of the parameters as stored.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stored_bytes: Option<usize>,
    /// Peak of the heap in training.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub peak_bytes: Option<usize>,
}

/// JSON has no infinity: the PSNR of an estimate without error is written as `null`.
fn infinite_if_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::INFINITY))
}

/// What could not be computed is written as `null`.
fn nan_if_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// The content of `metrics.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What the rows have in common.
    pub protocol: Protocol,
    /// One row a method.
    pub rows: Vec<Row>,
}

/// Collects the scores of samples into a row.
#[derive(Debug, Clone, Default)]
pub struct RowBuilder {
    sums: Row,
    uiqi: f64,
    ergas: f64,
}

impl RowBuilder {
    /// Adds a sample.
    pub fn add(&mut self, metrics: &Metrics, seconds: f64) {
        let sums = &mut self.sums;
        sums.samples += 1;
        sums.psnr_db += metrics.psnr_db;
        sums.psnr_global_db += metrics.psnr_global_db;
        sums.ssim += metrics.ssim;
        sums.sam_deg += metrics.sam_deg;
        sums.mse += metrics.mse;
        sums.rmse += metrics.rmse;
        sums.seconds_per_sample += seconds;
        self.uiqi += metrics.uiqi;
        self.ergas += metrics.ergas;
    }

    /// The means over the samples that were added.
    pub fn finish(self, method: impl Into<String>) -> Row {
        let n = self.sums.samples.max(1) as f64;
        let finite = |sum: f64| Some(sum / n).filter(|mean| mean.is_finite());
        Row {
            method: method.into(),
            psnr_db: self.sums.psnr_db / n,
            psnr_global_db: self.sums.psnr_global_db / n,
            ssim: self.sums.ssim / n,
            sam_deg: self.sums.sam_deg / n,
            mse: self.sums.mse / n,
            rmse: self.sums.rmse / n,
            seconds_per_sample: self.sums.seconds_per_sample / n,
            uiqi: finite(self.uiqi),
            ergas: finite(self.ergas),
            ..self.sums
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_without_error_is_read_back() -> serde_json::Result<()> {
        let row = Row { method: "x".to_owned(), psnr_db: f64::INFINITY, ..Row::default() };
        let text = serde_json::to_string(&row)?;
        assert!(text.contains("\"psnr_db\":null"), "{text}");
        assert_eq!(serde_json::from_str::<Row>(&text)?, row);
        Ok(())
    }
}
