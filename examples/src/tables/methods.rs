//! The four methods on one task, from one pretrained encoder, over several seeds.

use anyhow::Result;
use candle_core::Tensor;
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use hsi_train::{Estimator, Method, ParamStore, Row, evaluate};
use serde::Serialize;

use crate::quick::{Adapted, QuickTask};

/// Settings of the comparison of methods.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Table `methods`")]
pub struct MethodsArgs {
    /// Seeds, joined by commas: of scenes, noise, initialisation and order
    #[arg(long, value_delimiter = ',', default_value = "42,43,44")]
    pub seeds: Vec<u64>,
    /// Epochs of pretraining
    #[arg(long, default_value_t = 8)]
    pub pretraining_epochs: usize,
    /// Epochs of each adaptation
    #[arg(long, default_value_t = 6)]
    pub adaptation_epochs: usize,
}

/// A method with a seed.
#[derive(Debug, Clone, Serialize)]
pub struct MethodScore {
    /// The method; `lora without adapters` is the trained model with its adapters at zero.
    pub method: String,
    /// The seed.
    pub seed: u64,
    /// Its scores.
    pub row: Row,
}

/// Trains and scores each method with each seed.
///
/// # Errors
/// When training fails.
pub fn methods_compared(
    args: &MethodsArgs,
    mut done: impl FnMut(&MethodScore),
) -> Result<(Vec<MethodScore>, Table)> {
    let mut scores = Vec::new();
    for &seed in &args.seeds {
        let task = QuickTask::new(seed)?;
        let pretrained = task.pretrain(args.pretraining_epochs, |_| ())?;
        for method in Method::ALL {
            let config = QuickTask::model(method);
            let adapted =
                task.adapt(&config, Some(&pretrained), args.adaptation_epochs, None, |_| ())?;
            let mut keep = |method: String, row: Row| {
                let score = MethodScore { method, seed, row };
                done(&score);
                scores.push(score);
            };
            let score = |adapted: &Adapted| -> Result<Option<Row>> {
                let estimators = [Estimator::Model(&adapted.restorer, method.to_string())];
                let rows =
                    evaluate(task.test.as_ref(), &task.degradation, &estimators, &mut |_| Ok(()))?;
                Ok(rows.into_iter().next())
            };
            if let Some(row) = score(&adapted)? {
                let count = adapted.restorer.count();
                keep(
                    method.to_string(),
                    crate::training::with_training(row, &adapted.report, count),
                );
            }
            if method.has_adapters() {
                silence(&adapted.params)?;
                if let Some(row) = score(&adapted)? {
                    keep(format!("{method} without adapters"), row);
                }
            }
        }
    }
    let table = table(&scores, args.seeds.len());
    Ok((scores, table))
}

/// Sets the adapters of a model to zero.
fn silence(params: &ParamStore) -> Result<()> {
    for (name, var) in params.trained() {
        if name.contains("lora_B") {
            var.set(&Tensor::zeros(var.shape(), var.dtype(), var.device())?)?;
        }
    }
    Ok(())
}

/// A row a method, a column a seed, and their mean.
fn table(scores: &[MethodScore], seeds: usize) -> Table {
    let mut names: Vec<&str> = Vec::new();
    for score in scores {
        if !names.contains(&score.method.as_str()) {
            names.push(&score.method);
        }
    }
    let mut table = Table::new();
    let mut header = vec!["method".to_owned()];
    header
        .extend(scores.iter().filter(|s| s.method == names[0]).map(|s| format!("seed {}", s.seed)));
    header.extend(["mean PSNR dB", "SAM deg", "trained", "training s"].map(str::to_owned));
    table.load_style(presets::ASCII_MARKDOWN).set_header(header);
    for name in names {
        let own: Vec<&MethodScore> = scores.iter().filter(|score| score.method == name).collect();
        let mean = |value: &dyn Fn(&Row) -> f64| {
            own.iter().map(|score| value(&score.row)).sum::<f64>() / seeds.max(1) as f64
        };
        let mut cells = vec![name.to_owned()];
        cells.extend(own.iter().map(|score| format!("{:.2}", score.row.psnr_db)));
        cells.push(format!("{:.2}", mean(&|row| row.psnr_db)));
        cells.push(format!("{:.2}", mean(&|row| row.sam_deg)));
        let trained = own.first().and_then(|score| score.row.trainable_parameters);
        cells.push(trained.map_or(String::new(), |trained| trained.to_string()));
        let seconds = mean(&|row| row.train_seconds.unwrap_or(f64::NAN));
        cells.push(if seconds.is_finite() { format!("{seconds:.0}") } else { String::new() });
        table.add_row(cells);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
