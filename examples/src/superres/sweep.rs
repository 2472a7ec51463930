//! Many degradations of one scene.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;
use hsi_metrics::Variant;
use hsi_train::files::{write_json, write_text};
use serde_json::json;
use spectralift::{LiftConfig, PsfShape};

use super::args::{ImageArgs, List};
use super::case::Label;
use super::estimate::{Method, estimate, score};
use super::run::Plan;
use super::scene::{Scene, Setting};
use super::sensors::SensorArgs;
use super::table::{Line, markdown, medians, write_csv};
use crate::output::print_error;
use crate::progress::Bar;

/// Which degradations a sweep goes through.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sweep")]
pub struct SweepArgs {
    /// Synthetic mode: go through several degradations and write the table, sweep.csv with a row
    /// for each, sweep.md with the median over seeds. Without lists: the ten published PSFs, each
    /// with the eight published pairs of ratio and band count
    #[arg(long)]
    pub sweep: bool,
    /// PSFs of the sweep, joined by commas [default: --psf-type, if another list is given]
    #[arg(long, value_name = "NAMES")]
    pub psfs: Option<List<PsfShape>>,
    /// Ratios of the sweep, joined by commas [default: --downsample-ratio]
    #[arg(long, value_name = "RATIOS")]
    pub ratios: Option<List<usize>>,
    /// Band counts of the sweep, joined by commas [default: --num-msi-bands]
    #[arg(long, value_name = "COUNTS")]
    pub band_counts: Option<List<usize>>,
    /// Seeds of the sweep, joined by commas [default: --seed]
    #[arg(long, value_name = "SEEDS")]
    pub seeds: Option<List<u64>>,
    /// Cubes of the sweep, joined by commas [default: --input]
    #[arg(long, value_name = "CUBES")]
    pub scenes: Option<List<PathBuf>>,
}

/// Published pairs of ratio and multispectral bands.
const PUBLISHED: [(usize, usize); 8] =
    [(4, 4), (8, 4), (16, 4), (32, 4), (8, 1), (8, 3), (8, 8), (8, 16)];

impl SweepArgs {
    fn has_list(&self) -> bool {
        let Self { psfs, ratios, band_counts, seeds, scenes, sweep: _ } = self;
        psfs.is_some()
            || ratios.is_some()
            || band_counts.is_some()
            || seeds.is_some()
            || scenes.is_some()
    }

    /// Refuses lists without a sweep, and scenes in two places.
    ///
    /// # Errors
    /// When there are such.
    pub fn check(&self, images: &ImageArgs) -> Result<()> {
        if self.has_list() && !self.sweep {
            bail!("--psfs, --ratios, --band-counts, --seeds and --scenes are lists for --sweep");
        }
        if self.scenes.is_some() && images.input.is_some() {
            bail!("--scenes takes the place of --input: name one of them");
        }
        Ok(())
    }

    /// The settings, in the order of the table.
    ///
    /// # Errors
    /// When a setting cannot be meant.
    pub fn settings(&self, sensors: &SensorArgs) -> Result<Vec<Setting>> {
        if sensors.psf_file.is_some() || sensors.srf_file.is_some() {
            bail!("--sweep builds PSF and SRF: leave out --psf-file and --srf-file");
        }
        if !self.has_list() {
            // What is published is not the diffraction pattern, which the reference lacks.
            let published = PsfShape::ALL.into_iter().filter(|&psf| psf != PsfShape::AiryDisc);
            let seed = sensors.seed;
            let of =
                |psf| PUBLISHED.map(|(ratio, msi_bands)| Setting { psf, ratio, msi_bands, seed });
            return Ok(published.flat_map(of).collect());
        }
        let psfs = self.psfs.as_ref().map_or(vec![sensors.shape()], |list| list.0.clone());
        let ratios = self.ratios.as_ref().map_or(vec![sensors.ratio()], |list| list.0.clone());
        let counts = self
            .band_counts
            .as_ref()
            .map_or(vec![sensors.num_msi_bands.unwrap_or(4)], |list| list.0.clone());
        let seeds = self.seeds.as_ref().map_or(vec![sensors.seed], |list| list.0.clone());
        for &count in &counts {
            spectralift::sensor_bands(count)?;
        }
        let mut settings = Vec::new();
        for &psf in &psfs {
            for &ratio in &ratios {
                for &msi_bands in &counts {
                    let of = |&seed: &u64| Setting { psf, ratio, msi_bands, seed };
                    settings.extend(seeds.iter().map(of));
                }
            }
        }
        Ok(settings)
    }
}

