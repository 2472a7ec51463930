//! Line charts.

use crate::{Canvas, Color, Error, Result, series_color};

const INK: Color = [30, 30, 34];
const GRID: Color = [224, 226, 230];
const PAPER: Color = [255, 255, 255];

/// One line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// Points in the order in which they are joined; those that are not finite are left out.
    pub points: Vec<(f64, f64)>,
}

impl Series {
    /// A line with its name.
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points }
    }
}

/// A chart of lines over a common horizontal axis.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LineChart {
    /// Line at the top.
    pub title: String,
    /// Caption of the horizontal axis, with its unit.
    pub x_label: String,
    /// Caption of the vertical axis, with its unit.
    pub y_label: String,
    /// Whether the vertical axis is logarithmic; points at or below 0 are then left out.
    pub log_y: bool,
    /// The lines.
    pub series: Vec<Series>,
}

struct Axis {
    low: f64,
    high: f64,
    ticks: Vec<f64>,
}

impl LineChart {
    /// Draws the chart.
    ///
    /// # Errors
    /// When no line has a point that can be drawn.
    pub fn draw(&self, width: usize, height: usize) -> Result<Canvas> {
        let mut canvas = Canvas::new(width.max(240), height.max(160), PAPER);
        self.draw_onto(&mut canvas)?;
        Ok(canvas)
    }

    fn value(&self, y: f64) -> f64 {
        if self.log_y { y.log10() } else { y }
    }

    fn visible(&self, series: &Series) -> Vec<(f64, f64)> {
        let points = series.points.iter().map(|&(x, y)| (x, self.value(y)));
        points.filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
    }

    fn draw_onto(&self, canvas: &mut Canvas) -> Result<()> {
        let lines: Vec<Vec<(f64, f64)>> = self.series.iter().map(|s| self.visible(s)).collect();
        let all = || lines.iter().flatten().copied();
        if all().next().is_none() {
            return Err(Error::Empty("the chart has no points"));
        }
        let x_axis = linear_axis(all().map(|p| p.0), 8);
        let y_axis = if self.log_y {
            log_axis(all().map(|p| p.1))
        } else {
            linear_axis(all().map(|p| p.1), 6)
        };
        let labels: Vec<String> =
            y_axis.ticks.iter().map(|&t| self.tick_label(t, &y_axis)).collect();
        let label_width = labels.iter().map(|l| Canvas::text_width(l)).max().unwrap_or(0);
        let (left, right) = (label_width as f64 + 22.0, canvas.width() as f64 - 18.0);
        let (top, bottom) = (58.0, canvas.height() as f64 - 48.0);
        let to_x = |x: f64| left + (x - x_axis.low) / (x_axis.high - x_axis.low) * (right - left);
        let to_y = |y: f64| bottom - (y - y_axis.low) / (y_axis.high - y_axis.low) * (bottom - top);

        canvas.text(12, 6, &self.title, INK);
        canvas.text(12, 30, &self.y_label, INK);
        let x_caption = right as i64 - Canvas::text_width(&self.x_label) as i64;
        canvas.text(x_caption, bottom as i64 + 26, &self.x_label, INK);
        for (&tick, label) in y_axis.ticks.iter().zip(&labels) {
            let y = to_y(tick);
            canvas.line((left, y), (right, y), 1.0, GRID);
            let x = left as i64 - 8 - Canvas::text_width(label) as i64;
            canvas.text(x, y as i64 - 8, label, INK);
        }
        for &tick in &x_axis.ticks {
            let x = to_x(tick);
            canvas.line((x, bottom), (x, bottom + 4.0), 1.0, INK);
            let label = number(tick, x_axis.high - x_axis.low);
            canvas.text(
                x as i64 - Canvas::text_width(&label) as i64 / 2,
                bottom as i64 + 7,
                &label,
                INK,
            );
        }
        canvas.line((left, bottom), (right, bottom), 1.0, INK);
        canvas.line((left, top), (left, bottom), 1.0, INK);
        for (i, line) in lines.iter().enumerate() {
            let color = series_color(i);
            for pair in line.windows(2) {
                let (a, b) = (pair[0], pair[1]);
                canvas.line((to_x(a.0), to_y(a.1)), (to_x(b.0), to_y(b.1)), 2.0, color);
            }
            if let [only] = line[..] {
                let (x, y) = (to_x(only.0), to_y(only.1));
                canvas.line((x, y), (x, y), 6.0, color);
            }
        }
        self.draw_legend(canvas, right as i64);
        Ok(())
    }

    /// Names and colours of the lines on the right of the second line; those that would run into
    /// the caption of the axis are left out, the last ones first. A single line without a name
    /// needs none.
    fn draw_legend(&self, canvas: &mut Canvas, right: i64) {
        if let [only] = self.series.as_slice()
            && only.name.is_empty()
        {
            return;
        }
        let left = 12 + Canvas::text_width(&self.y_label) as i64 + 12;
        let room = right - left;
        let mut used = 0;
        let fits = |series: &&Series| {
            used += Canvas::text_width(&series.name) as i64 + 40;
            used - 16 <= room
        };
        let count = self.series.iter().take_while(fits).count();
        let mut x = right;
        for (i, series) in self.series.iter().enumerate().take(count).rev() {
            x -= Canvas::text_width(&series.name) as i64;
            canvas.text(x, 30, &series.name, INK);
            let y = 38.0;
            canvas.line((x as f64 - 24.0, y), (x as f64 - 8.0, y), 3.0, series_color(i));
            x -= 40;
        }
    }

    fn tick_label(&self, tick: f64, axis: &Axis) -> String {
        if self.log_y { number(10f64.powf(tick), 0.0) } else { number(tick, axis.high - axis.low) }
    }
}

/// Limits and ticks at multiples of 1, 2 or 5 times a power of ten.
fn linear_axis(values: impl Iterator<Item = f64>, count: usize) -> Axis {
    let (mut low, mut high) = bounds(values);
    if high - low < 1e-12 * high.abs().max(1e-3) {
        low -= 0.5;
        high += 0.5;
    }
    let raw = (high - low) / count as f64;
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|&s| s >= raw);
    let step = step.unwrap_or(raw);
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    Axis { low, high, ticks: (first..=last).map(|i| i as f64 * step).collect() }
}

/// Limits and ticks at round multiples of powers of ten; values and ticks are logarithms.
fn log_axis(values: impl Iterator<Item = f64>) -> Axis {
    let (mut low, mut high) = bounds(values);
    if high - low < 0.1 {
        low -= 0.1;
        high += 0.1;
    }
    let multiples: &[f64] = match high - low {
        range if range > 3.0 => &[1.0],
        range if range > 1.0 => &[1.0, 2.0, 5.0],
        _ => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0],
    };
    let decades = low.floor() as i64..=high.ceil() as i64;
    let all = decades.flat_map(|d| multiples.iter().map(move |m| m.log10() + d as f64));
    Axis { low, high, ticks: all.filter(|t| (low..=high).contains(t)).collect() }
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
}

/// A number with the digits that the range of its axis asks for.
fn number(value: f64, range: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e5).contains(&size) {
        return format!("{value:.0e}");
    }
    let reference = if range > 0.0 { range } else { size.max(1e-3) };
    let digits = (2.0 - reference.log10().floor()).clamp(0.0, 4.0) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}
