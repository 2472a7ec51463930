//! Figures of stored rows: lines over two logarithmic axes, as SVG.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::quality::text;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 400.0;
/// Left, right, top and bottom; names of the lines stand on the right.
const MARGINS: [f64; 4] = [70.0, 110.0, 20.0, 50.0];
const COLORS: [&str; 8] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#888888"];

/// Which columns of the rows a figure shows.
#[derive(Debug, Deserialize)]
pub(crate) struct Figure {
    /// Column that tells the lines apart.
    pub(crate) lines: String,
    /// Column of the horizontal axis: numbers, or sizes such as `128 x 128`.
    pub(crate) x: String,
    /// Column of the vertical axis.
    pub(crate) y: String,
}

/// A named line.
type Line = (String, Vec<(f64, f64)>);

impl Figure {
    /// Draws the rows that have a positive number in both columns.
    pub(crate) fn svg(&self, rows: &[Map<String, Value>]) -> String {
        let lines = self.points(rows);
        let all = || lines.iter().flat_map(|(_, points)| points);
        let x = Scale::new(all().map(|p| p.0), MARGINS[0], WIDTH - MARGINS[1]);
        let y = Scale::new(all().map(|p| p.1), HEIGHT - MARGINS[3], MARGINS[2]);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
        );
        let (left, right) = (MARGINS[0], WIDTH - MARGINS[1]);
        let (top, bottom) = (MARGINS[2], HEIGHT - MARGINS[3]);
        for (value, at) in y.ticks() {
            let mark = format!("M{left} {at:.1}H{right}");
            let label = (left - 8.0, at + 4.0, "end");
            tick(&mut out, &mark, label, value);
        }
        for (value, at) in x.ticks() {
            let mark = format!("M{at:.1} {top}V{bottom}");
            tick(&mut out, &mark, (at, bottom + 18.0, "middle"), value);
        }
        let middle = f64::midpoint(left, right);
        let _ = writeln!(
            out,
            "<text x=\"{middle}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            HEIGHT - 10.0,
            escaped(&self.x)
        );
        let middle = f64::midpoint(top, bottom);
        let _ = writeln!(
            out,
            "<text transform=\"translate(16 {middle}) rotate(-90)\" \
             text-anchor=\"middle\">{}</text>",
            escaped(&self.y)
        );
        let heights: Vec<f64> =
            lines.iter().filter_map(|(_, points)| Some(y.at(points.last()?.1))).collect();
        let labels = apart(&heights, 14.0);
        for (index, ((name, points), label)) in lines.iter().zip(labels).enumerate() {
            let color = COLORS[index % COLORS.len()];
            let path: Vec<String> =
                points.iter().map(|p| format!("{:.1},{:.1}", x.at(p.0), y.at(p.1))).collect();
            let _ = writeln!(
                out,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>",
                path.join(" ")
            );
            let _ = writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{color}\">{}</text>",
                right + 8.0,
                label + 4.0,
                escaped(name)
            );
        }
        out + "</svg>\n"
    }

    /// The lines in the order of their first rows.
    fn points(&self, rows: &[Map<String, Value>]) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        for row in rows {
            let number = |column: &str| row.get(column).and_then(size).filter(|&v| v > 0.0);
            let (Some(x), Some(y)) = (number(&self.x), number(&self.y)) else { continue };
            let name = row.get(&self.lines).map(text).unwrap_or_default();
            match lines.iter_mut().find(|(line, _)| *line == name) {
                Some((_, points)) => points.push((x, y)),
                None => lines.push((name, vec![(x, y)])),
            }
        }
        lines
    }
}

/// A number, or the product of the numbers in a text such as `128 x 128`.
fn size(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => {
            let factors = text.split('x').map(|part| part.trim().parse::<f64>().ok());
            factors.product()
        }
        other => other.as_f64(),
    }
}

/// A logarithmic axis from one place to another.
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// An axis that shows all values, with a little room on both sides.
    fn new(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = values
            .map(f64::log10)
            .fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
        let room = ((high - low) * 0.05).max(0.05);
        Self { low: low - room, high: high + room, from, to }
    }

    fn at(&self, value: f64) -> f64 {
        let share = (value.log10() - self.low) / (self.high - self.low);
        self.from + share * (self.to - self.from)
    }

    /// Ones, twos and fives of each power of ten, and where they lie.
    fn ticks(&self) -> impl Iterator<Item = (f64, f64)> {
        let powers = self.low.floor() as i32..=self.high.ceil() as i32;
        let values = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|n| n * 10f64.powi(power)));
        values.filter_map(|value| {
            let within = (self.low..=self.high).contains(&value.log10());
            within.then(|| (value, self.at(value)))
        })
    }
}

fn tick(out: &mut String, mark: &str, (x, y, anchor): (f64, f64, &str), value: f64) {
    let _ = writeln!(out, "<path d=\"{mark}\" stroke=\"#dddddd\"/>");
    // One digit and zeros: the shortest form is the number itself.
    let _ =
        writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{value}</text>");
}

/// Moves labels downwards until none lies on another.
fn apart(places: &[f64], least: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|&a, &b| places[a].total_cmp(&places[b]));
    let mut moved = places.to_vec();
    for pair in order.windows(2) {
        moved[pair[1]] = moved[pair[1]].max(moved[pair[0]] + least);
    }
    moved
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_lines_in_log_space() {
        let rows = serde_json::json!([
            { "method": "a", "pixels": "10 x 10", "seconds": 0.1 },
            { "method": "b", "pixels": "10 x 10", "seconds": "-" },
            { "method": "a", "pixels": "100 x 100", "seconds": 10.0 },
        ]);
        let rows: Vec<Map<String, Value>> = serde_json::from_value(rows).expect("rows");
        let [lines, x, y] = ["method", "pixels", "seconds"].map(str::to_owned);
        let figure = Figure { lines, x, y };
        assert_eq!(figure.points(&rows), [("a".to_owned(), vec![(100.0, 0.1), (10_000.0, 10.0)])]);
        let scale = Scale::new([1.0, 100.0].into_iter(), 0.0, 10.0);
        assert!((scale.at(10.0) - 5.0).abs() < 1e-12);
        assert_eq!(scale.ticks().count(), 7);
        assert_eq!(apart(&[5.0, 0.0, 1.0], 3.0), [6.0, 0.0, 3.0]);
        let svg = figure.svg(&rows);
        assert!(svg.contains("<polyline") && svg.contains(">a</text>"));
    }
}
