//! An RGB picture to draw on.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use crate::{Error, Result};

/// Red, green and blue, 0 to 255.
pub type Color = [u8; 3];

const HEIGHT: RasterHeight = RasterHeight::Size16;
const WEIGHT: FontWeight = FontWeight::Regular;

/// An RGB picture with its origin at the top left.
///
/// What is drawn outside is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<Color>,
}

impl Canvas {
    /// Height of a line of text in pixels.
    pub const LINE_HEIGHT: usize = 16;

    /// Makes a picture of one colour.
    pub fn new(width: usize, height: usize, background: Color) -> Self {
        Self { width, height, pixels: vec![background; width * height] }
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The colour at column `x` and row `y`, if there is such a pixel.
    pub fn pixel(&self, x: usize, y: usize) -> Option<Color> {
        (x < self.width).then(|| self.pixels.get(y * self.width + x).copied()).flatten()
    }

    /// Mixes `color` into a pixel, `alpha` from 0 (nothing) to 1 (only `color`).
    pub fn blend(&mut self, x: i64, y: i64, color: Color, alpha: f32) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else {
            return;
        };
        if x >= self.width || y >= self.height {
            return;
        }
        let pixel = &mut self.pixels[y * self.width + x];
        for (old, new) in pixel.iter_mut().zip(color) {
            let mixed =
                f32::from(*old) + (f32::from(new) - f32::from(*old)) * alpha.clamp(0.0, 1.0);
            *old = mixed.round() as u8;
        }
    }

    /// Fills a rectangle.
    pub fn fill_rect(&mut self, x: usize, y: usize, width: usize, height: usize, color: Color) {
        for row in y..(y + height).min(self.height) {
            for column in x..(x + width).min(self.width) {
                self.pixels[row * self.width + column] = color;
            }
        }
    }

    /// Draws a smooth line between two points, `thickness` pixels wide.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), thickness: f64, color: Color) {
        let half = thickness / 2.0;
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let squared = (dx * dx + dy * dy).max(1e-12);
        if !squared.is_finite() {
            return;
        }
        let clip = |v: f64, limit: usize| v.clamp(-1.0, limit as f64 + 1.0) as i64;
        let columns = (from.0.min(to.0) - half - 1.0, from.0.max(to.0) + half + 1.0);
        let rows = (from.1.min(to.1) - half - 1.0, from.1.max(to.1) + half + 1.0);
        for y in clip(rows.0.floor(), self.height)..=clip(rows.1.ceil(), self.height) {
            for x in clip(columns.0.floor(), self.width)..=clip(columns.1.ceil(), self.width) {
                let (px, py) = (x as f64 - from.0, y as f64 - from.1);
                let along = ((px * dx + py * dy) / squared).clamp(0.0, 1.0);
                let distance = (px - along * dx).hypot(py - along * dy);
                let cover = (half + 0.5 - distance).clamp(0.0, 1.0);
                if cover > 0.0 {
                    self.blend(x, y, color, cover as f32);
                }
            }
        }
    }

    /// Width of a text in pixels.
    pub fn text_width(text: &str) -> usize {
        text.chars().count() * get_raster_width(WEIGHT, HEIGHT)
    }

    /// Writes a line of text with its top left corner at `(x, y)`; what the font lacks becomes `?`.
    pub fn text(&mut self, x: i64, y: i64, text: &str, color: Color) {
        let advance = get_raster_width(WEIGHT, HEIGHT) as i64;
        for (i, letter) in text.chars().enumerate() {
            let glyph =
                get_raster(letter, WEIGHT, HEIGHT).or_else(|| get_raster('?', WEIGHT, HEIGHT));
            let Some(glyph) = glyph else { continue };
            for (row, line) in glyph.rows().enumerate() {
                for (column, &cover) in line.iter().enumerate() {
                    if cover > 0 {
                        let left = x + i as i64 * advance + column as i64;
                        self.blend(left, y + row as i64, color, f32::from(cover) / 255.0);
                    }
                }
            }
        }
    }

    /// Copies another picture so that its top left corner lies at `(x, y)`, each of its pixels
    /// drawn as a square of `zoom` pixels.
    pub fn paste(&mut self, other: &Self, x: usize, y: usize, zoom: usize) {
        for row in 0..other.height {
            for column in 0..other.width {
                let color = other.pixels[row * other.width + column];
                self.fill_rect(x + column * zoom, y + row * zoom, zoom, zoom, color);
            }
        }
    }

    /// Writes the picture as an 8-bit RGB PNG, through a temporary name.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_png(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".{}.partial", std::process::id()));
        let temporary = path.with_file_name(name);
        let done = self.encode(&temporary, path).and_then(|()| {
            std::fs::rename(&temporary, path)
                .map_err(|source| Error::Write { path: path.to_path_buf(), source })
        });
        if done.is_err() {
            // The first error is the one to report.
            let _ = std::fs::remove_file(&temporary);
        }
        done
    }

    fn encode(&self, temporary: &Path, path: &Path) -> Result<()> {
        let fail = |source| Error::Encode { path: path.to_path_buf(), source };
        let file = File::create(temporary)
            .map_err(|source| Error::Write { path: path.to_path_buf(), source })?;
        let (width, height) = (self.width as u32, self.height as u32);
        let mut encoder = png::Encoder::new(BufWriter::new(file), width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(fail)?;
        writer.write_image_data(self.pixels.as_flattened()).map_err(fail)?;
        writer.finish().map_err(fail)
    }
}
