//! Colours of maps and of chart lines.

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

/// Strong colours, then lighter ones of other hues.
const LINES: [Color; 16] = [
    [31, 95, 170],
    [214, 96, 20],
    [35, 140, 70],
    [190, 40, 60],
    [120, 80, 170],
    [110, 90, 60],
    [20, 160, 190],
    [225, 165, 20],
    [220, 110, 180],
    [130, 130, 130],
    [130, 185, 60],
    [70, 70, 110],
    [240, 140, 120],
    [120, 170, 230],
    [180, 150, 110],
    [0, 100, 100],
];
/// Ends of the colours of signed values; white lies between.
const SIGNED: [Color; 2] = [[33, 90, 172], [178, 24, 43]];

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

/// The colour of a value between -1 (blue), 0 (white) and 1 (red); what is not a number is grey.
pub fn signed_color(value: f32) -> Color {
    if value.is_nan() {
        return [128; 3];
    }
    let end = SIGNED[usize::from(value > 0.0)];
    let part = value.abs().min(1.0);
    end.map(|end| (255.0 + (f32::from(end) - 255.0) * part).round() as u8)
}

/// The colour of the line number `index` of a chart.
pub fn series_color(index: usize) -> Color {
    LINES[index % LINES.len()]
}
