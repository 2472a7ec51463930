//! Many degradations of one scene.

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;
use spectralift::{LiftConfig, PsfShape};

use super::args::List;
use super::case::Label;
use super::estimate::{Method, estimate, score};
use super::models::ModelArgs;
use super::scene::{Scene, Setting};
use super::sensors::SensorArgs;
use super::table::{Line, markdown, write_csv};
use crate::output::print_error;
use crate::progress::Bar;

/// Which degradations a sweep goes through.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sweep")]
pub struct SweepArgs {
    /// Synthetic mode: go through several degradations and write the table, sweep.csv and
    /// sweep.md. Without lists: the ten published PSFs, each with the eight published pairs of
    /// ratio and band count
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
}

/// Published pairs of ratio and multispectral bands.
const PUBLISHED: [(usize, usize); 8] =
    [(4, 4), (8, 4), (16, 4), (32, 4), (8, 1), (8, 3), (8, 8), (8, 16)];

impl SweepArgs {
    /// Refuses lists without a sweep.
    ///
    /// # Errors
    /// When there is one.
    pub fn check(&self) -> Result<()> {
        let lists = self.psfs.is_some() || self.ratios.is_some() || self.band_counts.is_some();
        if lists && !self.sweep {
            bail!("--psfs, --ratios and --band-counts are lists for --sweep");
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
        let lists = (&self.psfs, &self.ratios, &self.band_counts);
        if let (None, None, None) = lists {
            // What is published is not the diffraction pattern, which the reference lacks.
            let published = PsfShape::ALL.into_iter().filter(|&psf| psf != PsfShape::AiryDisc);
            let of = |psf| {
                PUBLISHED.map(|(ratio, msi_bands)| Setting { psf, ratio, msi_bands }).into_iter()
            };
            return Ok(published.flat_map(of).collect());
        }
        let psfs = self.psfs.as_ref().map_or(vec![sensors.psf_type], |list| list.0.clone());
        let ratios =
            self.ratios.as_ref().map_or(vec![sensors.downsample_ratio], |list| list.0.clone());
        let counts = self
            .band_counts
            .as_ref()
            .map_or(vec![sensors.num_msi_bands.unwrap_or(4)], |list| list.0.clone());
        for &count in &counts {
            spectralift::sensor_bands(count)?;
        }
        let mut settings = Vec::new();
        for &psf in &psfs {
            for &ratio in &ratios {
                let of = |&msi_bands: &usize| Setting { psf, ratio, msi_bands };
                settings.extend(counts.iter().map(of));
            }
        }
        Ok(settings)
    }
}

/// Goes through the settings. The table is written anew after each; what fails is a row of it.
///
/// # Errors
/// When the table cannot be written, or every setting fails.
pub fn sweep(
    scene: &Scene,
    settings: &[Setting],
    sensors: &SensorArgs,
    (model, configs): (&ModelArgs, &[Option<LiftConfig>]),
    save_dir: &Path,
) -> Result<Vec<Line>> {
    let mut lines: Vec<Line> = Vec::new();
    let mut bar = Bar::new();
    for (done, setting) in settings.iter().enumerate() {
        let name =
            format!("{}, {}x, {} bands", setting.psf.name(), setting.ratio, setting.msi_bands);
        bar.show(&name, done, settings.len());
        let start = Instant::now();
        match one(scene, sensors, *setting, model, configs) {
            Ok(of_setting) => lines.extend(of_setting),
            Err(error) => {
                let reason = error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
                print_error(&format!("note: {name}: {reason}"));
                lines.push(failed(scene, sensors, *setting, model, reason, start));
            }
        }
        write_csv(&save_dir.join("sweep.csv"), &lines)?;
    }
    bar.show("sweep", settings.len(), settings.len());
    let table = markdown(&scene.name, &lines);
    hsi_train::files::write_text(&save_dir.join("sweep.md"), &table)?;
    if let Some(Line { outcome: Err(reason), .. }) = lines.first()
        && lines.iter().all(|line| line.outcome.is_err())
    {
        bail!("every setting of the sweep failed, the first because: {reason}");
    }
    Ok(lines)
}

fn one(
    scene: &Scene,
    sensors: &SensorArgs,
    setting: Setting,
    model: &ModelArgs,
    configs: &[Option<LiftConfig>],
) -> Result<Vec<Line>> {
    let case = scene.observe(sensors, setting)?;
    let mut lines = Vec::new();
    for (method, config) in model.methods().into_iter().zip(configs) {
        let start = Instant::now();
        let made = estimate(&case, method, config.as_ref(), &mut |_| ())?;
        let metrics = score(scene.truth.view(), made.image.view(), case.hr_missing.as_ref())?;
        lines.push(Line::new(&case, &made, metrics, start.elapsed().as_secs_f64()));
    }
    Ok(lines)
}

fn failed(
    scene: &Scene,
    sensors: &SensorArgs,
    setting: Setting,
    model: &ModelArgs,
    reason: String,
    start: Instant,
) -> Line {
    let label = Label {
        scene: scene.name.clone(),
        psf: setting.psf.name().to_owned(),
        sigma: Some(sensors.sigma),
        kernel_rows: Some(sensors.kernel_size.saturating_mul(2).saturating_add(1)),
        ratio: Some(setting.ratio),
        snr_spatial_db: sensors.snr_spatial_db(setting.ratio),
        snr_spectral_db: sensors.snr_spectral.0,
        fwhm_factor: Some(sensors.fwhm_factor),
        seed: sensors.seed,
    };
    Line {
        label,
        method: Method::Model(model.model).to_string(),
        msi_bands: setting.msi_bands,
        shapes: None,
        outcome: Err(reason),
        seconds: start.elapsed().as_secs_f64(),
    }
}
