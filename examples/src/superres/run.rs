//! A run on two images: estimates, scores, pictures, the file of the result, and what is said.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use hsi_data::CubeMeta;
use hsi_metrics::Variant;
use hsi_train::memory::peak_bytes_ever;
use hsi_train::{Protocol, Report};
use ndarray::{Array3, ArrayView3};
use serde::Serialize;
use serde_json::{Value, json};
use spectralift::{LiftConfig, PercentileRange, Progress};

use super::args::{ImageArgs, OutputArgs};
use super::case::Case;
use super::estimate::{Estimate, Method, estimate, score};
use super::models::ModelArgs;
use super::pictures::Pictures;
use super::save::Target;
use super::sensors::SensorArgs;
use super::table::{Line, table, write_csv};
use crate::app::Invocation;
use crate::output::{self, print_error, print_line};
use crate::progress::Bar;

/// What every mode is told, and the settings of each method.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Which images.
    pub images: &'a ImageArgs,
    /// The sensors.
    pub sensors: &'a SensorArgs,
    /// The model.
    pub model: &'a ModelArgs,
    /// What is written.
    pub output: &'a OutputArgs,
    /// The command line.
    pub invocation: &'a Invocation,
    /// Settings of each method, in their order.
    pub configs: Vec<Option<LiftConfig>>,
}

impl<'a> Plan<'a> {
    /// The plan of a command line.
    ///
    /// # Errors
    /// When the settings of a model cannot be used.
    pub fn new(
        images: &'a ImageArgs,
        sensors: &'a SensorArgs,
        model: &'a ModelArgs,
        output: &'a OutputArgs,
        invocation: &'a Invocation,
    ) -> Result<Self> {
        let of = |method| match method {
            Method::Bicubic => Ok(None),
            Method::Model(kind) => model.config(kind, sensors.seed).map(Some),
        };
        let configs = model.methods().into_iter().map(of).collect::<Result<_>>()?;
        Ok(Self { images, sensors, model, output, invocation, configs })
    }

    /// Makes the folder of the run, without what another run left there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn begin(&self, about: &Value) -> Result<PathBuf> {
        let configs: Vec<&LiftConfig> = self.configs.iter().flatten().collect();
        let settings = json!({ "case": about, "models": configs, "seed": self.sensors.seed });
        let save_dir = output::begin(&self.output.save_dir, self.invocation, &settings)?;
        let tables = ["metrics.csv", "sweep.csv", "sweep.md"];
        let pictures = ["images.png", "spectra.png", "srf.png", "psf.png", "loss.png"];
        for stale in tables.iter().chain(&pictures).map(|name| save_dir.join(name)) {
            if stale.exists() {
                std::fs::remove_file(&stale)
                    .with_context(|| format!("cannot replace `{}`", stale.display()))?;
            }
        }
        Ok(save_dir)
    }

    /// Writes `metrics.json`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(&self, save_dir: &Path, scene: &str, mode: &str, lines: &[Line]) -> Result<()> {
        let sensors = self.sensors;
        let db = |snr: Option<f64>| snr.map_or("none".to_owned(), |snr| format!("{snr} dB"));
        let noise = match lines.first() {
            Some(line) if mode == "synthetic" => {
                let label = &line.label;
                format!(
                    "cube {}, multispectral {}",
                    db(label.snr_spatial_db),
                    db(label.snr_spectral_db)
                )
            }
            _ => "that of the sensors".to_owned(),
        };
        let report = Report {
            protocol: Protocol {
                noise,
                normalisation: self.images.normalisation.to_string(),
                split: mode.to_owned(),
                seed: sensors.seed,
                data: scene.to_owned(),
            },
            rows: lines.iter().filter_map(Line::row).collect(),
        };
        let scores = Scores { report, definitions: Variant::HyperBench };
        Ok(hsi_train::files::write_json(&save_dir.join("metrics.json"), &scores)?)
    }
}

/// `metrics.json` in the form of all programs, and by which definitions.
#[derive(Serialize)]
struct Scores {
    #[serde(flatten)]
    report: Report,
    definitions: Variant,
}

/// Two images, and what is to be done with them.
#[derive(Debug)]
pub struct Task<'a> {
    /// The images.
    pub case: &'a Case,
    /// What the estimates are scored against.
    pub truth: Option<&'a Array3<f32>>,
    /// Metadata of the result.
    pub meta: &'a CubeMeta,
    /// The values that are 0 and 1.
    pub range: PercentileRange,
    /// Files that must not be overwritten.
    pub inputs: &'a [&'a Path],
    /// What this is called.
    pub mode: &'static str,
}