/// Goes through the settings of each scene. The table is written anew after each; what fails is a
/// row of it.
///
/// # Errors
/// When the table cannot be written, or every setting fails.
pub fn sweep(
    scenes: &[Scene],
    settings: &[Setting],
    plan: &Plan<'_>,
    save_dir: &Path,
) -> Result<Vec<Line>> {
    let mut lines: Vec<Line> = Vec::new();
    let mut bar = Bar::new();
    let all = scenes.iter().flat_map(|scene| settings.iter().map(move |&of| (scene, of)));
    let count = scenes.len() * settings.len();
    for (done, (scene, setting)) in all.enumerate() {
        let Setting { psf, ratio, msi_bands, .. } = setting;
        let name = format!("{}, {}, {ratio}x, {msi_bands} bands", scene.name, psf.name());
        bar.show(&name, done, count);
        let start = Instant::now();
        match one(scene, setting, plan) {
            Ok(of_setting) => lines.extend(of_setting),
            Err(error) => {
                let reason = error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
                print_error(&format!("note: {name}: {reason}"));
                lines.push(failed(scene, setting, plan, reason, start));
            }
        }
        write_csv(&save_dir.join("sweep.csv"), &lines)?;
    }
    bar.show("sweep", count, count);
    if let Some(Line { outcome: Err(reason), .. }) = lines.first()
        && lines.iter().all(|line| line.outcome.is_err())
    {
        bail!("every setting of the sweep failed, the first because: {reason}");
    }
    let medians = medians(&lines);
    let mut seeds: Vec<String> = Vec::new();
    for seed in settings.iter().map(|setting| setting.seed.to_string()) {
        if !seeds.contains(&seed) {
            seeds.push(seed);
        }
    }
    write_text(&save_dir.join("sweep.md"), &markdown(&medians, &seeds))?;
    let names: Vec<&str> = scenes.iter().map(|scene| scene.name.as_str()).collect();
    let noise = plan.sensors.snr_spectral_db().map_or("none".to_owned(), |snr| format!("{snr} dB"));
    let report = json!({
        "protocol": {
            "noise": format!("multispectral {noise}"),
            "normalisation": plan.images.normalisation.to_string(),
            "split": "sweep",
            "seeds": seeds.join(", "),
            "data": names.join(", "),
        },
        "rows": medians.iter().filter_map(|line| line.sweep_row(seeds.len())).collect::<Vec<_>>(),
        "definitions": Variant::HyperBench,
    });
    write_json(&save_dir.join("metrics.json"), &report)?;
    Ok(lines)
}

fn one(scene: &Scene, setting: Setting, plan: &Plan<'_>) -> Result<Vec<Line>> {
    let case = scene.observe(plan.sensors, setting)?;
    let mut lines = Vec::new();
    for (method, config) in plan.model.methods().into_iter().zip(&plan.configs) {
        let start = Instant::now();
        let config =
            config.as_ref().map(|config| LiftConfig { seed: setting.seed, ..config.clone() });
        let made = estimate(&case, method, config.as_ref(), &mut |_| ())?;
        let metrics = score(scene.truth.view(), made.image.view(), case.hr_missing.as_ref())?;
        lines.push(Line::new(&case, &made, metrics, start.elapsed().as_secs_f64()));
    }
    Ok(lines)
}

fn failed(
    scene: &Scene,
    setting: Setting,
    plan: &Plan<'_>,
    reason: String,
    start: Instant,
) -> Line {
    let sensors = plan.sensors;
    let label = Label {
        scene: scene.name.clone(),
        psf: setting.psf.name().to_owned(),
        sigma: Some(sensors.sigma()),
        kernel_rows: Some(sensors.radius().saturating_mul(2).saturating_add(1)),
        ratio: Some(setting.ratio),
        snr_spatial_db: sensors.snr_spatial_db(setting.ratio),
        snr_spectral_db: sensors.snr_spectral_db(),
        fwhm_factor: Some(sensors.fwhm_factor()),
        seed: setting.seed,
    };
    Line {
        label,
        method: Method::Model(plan.model.model).to_string(),
        msi_bands: setting.msi_bands,
        shapes: None,
        outcome: Err(reason),
        seconds: start.elapsed().as_secs_f64(),
    }
}
