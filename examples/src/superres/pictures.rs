//! Pictures of a run: images, errors, spectra, sensors, the course of the training.

use std::path::Path;

use anyhow::Result;
use hsi_pictures::{Canvas, FalseColor, Gallery, LineChart, Palette, Scale, Series, Stretch, Tile};
use hsi_train::files::create_dir;
use ndarray::{Array2, Array3, ArrayView3, Axis};
use spectralift::LiftReport;

use super::case::Case;
use super::estimate::{Method, error_map};
use crate::output::picture_bands;

/// Sizes of a chart in pixels.
const CHART: (usize, usize) = (560, 320);
/// Pixels whose spectra are drawn lie at these parts of the order of brightness.
const SHARES: [f64; 4] = [0.05, 0.35, 0.65, 0.95];

/// What is kept of an estimate for its pictures.
#[derive(Debug)]
struct Kept {
    label: String,
    /// Red, green and blue, `[3, rows, cols]`.
    colors: Array3<f32>,
    error: Option<Array2<f32>>,
    /// Of the sample pixels.
    spectra: Vec<Vec<f32>>,
}

/// Collects what pictures show while estimates come and go.
#[derive(Debug)]
pub struct Pictures {
    colors: FalseColor,
    caption: String,
    x: Vec<f64>,
    x_label: &'static str,
    samples: Vec<(usize, usize)>,
    truth: Option<Kept>,
    kept: Vec<Kept>,
}

impl Pictures {
    /// For cubes with these wavelengths; with a truth, the sample pixels are those of its
    /// brightness, else of the multispectral image's.
    ///
    /// # Errors
    /// When there are no bands.
    pub fn new(
        case: &Case,
        truth: Option<ArrayView3<'_, f32>>,
        wavelengths_nm: Option<&[f32]>,
    ) -> Result<Self> {
        let bands = case.lr_hsi.dim().0;
        let (colors, caption) = picture_bands(bands, wavelengths_nm)?;
        let (x, x_label) = match wavelengths_nm {
            Some(list) => (list.iter().map(|&nm| f64::from(nm)).collect(), "nm"),
            None => ((0..bands).map(|band| band as f64).collect(), "band"),
        };
        let samples = samples(truth.unwrap_or(case.hr_msi.view()), case.hr_missing.as_ref());
        let mut pictures =
            Self { colors, caption, x, x_label, samples, truth: None, kept: Vec::new() };
        pictures.truth = truth.map(|truth| pictures.keep("truth", truth, None));
        Ok(pictures)
    }

    fn keep(
        &self,
        label: &str,
        image: ArrayView3<'_, f32>,
        truth: Option<ArrayView3<'_, f32>>,
    ) -> Kept {
        let spectrum = |&(row, col): &(usize, usize)| -> Vec<f32> {
            image.axis_iter(Axis(0)).map(|band| band[[row, col]]).collect()
        };
        Kept {
            label: label.to_owned(),
            colors: image.select(Axis(0), &self.colors.bands),
            error: truth.map(|truth| error_map(truth, image)),
            spectra: self.samples.iter().map(spectrum).collect(),
        }
    }

    /// Adds an estimate.
    pub fn add(
        &mut self,
        method: Method,
        image: ArrayView3<'_, f32>,
        truth: Option<ArrayView3<'_, f32>>,
    ) {
        let kept = self.keep(&method.to_string(), image, truth);
        self.kept.push(kept);
    }