impl Task<'_> {
    /// Estimates, scores, draws and writes.
    ///
    /// # Errors
    /// When images and settings do not fit each other, or a file cannot be written.
    pub fn run(&self, plan: &Plan<'_>) -> Result<()> {
        let Self { case, truth, .. } = *self;
        let target = Target::new(plan.output, &case.label, case.srf.msi_bands(), self.inputs)?;
        let save_dir = plan.begin(&self.settings())?;
        self.tell(plan.output.verbose);
        let truth = truth.map(|truth| truth.view());
        let mut pictures = (!plan.output.no_pictures)
            .then(|| Pictures::new(case, truth, self.meta.wavelengths_nm.as_deref()))
            .transpose()?;
        let (mut lines, mut last) = (Vec::new(), None);
        for (method, config) in plan.model.methods().into_iter().zip(&plan.configs) {
            // Without a truth there is nothing to compare, but pictures.
            if truth.is_none() && pictures.is_none() && method != Method::Model(plan.model.model) {
                continue;
            }
            let start = Instant::now();
            let made = fit(case, method, config.as_ref(), plan.output.verbose)?;
            if let Some(truth) = truth {
                lines.push(self.line(truth, &made, start)?);
            }
            if let Some(pictures) = &mut pictures {
                pictures.add(method, made.image.view(), truth);
            }
            last = Some(made);
        }
        let Estimate { image, report, train_seconds, inference_seconds, .. } =
            last.context("there is no method")?;
        if let Some(pictures) = &pictures {
            pictures.write(&save_dir, case, report.as_ref())?;
        }
        let (bands, rows, cols) = image.dim();
        target.write(image, case.hr_missing.as_ref(), self.meta, &self.range)?;
        if truth.is_some() {
            write_csv(&save_dir.join("metrics.csv"), &lines)?;
        }
        plan.finish(&save_dir, &case.label.scene, self.mode, &lines)?;
        if truth.is_some() {
            print_line(&table(&lines).to_string());
        }
        print_line(&format!(
            "{}: {bands} bands, {rows} x {cols} pixels, {train_seconds:.2} s to fit, \
             {inference_seconds:.2} s to apply, peak memory {:.0} MiB",
            target.path().display(),
            peak_bytes_ever() as f64 / f64::from(1 << 20)
        ));
        Ok(())
    }

    fn line(&self, truth: ArrayView3<'_, f32>, made: &Estimate, start: Instant) -> Result<Line> {
        let metrics = score(truth, made.image.view(), self.case.hr_missing.as_ref())?;
        Ok(Line::new(self.case, made, metrics, start.elapsed().as_secs_f64()))
    }

    fn settings(&self) -> Value {
        let Self { case, range, mode, .. } = self;
        let label = &case.label;
        json!({
            "mode": mode, "range": range, "psf": label.psf, "sigma": label.sigma,
            "kernel_rows": label.kernel_rows, "ratio": label.ratio,
            "snr_spatial_db": label.snr_spatial_db, "snr_spectral_db": label.snr_spectral_db,
            "msi_bands": case.srf.msi_bands(), "hsi_bands": case.srf.hsi_bands(),
            "lr_hsi_shape": case.lr_hsi.shape(), "hr_msi_shape": case.hr_msi.shape(),
        })
    }

    /// What a run is about, before it takes its time.
    fn tell(&self, verbose: bool) {
        let case = self.case;
        if let Some(mask) = &case.hr_missing {
            let count = mask.iter().filter(|&&missing| missing).count();
            let scored = if self.truth.is_some() {
                "; SSIM and UIQI, which look at windows, count them as exact"
            } else {
                ""
            };
            print_error(&format!("note: {count} pixels have no data{scored}"));
        }
        if !verbose {
            return;
        }
        let (bands, low_rows, low_cols) = case.lr_hsi.dim();
        let (msi_bands, rows, cols) = case.hr_msi.dim();
        print_line(&format!(
            "{} mode: cube of {bands} bands, {low_rows} x {low_cols} pixels; multispectral image \
             of {msi_bands} bands, {rows} x {cols} pixels",
            self.mode
        ));
        print_line(&format!("values from {} to {} are 0 to 1", self.range.low, self.range.high));
        if let Some(psf) = &case.psf {
            let (rows, cols) = psf.kernel().dim();
            let sum = psf.kernel().sum();
            print_line(&format!("PSF {}: {rows} x {cols} pixels, sum {sum:.6}", case.label.psf));
        }
        for (band, row) in case.srf.weights().outer_iter().enumerate() {
            let largest = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            if let Some((peak, weight)) = largest {
                let nm = self.meta.wavelengths_nm.as_ref().and_then(|list| list.get(peak));
                let nm = nm.map_or(String::new(), |nm| format!(" ({nm:.0} nm)"));
                print_line(&format!(
                    "multispectral band {band}: largest weight {weight:.4} at band {peak}{nm}"
                ));
            }
        }
    }
}

/// Fits a method, with its progress.
fn fit(
    case: &Case,
    method: Method,
    config: Option<&LiftConfig>,
    verbose: bool,
) -> Result<Estimate> {
    let mut bar = Bar::new();
    let every = config.map_or(1, |config| (config.epochs / 10).max(1));
    let mut show = |progress: &Progress| {
        let Progress { member, members, epoch, epochs, lr, loss, held_out } = *progress;
        bar.show(&format!("{method}, loss {loss:.5}"), epoch, epochs);
        if verbose && (epoch % every == 0 || epoch == epochs) {
            let held_out = held_out.map_or(String::new(), |loss| format!(", held out {loss:.5}"));
            let member =
                if members > 1 { format!(" {member} of {members}") } else { String::new() };
            print_line(&format!(
                "{method}{member}: epoch {epoch} of {epochs}, learning rate {lr:.2e}, loss \
                 {loss:.5}{held_out}"
            ));
        }
    };
    let made = estimate(case, method, config, &mut show)?;
    if verbose {
        let report = made.report.as_ref();
        let ridge = report.and_then(|report| report.ridge);
        let own = report.is_some_and(|report| report.fits_sensor_image);
        let kept = report.and_then(|report| report.best_epoch);
        print_line(&format!(
            "{method}: {} parameters{}{}{}, {:.2} s to fit, {:.2} s to apply",
            made.parameters,
            if own { ", fitted to the multispectral image itself" } else { "" },
            ridge.map_or(String::new(), |ridge| format!(", ridge {ridge:.1e}")),
            kept.map_or(String::new(), |epoch| format!(", weights of epoch {epoch}")),
            made.train_seconds,
            made.inference_seconds
        ));
    }
    Ok(made)
}
