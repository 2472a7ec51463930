//! Scores as a table: HyperBench's CSV, Markdown, and for reading.

use std::fmt::Write;
use std::path::Path;

use anyhow::Result;
use comfy_table::{CellAlignment, Table, presets};
use hsi_metrics::Metrics;
use hsi_train::{Row, RowBuilder};
use serde_json::{Value, json};

use super::case::{Case, Label};
use super::estimate::Estimate;

/// The columns of HyperBench's tables, in its order.
pub const COLUMNS: [&str; 33] = [
    "scene_name",
    "shape_policy",
    "method_name",
    "psf_name",
    "sigma",
    "kernel_size",
    "downsampling_ratio",
    "msi_band_count",
    "spatial_snr",
    "spectral_snr",
    "fwhm_factor",
    "seed",
    "gt_shape",
    "lr_hsi_shape",
    "hr_msi_shape",
    "prediction_clipped",
    "prediction_clip_min",
    "prediction_clip_max",
    "framework",
    "training_time_sec",
    "inference_time_sec",
    "num_parameters",
    "flops",
    "gpu_memory_mb",
    "RMSE",
    "PSNR",
    "SSIM",
    "UIQI",
    "ERGAS",
    "SAM",
    "status",
    "error",
    "runtime_seconds",
];

/// A method's scores on a case, or why there are none.
#[derive(Debug, Clone)]
pub struct Line {
    /// What was done.
    pub label: Label,
    /// Name of the method.
    pub method: String,
    /// Bands of the multispectral image.
    pub msi_bands: usize,
    /// Shapes of the result, the cube and the multispectral image, `[bands, rows, cols]`.
    pub shapes: Option<[[usize; 3]; 3]>,
    /// What came of it.
    pub outcome: Result<Outcome, String>,
    /// Seconds of fit, prediction and scores.
    pub seconds: f64,
}

/// The scores of a method, and what they cost.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// The scores.
    pub metrics: Metrics,
    /// Seconds of the fit.
    pub train_seconds: f64,
    /// Seconds of the prediction.
    pub inference_seconds: f64,
    /// Numbers that were fitted.
    pub parameters: usize,
    /// Multiplications and additions of the prediction.
    pub flops: u64,
}

impl Line {
    /// The line of an estimate.
    pub fn new(case: &Case, estimate: &Estimate, metrics: Metrics, seconds: f64) -> Self {
        let shape = |dim: (usize, usize, usize)| [dim.0, dim.1, dim.2];
        Self {
            label: case.label.clone(),
            method: estimate.method.to_string(),
            msi_bands: case.srf.msi_bands(),
            shapes: Some([estimate.image.dim(), case.lr_hsi.dim(), case.hr_msi.dim()].map(shape)),
            outcome: Ok(Outcome {
                metrics,
                train_seconds: estimate.train_seconds,
                inference_seconds: estimate.inference_seconds,
                parameters: estimate.parameters,
                flops: estimate.flops,
            }),
            seconds,
        }
    }

    /// The row of `metrics.json`.
    pub fn row(&self) -> Option<Row> {
        let outcome = self.outcome.as_ref().ok()?;
        let mut builder = RowBuilder::default();
        builder.add(&outcome.metrics, outcome.inference_seconds);
        let mut row = builder.finish(self.method.clone());
        row.train_seconds = Some(outcome.train_seconds);
        row.parameters = Some(outcome.parameters);
        row.trainable_parameters = Some(outcome.parameters);
        Some(row)
    }

    /// The row of a sweep's `metrics.json`: setting, scores and cost, medians over so many seeds.
    pub fn sweep_row(&self, seeds: usize) -> Option<Value> {
        let Outcome { metrics, train_seconds, inference_seconds, parameters, .. } =
            self.outcome.as_ref().ok()?;
        let Label { scene, psf, ratio, .. } = &self.label;
        Some(json!({
            "method": self.method, "scene": scene, "psf": psf, "ratio": ratio,
            "msi_bands": self.msi_bands, "seeds": seeds, "psnr_db": metrics.psnr_db,
            "ssim": metrics.ssim, "sam_deg": metrics.sam_deg, "rmse": metrics.rmse,
            "uiqi": metrics.uiqi, "ergas": metrics.ergas, "train_seconds": train_seconds,
            "inference_seconds": inference_seconds, "parameters": parameters,
        }))
    }