    /// Draws all that there is: `images.png`, `spectra.png`, `srf.png`, `psf.png`, `loss.png`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path, case: &Case, report: Option<&LiftReport>) -> Result<()> {
        create_dir(folder)?;
        self.images(case)?.write_png(folder.join("images.png"))?;
        self.spectra()?.write_png(folder.join("spectra.png"))?;
        self.response(case).draw(960, 420)?.write_png(folder.join("srf.png"))?;
        if let Some(canvas) = kernel(case)? {
            canvas.write_png(folder.join("psf.png"))?;
        }
        if let Some(canvas) = report.map(losses).transpose()?.flatten() {
            canvas.write_png(folder.join("loss.png"))?;
        }
        Ok(())
    }

    /// The inputs, the truth and the estimates, below them their errors.
    fn images(&self, case: &Case) -> Result<Canvas> {
        let shown = FalseColor { bands: [0, 1, 2] };
        let low = case.lr_hsi.select(Axis(0), &self.colors.bands);
        let reference = self.truth.as_ref().or(self.kept.last());
        let stretch = shown.stretch(reference.map_or(low.view(), |kept| kept.colors.view()))?;
        let draw = |colors: &Array3<f32>, stretch: &Stretch| shown.draw(colors.view(), stretch);
        let (_, rows, cols) = case.lr_hsi.dim();
        let msi = msi_colors(&case.hr_msi, case);
        let mut above = vec![
            Some(Tile::new(format!("input {rows} x {cols}"), draw(&low, &stretch)?)),
            Some(Tile::new(
                format!("multispectral, {} bands", case.hr_msi.dim().0),
                draw(&msi, &shown.stretch(msi.view())?)?,
            )),
        ];
        let mut below = vec![None, None];
        for kept in self.truth.iter().chain(&self.kept) {
            above.push(Some(Tile::new(kept.label.clone(), draw(&kept.colors, &stretch)?)));
            below.push(None);
        }
        let limit = self.error_limit();
        for (place, kept) in below.iter_mut().rev().zip(self.kept.iter().rev()) {
            let map = kept.error.as_ref().map(|map| Palette::Error.draw(map.view(), limit));
            *place = map.map(|map| Tile::new("mean |error|", map));
        }
        let scored = below.iter().any(Option::is_some);
        let scale = scored.then(|| Scale {
            label: "mean over bands of |error|, on the [0, 1] scale".to_owned(),
            palette: Palette::Error,
            limit,
        });
        let title = format!("{}, {}", case.label.scene, self.caption);
        let rows = if scored { vec![above, below] } else { vec![above] };
        Ok(Gallery { title, rows, scale }.draw()?)
    }

    /// Twice the error that 98 % of the pixels of the last estimate keep below.
    fn error_limit(&self) -> f32 {
        let last = self.kept.last().and_then(|kept| kept.error.as_ref());
        let mut values: Vec<f32> =
            last.map(|map| map.iter().copied().collect()).unwrap_or_default();
        values.sort_by(f32::total_cmp);
        let at = (values.len().saturating_sub(1) as f64 * 0.98).round() as usize;
        (2.0 * values.get(at).copied().unwrap_or_default()).max(1e-4)
    }

    fn spectra(&self) -> Result<Canvas> {
        let tiles = self.samples.iter().enumerate().map(|(nth, (row, col))| {
            let of = |kept: &Kept| Series::new(kept.label.clone(), self.line(&kept.spectra[nth]));
            let chart = LineChart {
                title: format!("row {row}, column {col}"),
                x_label: self.x_label.to_owned(),
                y_label: "value".to_owned(),
                log_y: false,
                series: self.truth.iter().chain(&self.kept).map(of).collect(),
            };
            Ok(Some(Tile::new("", chart.draw(CHART.0, CHART.1)?)))
        });
        let tiles = tiles.collect::<Result<Vec<_>>>()?;
        let rows = tiles.chunks(2).map(<[_]>::to_vec).collect();
        let title = "Spectra of four pixels, from dark to bright".to_owned();
        Ok(Gallery { title, rows, scale: None }.draw()?)
    }

    /// A value for each band as a line, in the order of the wavelengths.
    fn line(&self, values: &[f32]) -> Vec<(f64, f64)> {
        let mut points: Vec<(f64, f64)> =
            self.x.iter().copied().zip(values.iter().map(|&value| f64::from(value))).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points
    }

    fn response(&self, case: &Case) -> LineChart {
        let weights = case.srf.weights();
        let of = |(band, row): (usize, ndarray::ArrayView1<'_, f32>)| {
            Series::new(band.to_string(), self.line(&row.to_vec()))
        };
        LineChart {
            title: format!("Response of the {} multispectral bands", case.srf.msi_bands()),
            x_label: self.x_label.to_owned(),
            y_label: "weight".to_owned(),
            log_y: false,
            series: weights.outer_iter().enumerate().map(of).collect(),
        }
    }
}

