//! What programs leave: `run.json`, `metrics.json`, tables, pictures.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use comfy_table::presets;
use comfy_table::{CellAlignment, Table};
use hsi_data::Dataset;
use hsi_pictures::{Comparison, FalseColor, Panel};
use hsi_train::files::{create_dir, write_json};
use hsi_train::{Evaluated, Report, Row};
use serde_json::{Value, json};

use crate::app::Invocation;

/// Makes the folder of a run and writes into it what was run: command line, version, settings.
///
/// # Errors
/// When the folder cannot be made or written to.
pub fn begin(save_dir: &Path, invocation: &Invocation, settings: &Value) -> Result<PathBuf> {
    let shown = save_dir.display();
    if save_dir.exists() && !save_dir.is_dir() {
        bail!("the folder `{shown}` cannot be made: a file of that name is there");
    }
    std::fs::create_dir_all(save_dir)
        .with_context(|| format!("the folder `{shown}` cannot be made"))?;
    let run = json!({
        "command": invocation.args,
        "version": env!("CARGO_PKG_VERSION"),
        "threads": std::thread::available_parallelism().map_or(1, usize::from),
        "settings": settings,
    });
    write_json(&save_dir.join("run.json"), &run)?;
    // What another run in this folder measured does not belong to this one.
    for stale in ["metrics.json", "training.json"].map(|name| save_dir.join(name)) {
        if stale.exists() {
            std::fs::remove_file(&stale)
                .with_context(|| format!("cannot replace `{}`", stale.display()))?;
        }
    }
    Ok(save_dir.to_path_buf())
}

/// Writes `metrics.json` and prints the rows as a table to standard output.
///
/// # Errors
/// When the file cannot be written.
pub fn finish(save_dir: &Path, report: &Report) -> Result<()> {
    write_json(&save_dir.join("metrics.json"), report)?;
    let protocol = &report.protocol;
    print_line(&format!(
        "noise {}, normalisation {}, {}, seed {}, {}",
        protocol.noise, protocol.normalisation, protocol.split, protocol.seed, protocol.data
    ));
    print_line(&table(&report.rows).to_string());
    Ok(())
}

/// The rows as a table.
pub fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    let mut header = vec!["method", "samples", "PSNR dB", "SSIM", "SAM deg", "MSE", "s / sample"];
    let train = rows.iter().any(|row| row.train_seconds.is_some());
    if train {
        header.push("training s");
    }
    table.load_style(presets::ASCII_MARKDOWN).set_header(header);
    for row in rows {
        let method = match &row.normalisation {
            Some(normalisation) => format!("{} ({normalisation})", row.method),
            None => row.method.clone(),
        };
        let mut cells = vec![
            method,
            row.samples.to_string(),
            format!("{:.2}", row.psnr_db),
            format!("{:.4}", row.ssim),
            format!("{:.2}", row.sam_deg),
            format!("{:.5}", row.mse),
            format!("{:.3}", row.seconds_per_sample),
        ];
        if train {
            cells.push(row.train_seconds.map_or(String::new(), |s| format!("{s:.1}")));
        }
        table.add_row(cells);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Prints a line to standard output. A reader that went away (`train | head`) does not end a run.
pub fn print_line(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints a line to standard error, which may be closed too.
pub fn print_error(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The bands that pictures show as red, green and blue, and a caption that says so.
///
/// # Errors
/// When there are none.
pub fn picture_bands(bands: usize, wavelengths_nm: Option<&[f32]>) -> Result<(FalseColor, String)> {
    let choice = hsi_data::bands::rgb_bands(bands, wavelengths_nm)?;
    let caption = hsi_data::bands::describe_bands(&choice, wavelengths_nm);
    Ok((FalseColor { bands: choice }, caption))
}

/// Writes pictures of the first samples of an evaluation.
#[derive(Debug)]
pub struct SamplePictures {
    folder: PathBuf,
    count: usize,
    colors: FalseColor,
    caption: String,
    labels: Vec<String>,
}

impl SamplePictures {
    /// Pictures of the first `count` samples; `labels` name the estimates.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(
        folder: PathBuf,
        count: usize,
        dataset: &dyn Dataset,
        labels: Vec<String>,
    ) -> Result<Self> {
        if count > 0 {
            create_dir(&folder)?;
        }
        let wavelengths_nm = dataset.wavelengths_nm();
        let (colors, caption) = picture_bands(dataset.bands(), wavelengths_nm.as_deref())?;
        Ok(Self { folder, count, colors, caption, labels })
    }

    /// Draws a sample, if it is one of the first.
    ///
    /// # Errors
    /// When the picture cannot be written.
    pub fn draw(&self, sample: &Evaluated<'_>) -> hsi_train::Result<()> {
        if sample.index >= self.count {
            return Ok(());
        }
        let others = self.labels.iter().zip(sample.estimates);
        let comparison = Comparison {
            title: format!("sample {}, {}", sample.index, self.caption),
            colors: self.colors,
            reference: Panel { label: "clean".to_owned(), cube: sample.clean },
            others: others
                .map(|(label, estimate)| Panel { label: label.clone(), cube: estimate.view() })
                .collect(),
            error_limit: 0.25,
        };
        let path = self.folder.join(format!("sample_{:03}.png", sample.index));
        comparison.draw()?.write_png(path)?;
        Ok(())
    }
}
