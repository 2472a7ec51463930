//! Tables 7.2 and 7.3: denoising quality of trained models and classical methods, beside the
//! published figures.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail};
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use hsi_data::{Dataset, NormMode, SplitKind};
use hsi_train::{Degradation, Estimator, Protocol, Report, Restorer, evaluate};

use crate::data::{DataArgs, NoiseArgs, Parts};

/// Settings of tables 7.2 and 7.3.
#[derive(Debug, Clone, Args)]
pub struct DenoisingArgs {
    /// Which noise.
    #[command(flatten)]
    pub noise: NoiseArgs,
    /// Split of which the test part is scored: easy, hard, random [default: all samples]
    #[arg(long)]
    pub split: Option<SplitKind>,
    /// How bands are brought to [0, 1]: oracle (as published), from-noisy, fixed:MIN:MAX
    #[arg(long, default_value = "oracle")]
    pub normalisation: NormMode,
    /// Runs of `train` to score, joined by commas
    #[arg(long, value_delimiter = ',')]
    pub checkpoint: Vec<PathBuf>,
    /// Classical methods, joined by commas, or all
    #[arg(long, default_value = "all")]
    pub baseline: String,
}

/// A published row: its name here, there, and its PSNR in tables 7.2 and 7.3.
struct Published {
    name: &'static str,
    there: &'static str,
    psnr_db: [f64; 2],
}

const fn published(name: &'static str, there: &'static str, psnr_db: [f64; 2]) -> Published {
    Published { name, there, psnr_db }
}

/// HySpecNet-11k with sigma 0.27 and stripes, and 500 EnMAP patches.
const PUBLISHED: [Published; 13] = [
    published("full unet", "full", [29.17, 26.39]),
    published("lora unet", "LoRA", [26.90, 25.39]),
    published("qlora unet", "QLoRA", [26.88, 25.42]),
    published("frozen unet", "UNet", [24.10, 22.97]),
    published("forpdn", "FORPDN", [22.82, 22.57]),
    published("hyres", "HyRes", [22.69, 21.55]),
    published("wsrrr", "WSRRR", [21.92, 22.20]),
    published("denet3d", "DeNet3D", [20.09, 20.95]),
    published("fasthyde", "FastHyDe", [19.39, 20.09]),
    published("qrnn3d", "QRNN3D", [18.94, 18.74]),
    published("denet", "DeNet", [18.43, 19.94]),
    published("memnet3d", "MemNet3D", [16.28, 14.64]),
    published("otvca", "OTVCA", [14.25, 13.59]),
];

/// Published test sets of the two tables.
const DATA: [&str; 2] =
    ["HySpecNet-11k, random 80/10/10 by patch, sigma 0.27 and stripes", "500 EnMAP patches"];

/// Scores what there is on given data, and puts the published figures beside it.
///
/// # Errors
/// When data or models cannot be read, or a method fails.
pub fn denoising_scores(
    table: usize,
    data: &DataArgs,
    args: &DenoisingArgs,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(Report, Table)> {
    let dataset = data.open()?;
    let (rows, cols) = dataset.size();
    hsi_train::check_scorable(rows, cols)?;
    let (test, part): (Arc<dyn Dataset>, _) = match args.split {
        Some(kind) => {
            (Parts::new(&dataset, kind, data.seed)?.test, format!("{}, test", kind.name()))
        }
        None => (dataset, "all samples".to_owned()),
    };
    let baselines = crate::baselines::by_names(std::slice::from_ref(&args.baseline))?;
    let mut models = Vec::new();
    for path in &args.checkpoint {
        let (restorer, _) = Restorer::load(path, &candle_core::Device::Cpu)?;
        if restorer.bands() != test.bands() {
            bail!(
                "`{}` takes {} bands, the data have {}",
                path.display(),
                restorer.bands(),
                test.bands()
            );
        }
        let config = restorer.model().config();
        let name = format!("{} {}", config.method, config.head.kind);
        models.push((restorer, name));
    }
    let mut estimators = vec![Estimator::Noisy];
    estimators.extend(models.iter().map(|(model, name)| Estimator::Model(model, name.clone())));
    estimators.extend(baselines.iter().map(|baseline| Estimator::Baseline(baseline.as_ref())));
    let noise = args.noise.pipeline()?;
    let degradation =
        Degradation { noise: noise.clone(), normalisation: args.normalisation, seed: data.seed };
    let rows = evaluate(test.as_ref(), &degradation, &estimators, &mut |sample| {
        progress(sample.index + 1, test.len());
        Ok(())
    })?;
    let protocol = Protocol {
        noise: noise.to_string(),
        normalisation: args.normalisation.to_string(),
        split: part,
        seed: data.seed,
        data: data.data.to_string(),
    };
    let report = Report { protocol, rows };
    let rendered = render(table, &report);
    Ok((report, rendered))
}

fn render(number: usize, report: &Report) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header([
        "method",
        "PSNR dB",
        "SSIM",
        "SAM deg",
        "s / sample",
        "published PSNR dB",
        "what differs",
    ]);
    let differs = format!(
        "here {} ({}, {} samples, noise {}, {}); there {}",
        report.protocol.data,
        report.protocol.split,
        report.rows.first().map_or(0, |row| row.samples),
        report.protocol.noise,
        report.protocol.normalisation,
        DATA[number]
    );
    for row in &report.rows {
        let there = PUBLISHED.iter().find(|published| published.name == row.method);
        table.add_row([
            row.method.clone(),
            format!("{:.2}", row.psnr_db),
            format!("{:.4}", row.ssim),
            format!("{:.2}", row.sam_deg),
            format!("{:.3}", row.seconds_per_sample),
            there.map_or("not published".to_owned(), |t| {
                format!("{:.2} ({})", t.psnr_db[number], t.there)
            }),
            if there.is_some() { differs.clone() } else { String::new() },
        ]);
    }
    for column in table.column_iter_mut().skip(1).take(5) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
