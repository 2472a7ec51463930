//! Cubes as pictures: false colour, error maps, panels side by side.

use ndarray::{ArrayView2, ArrayView3, Axis};

use crate::{Canvas, Color, Error, Result, error_color};

const MARGIN: usize = 12;
const ERROR_LABEL: &str = "mean |error|";
const SCALE_LABEL: &str = "error scale";
const INK: Color = [30, 30, 34];
const PAPER: Color = [255, 255, 255];
/// Panels are zoomed until they are about this high.
const PANEL_HEIGHT: usize = 256;

/// Values that become black and white, for each of the three channels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// Value shown as 0, for red, green and blue.
    pub low: [f32; 3],
    /// Value shown as 255, for red, green and blue.
    pub high: [f32; 3],
}

impl Stretch {
    /// From the 2nd to the 98th percentile of each channel; NaN is left out.
    fn of(channels: [ArrayView2<'_, f32>; 3]) -> Self {
        let mut stretch = Self { low: [0.0; 3], high: [1.0; 3] };
        for (i, channel) in channels.iter().enumerate() {
            let mut values: Vec<f32> = channel.iter().copied().filter(|v| v.is_finite()).collect();
            if values.is_empty() {
                continue;
            }
            values.sort_by(f32::total_cmp);
            let at = |share: f32| values[((values.len() - 1) as f32 * share).round() as usize];
            stretch.low[i] = at(0.02);
            stretch.high[i] = at(0.98).max(stretch.low[i] + f32::EPSILON);
        }
        stretch
    }
}

/// Which bands of a cube are shown as red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FalseColor {
    /// Bands from 0: red, green, blue.
    pub bands: [usize; 3],
}

impl FalseColor {
    fn channels<'a>(&self, cube: &'a ArrayView3<'_, f32>) -> Result<[ArrayView2<'a, f32>; 3]> {
        let bands = cube.len_of(Axis(0));
        if cube.is_empty() {
            return Err(Error::Empty("the cube has no pixels"));
        }
        if let Some(&band) = self.bands.iter().find(|&&band| band >= bands) {
            return Err(Error::Band { band, bands });
        }
        Ok(self.bands.map(|band| cube.index_axis(Axis(0), band)))
    }

    /// The stretch from the 2nd to the 98th percentile of each of the three bands.
    ///
    /// # Errors
    /// When a band does not exist or the cube is empty.
    pub fn stretch(&self, cube: ArrayView3<'_, f32>) -> Result<Stretch> {
        Ok(Stretch::of(self.channels(&cube)?))
    }

    /// Draws a cube `[bands, rows, cols]`, a pixel each.
    ///
    /// # Errors
    /// When a band does not exist or the cube is empty.
    pub fn draw(&self, cube: ArrayView3<'_, f32>, stretch: &Stretch) -> Result<Canvas> {
        let channels = self.channels(&cube)?;
        let (rows, cols) = channels[0].dim();
        let mut canvas = Canvas::new(cols, rows, [0; 3]);
        for row in 0..rows {
            for col in 0..cols {
                let color = std::array::from_fn(|i| {
                    let (low, high) = (stretch.low[i], stretch.high[i]);
                    let value = (channels[i][[row, col]] - low) / (high - low);
                    (value.clamp(0.0, 1.0) * 255.0).round() as u8
                });
                canvas.blend(col as i64, row as i64, color, 1.0);
            }
        }
        Ok(canvas)
    }
}

/// A cube and its caption.
#[derive(Debug, Clone)]
pub struct Panel<'a> {
    /// Caption, one line.
    pub label: String,
    /// The cube, `[bands, rows, cols]`.
    pub cube: ArrayView3<'a, f32>,
}

/// Cubes side by side in the same false colour, with a map of the error of each after the first.
#[derive(Debug, Clone)]
pub struct Comparison<'a> {
    /// Line at the top; the band choice belongs here.
    pub title: String,
    /// The choice of bands.
    pub colors: FalseColor,
    /// The reference: sets the stretch, and what errors are measured against.
    pub reference: Panel<'a>,
    /// What is compared with it.
    pub others: Vec<Panel<'a>>,
    /// Mean absolute error that is drawn brightest.
    pub error_limit: f32,
}