    fn cells(&self) -> [String; 33] {
        let Self { label, .. } = self;
        let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
        let count = |value: Option<usize>| value.map_or(String::new(), |value| value.to_string());
        // HyperBench's arrays have their bands last.
        let shape = |nth: usize| {
            let text = |[bands, rows, cols]: [usize; 3]| format!("({rows}, {cols}, {bands})");
            self.shapes.map_or(String::new(), |shapes| text(shapes[nth]))
        };
        let done = self.outcome.as_ref().ok();
        let scores = done.map(|outcome| outcome.metrics);
        let score = |of: fn(&Metrics) -> f64| number(scores.as_ref().map(of));
        let (status, error) = match &self.outcome {
            Ok(_) => ("success", String::new()),
            Err(error) => ("failed", error.clone()),
        };
        [
            label.scene.clone(),
            "strict".to_owned(),
            self.method.clone(),
            label.psf.clone(),
            number(label.sigma),
            count(label.kernel_rows),
            count(label.ratio),
            self.msi_bands.to_string(),
            number(label.snr_spatial_db),
            number(label.snr_spectral_db),
            number(label.fwhm_factor),
            label.seed.to_string(),
            shape(0),
            shape(1),
            shape(2),
            "False".to_owned(),
            "0".to_owned(),
            "1".to_owned(),
            "rust".to_owned(),
            number(done.map(|o| o.train_seconds)),
            number(done.map(|o| o.inference_seconds)),
            count(done.map(|o| o.parameters)),
            done.map_or(String::new(), |o| o.flops.to_string()),
            "nan".to_owned(),
            score(|m| m.rmse),
            score(|m| m.psnr_db),
            score(|m| m.ssim),
            score(|m| m.uiqi),
            score(|m| m.ergas),
            score(|m| m.sam_deg),
            status.to_owned(),
            error,
            self.seconds.to_string(),
        ]
    }
}

/// The medians over seeds of what else was done alike, in the order of the first of each. Where a
/// seed failed there is no median but its reason.
pub fn medians(lines: &[Line]) -> Vec<Line> {
    let alike = |a: &Line, b: &Line| {
        let key = |line: &Line| (line.msi_bands, Label { seed: 0, ..line.label.clone() });
        (&a.method, key(a)) == (&b.method, key(b))
    };
    let mut groups: Vec<Vec<&Line>> = Vec::new();
    for line in lines {
        match groups.iter_mut().find(|group| alike(group[0], line)) {
            Some(group) => group.push(line),
            None => groups.push(vec![line]),
        }
    }
    groups.iter().map(|group| median(group)).collect()
}

fn median(group: &[&Line]) -> Line {
    let outcomes: Result<Vec<Outcome>, String> =
        group.iter().map(|line| line.outcome.clone()).collect();
    let outcome = outcomes.map(|all| {
        let of = |value: &dyn Fn(&Outcome) -> f64| {
            let mut values: Vec<f64> = all.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            let upper = values[values.len() / 2];
            f64::midpoint(values[(values.len() - 1) / 2], upper)
        };
        let metrics = Metrics {
            psnr_db: of(&|o| o.metrics.psnr_db),
            psnr_global_db: of(&|o| o.metrics.psnr_global_db),
            ssim: of(&|o| o.metrics.ssim),
            sam_deg: of(&|o| o.metrics.sam_deg),
            mse: of(&|o| o.metrics.mse),
            rmse: of(&|o| o.metrics.rmse),
            ergas: of(&|o| o.metrics.ergas),
            uiqi: of(&|o| o.metrics.uiqi),
        };
        Outcome {
            metrics,
            train_seconds: of(&|o| o.train_seconds),
            inference_seconds: of(&|o| o.inference_seconds),
            ..all[0]
        }
    });
    Line { outcome, ..group[0].clone() }
}