/// Pixels from dark to bright.
fn samples(image: ArrayView3<'_, f32>, missing: Option<&Array2<bool>>) -> Vec<(usize, usize)> {
    let brightness = image.sum_axis(Axis(0));
    let mut pixels: Vec<((usize, usize), f32)> = brightness
        .indexed_iter()
        .filter(|&(at, _)| missing.is_none_or(|mask| !mask[at]))
        .map(|(at, &value)| (at, value))
        .collect();
    pixels.sort_by(|a, b| a.1.total_cmp(&b.1));
    let last = pixels.len().saturating_sub(1) as f64;
    let at = |share: f64| pixels.get((last * share).round() as usize).map(|&(at, _)| at);
    SHARES.iter().filter_map(|&share| at(share)).collect()
}

/// Three of the multispectral bands as red, green and blue: the longest wave first, by where the
/// response is.
fn msi_colors(msi: &Array3<f32>, case: &Case) -> Array3<f32> {
    let bands = msi.dim().0;
    let weights = case.srf.weights();
    let center = |band: usize| -> f32 {
        weights.row(band).iter().enumerate().map(|(j, w)| j as f32 * w).sum()
    };
    let mut order: Vec<usize> = (0..bands).collect();
    order.sort_by(|&a, &b| center(a).total_cmp(&center(b)));
    let at = |place: usize| order.get(place.min(bands.saturating_sub(1))).copied().unwrap_or(0);
    // Sensors with three bands or more begin with blue, green and red.
    msi.select(Axis(0), &[at(2), at(1), at(0)])
}

/// The blur: its kernel, and the row through the centre.
fn kernel(case: &Case) -> Result<Option<Canvas>> {
    let Some(psf) = &case.psf else { return Ok(None) };
    let kernel = psf.kernel().mapv(|k| k as f32);
    let limit = kernel.iter().fold(0.0f32, |limit, k| limit.max(k.abs()));
    let signed = kernel.iter().any(|&k| k < 0.0);
    let palette = if signed { Palette::Signed } else { Palette::Error };
    let (rows, cols) = kernel.dim();
    let (row, center) = ((rows - 1) / 2, (cols - 1) / 2);
    let line = kernel.row(row);
    let points = line.iter().enumerate();
    let chart = LineChart {
        title: "Row through the centre".to_owned(),
        x_label: "pixels of high resolution".to_owned(),
        y_label: "weight".to_owned(),
        log_y: false,
        series: vec![Series::new(
            "",
            points.map(|(i, &k)| (i as f64 - center as f64, f64::from(k))).collect(),
        )],
    };
    let tiles = vec![
        Some(Tile::new(format!("kernel {rows} x {cols}"), palette.draw(kernel.view(), limit))),
        Some(Tile::new("", chart.draw(CHART.0, CHART.1)?)),
    ];
    let scale = Scale { label: "weight".to_owned(), palette, limit };
    let title = format!("PSF {}", case.label.psf);
    Ok(Some(Gallery { title, rows: vec![tiles], scale: Some(scale) }.draw()?))
}

/// The course of a training, if there was one.
fn losses(report: &LiftReport) -> Result<Option<Canvas>> {
    if report.losses.is_empty() {
        return Ok(None);
    }
    let points = report.losses.iter().enumerate();
    let mut series =
        vec![Series::new("training", points.map(|(i, &loss)| (i as f64 + 1.0, loss)).collect())];
    if !report.held_out_losses.is_empty() {
        let held = report.held_out_losses.iter().map(|&(epoch, loss)| (epoch as f64, loss));
        series.push(Series::new("held out", held.collect()));
    }
    let chart = LineChart {
        title: format!("Training of the model `{}`", report.model),
        x_label: "epoch".to_owned(),
        y_label: "mean absolute error".to_owned(),
        log_y: true,
        series,
    };
    Ok(Some(chart.draw(720, 420)?))
}
