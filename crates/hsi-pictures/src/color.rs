//! Colours of error maps and of chart lines.

use crate::Color;

/// Anchors of a map from black over purple and orange to pale yellow, lightness rising evenly.
const HEAT: [Color; 9] = [
    [0, 0, 4],
    [31, 12, 72],
    [85, 15, 109],
    [136, 34, 106],
    [186, 54, 85],
    [227, 89, 51],
    [249, 140, 10],
    [249, 201, 50],
    [252, 255, 164],
];

const LINES: [Color; 6] =
    [[31, 95, 170], [214, 96, 20], [35, 140, 70], [190, 40, 60], [120, 80, 170], [110, 90, 60]];

/// The colour of an error between 0 (black) and 1 (pale yellow); what is not a number is grey.
pub fn error_color(value: f32) -> Color {
    if value.is_nan() {
        return [128; 3];
    }
    let place = value.clamp(0.0, 1.0) * (HEAT.len() - 1) as f32;
    let below = (place as usize).min(HEAT.len() - 2);
    let part = place - below as f32;
    std::array::from_fn(|i| {
        let (low, high) = (f32::from(HEAT[below][i]), f32::from(HEAT[below + 1][i]));
        (low + (high - low) * part).round() as u8
    })
}

/// The colour of the line number `index` of a chart.
pub fn series_color(index: usize) -> Color {
    LINES[index % LINES.len()]
}
