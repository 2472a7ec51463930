//! Draws a chart of two lines: `cargo run -p hsi-pictures --example pictures_chart -- chart.png`.

use hsi_pictures::{LineChart, Result, Series};

fn main() -> Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "chart.png".to_owned());
    let curve = |rate: f64| {
        (1..=40).map(move |i| (f64::from(i), 0.5 * (-rate * f64::from(i)).exp() + 0.01))
    };
    let chart = LineChart {
        title: "Mean squared error by epoch".into(),
        x_label: "epoch".into(),
        y_label: "MSE".into(),
        log_y: true,
        series: vec![
            Series::new("train", curve(0.2).collect()),
            Series::new("validation", curve(0.12).collect()),
        ],
    };
    chart.draw(720, 420)?.write_png(path)
}