/// The lines as CSV with HyperBench's columns.
pub fn csv(lines: &[Line]) -> String {
    let mut text = COLUMNS.join(",");
    text.push('\n');
    for line in lines {
        let cells = line.cells().map(|cell| quoted(&cell));
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", cell.replace('"', "\"\""));
    }
    cell.to_owned()
}

/// Writes the lines as CSV; the file appears whole.
///
/// # Errors
/// When it cannot be written.
pub fn write_csv(path: &Path, lines: &[Line]) -> Result<()> {
    Ok(hsi_train::files::write_text(path, &csv(lines))?)
}

const HEADER: [&str; 9] =
    ["method", "RMSE", "PSNR dB", "SSIM", "UIQI", "ERGAS", "SAM deg", "training s", "inference s"];

fn scores(line: &Line) -> Vec<String> {
    let mut cells = vec![line.method.clone()];
    if let Ok(Outcome { metrics, train_seconds, inference_seconds, .. }) = &line.outcome {
        cells.extend([
            format!("{:.5}", metrics.rmse),
            format!("{:.3}", metrics.psnr_db),
            format!("{:.5}", metrics.ssim),
            format!("{:.5}", metrics.uiqi),
            format!("{:.4}", metrics.ergas),
            format!("{:.4}", metrics.sam_deg),
            format!("{train_seconds:.2}"),
            format!("{inference_seconds:.3}"),
        ]);
    } else {
        cells.push("failed".to_owned());
        cells.resize(HEADER.len(), String::new());
    }
    cells
}

/// The lines as a table for reading.
pub fn table(lines: &[Line]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(HEADER);
    for line in lines {
        table.add_row(scores(line));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The medians of a sweep as Markdown: a table for each scene, a row for each setting and method.
pub fn markdown(lines: &[Line], seeds: &[String]) -> String {
    let mut text = match seeds {
        [] | [_] => String::new(),
        seeds => format!("Medians over the seeds {}.\n\n", seeds.join(", ")),
    };
    let mut scene = None;
    for line in lines {
        if scene != Some(&line.label.scene) {
            let gap = if scene.is_some() { "\n" } else { "" };
            scene = Some(&line.label.scene);
            let _ = write!(text, "{gap}# {}\n\n| PSF | ratio | bands |", line.label.scene);
            for name in HEADER {
                let _ = write!(text, " {name} |");
            }
            text.push_str("\n| --- | ---: | ---: | --- |");
            text.push_str(&" ---: |".repeat(HEADER.len() - 1));
            text.push('\n');
        }
        let ratio = line.label.ratio.map_or(String::new(), |ratio| ratio.to_string());
        let _ = write!(text, "| {} | {ratio} | {} |", line.label.psf, line.msi_bands);
        for cell in scores(line) {
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_a_row_of_its_own() {
        let line = Line {
            label: Label { scene: "a, \"b\"".to_owned(), ratio: Some(8), ..Label::default() },
            method: "fused".to_owned(),
            msi_bands: 3,
            shapes: Some([[5, 2, 3]; 3]),
            outcome: Err("row 3, too narrow".to_owned()),
            seconds: 0.5,
        };
        let text = csv(std::slice::from_ref(&line));
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].split(',').count(), COLUMNS.len());
        assert!(rows[1].starts_with("\"a, \"\"b\"\"\",strict,fused,,,,8,3,,,,0,\"(2, 3, 5)\""));
        assert!(rows[1].ends_with("failed,\"row 3, too narrow\",0.5"), "{}", rows[1]);
        assert!(line.row().is_none());
        let page = markdown(&[line], &["0".to_owned()]);
        let widths: Vec<usize> =
            page.lines().skip(2).map(|line| line.matches('|').count()).collect();
        assert_eq!(widths, [13, 13, 13], "{page}");
    }
}