impl Comparison<'_> {
    /// Draws the comparison: the cubes in one row, below them the mean over bands of the absolute
    /// error.
    ///
    /// # Errors
    /// When shapes differ, a band does not exist, or a cube is empty.
    pub fn draw(&self) -> Result<Canvas> {
        let stretch = self.colors.stretch(self.reference.cube)?;
        let shape = self.reference.cube.dim();
        let (_, rows, cols) = shape;
        for panel in &self.others {
            if panel.cube.dim() != shape {
                let (expected, got) = (shape.into(), panel.cube.dim());
                return Err(Error::Shape { label: panel.label.clone(), expected, got: got.into() });
            }
        }
        let zoom = (PANEL_HEIGHT / rows.max(cols)).clamp(1, 8);
        let labels = std::iter::once(&self.reference).chain(&self.others);
        let widest = labels.map(|panel| Canvas::text_width(&panel.label)).max().unwrap_or(0);
        let (step_x, panel_h) = ((cols * zoom).max(widest) + MARGIN, rows * zoom);
        let line = Canvas::LINE_HEIGHT + 4;
        let columns = 1 + self.others.len();
        let width = (MARGIN + columns * step_x).max(Canvas::text_width(&self.title) + 2 * MARGIN);
        let height = MARGIN + line + 2 * (line + panel_h + MARGIN);
        let mut canvas = Canvas::new(width, height, PAPER);
        canvas.text(MARGIN as i64, MARGIN as i64 / 2, &self.title, INK);
        let top = MARGIN + line;
        let below = top + line + panel_h + MARGIN;
        let mut place = |index: usize, y: usize, label: &str, picture: &Canvas| {
            let x = MARGIN + index * step_x;
            canvas.text(x as i64, y as i64, label, INK);
            canvas.paste(picture, x, y + line, zoom);
        };
        place(0, top, &self.reference.label, &self.colors.draw(self.reference.cube, &stretch)?);
        for (i, panel) in self.others.iter().enumerate() {
            place(i + 1, top, &panel.label, &self.colors.draw(panel.cube, &stretch)?);
            let map = error_map(self.reference.cube, panel.cube, self.error_limit);
            place(i + 1, below, ERROR_LABEL, &map);
        }
        let bar = error_bar(step_x - MARGIN);
        let x = MARGIN as i64;
        canvas.text(x, below as i64, SCALE_LABEL, INK);
        canvas.paste(&bar, MARGIN, below + line, 1);
        let y = (below + line + bar.height() + 4) as i64;
        let limit = format!("{:.2}", self.error_limit);
        let right = x + bar.width() as i64 - Canvas::text_width(&limit) as i64;
        canvas.text(x, y, "0", INK);
        canvas.text(right, y, &limit, INK);
        Ok(canvas)
    }
}

/// The mean over bands of the absolute difference, `limit` drawn brightest. Shapes are equal.
fn error_map(reference: ArrayView3<'_, f32>, other: ArrayView3<'_, f32>, limit: f32) -> Canvas {
    let (bands, rows, cols) = reference.dim();
    let mut canvas = Canvas::new(cols, rows, [0; 3]);
    for row in 0..rows {
        for col in 0..cols {
            let sum: f32 = (0..bands)
                .map(|band| (reference[[band, row, col]] - other[[band, row, col]]).abs())
                .sum();
            let color = error_color(sum / bands as f32 / limit);
            canvas.blend(col as i64, row as i64, color, 1.0);
        }
    }
    canvas
}

fn error_bar(width: usize) -> Canvas {
    let mut bar = Canvas::new(width, 14, PAPER);
    for x in 0..width {
        let color = error_color(x as f32 / (width - 1).max(1) as f32);
        bar.fill_rect(x, 0, 1, 14, color);
    }
    bar
}
