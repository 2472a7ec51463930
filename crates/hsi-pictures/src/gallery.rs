//! Pictures in rows, each under its caption, with the scale of a colour map below.

use ndarray::ArrayView2;

use crate::{Canvas, Color, Error, Result, error_color, signed_color};

const MARGIN: usize = 12;
const INK: Color = [30, 30, 34];
const PAPER: Color = [255, 255, 255];
/// Small pictures are zoomed until their longer side has about so many pixels.
const TILE_SIDE: usize = 256;
/// Largest zoom.
const MAX_ZOOM: usize = 64;
const BAR: (usize, usize) = (256, 14);

/// A picture and its caption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Caption, one line.
    pub label: String,
    /// The picture, zoomed if it is small.
    pub picture: Canvas,
}

impl Tile {
    /// A picture with its caption.
    pub fn new(label: impl Into<String>, picture: Canvas) -> Self {
        Self { label: label.into(), picture }
    }

    fn zoom(&self) -> usize {
        let side = self.picture.width().max(self.picture.height()).max(1);
        (TILE_SIDE / side).clamp(1, MAX_ZOOM)
    }
}

/// The colours of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Palette {
    /// From 0 (black) to the limit (pale yellow).
    Error,
    /// From minus the limit (blue) over 0 (white) to the limit (red).
    Signed,
}

impl Palette {
    /// The colour of a value; what is not a number is grey.
    pub fn color(self, value: f32, limit: f32) -> Color {
        let part = value / limit.abs().max(f32::MIN_POSITIVE);
        match self {
            Self::Error => error_color(part),
            Self::Signed => signed_color(part),
        }
    }

    /// Draws a map, a pixel each.
    ///
    /// # Shapes
    /// - `values`: `[rows, cols]`
    pub fn draw(self, values: ArrayView2<'_, f32>, limit: f32) -> Canvas {
        let (rows, cols) = values.dim();
        let mut canvas = Canvas::new(cols, rows, [0; 3]);
        for ((row, col), &value) in values.indexed_iter() {
            canvas.fill_rect(col, row, 1, 1, self.color(value, limit));
        }
        canvas
    }
}

/// What the colours of a gallery's maps mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    /// What is mapped, with its unit.
    pub label: String,
    /// The colours.
    pub palette: Palette,
    /// The value at the end of the scale.
    pub limit: f32,
}

/// Pictures in rows. Columns are as wide as their widest picture or caption.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Gallery {
    /// Line at the top.
    pub title: String,
    /// The rows, from the top; `None` leaves a place free.
    pub rows: Vec<Vec<Option<Tile>>>,
    /// Scale of the maps among them.
    pub scale: Option<Scale>,
}

impl Gallery {
    /// Draws the gallery.
    ///
    /// # Errors
    /// When there is no picture in it.
    pub fn draw(&self) -> Result<Canvas> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        if self.rows.iter().flatten().flatten().next().is_none() {
            return Err(Error::Empty("the gallery has no picture"));
        }
        let line = Canvas::LINE_HEIGHT + 4;
        let width_of =
            |tile: &Tile| (tile.picture.width() * tile.zoom()).max(Canvas::text_width(&tile.label));
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                let tiles = self.rows.iter().filter_map(|row| row.get(column)?.as_ref());
                tiles.map(width_of).max().unwrap_or(0)
            })
            .collect();
        let heights: Vec<usize> = self
            .rows
            .iter()
            .map(|row| {
                let tiles = row.iter().flatten();
                tiles.map(|tile| tile.picture.height() * tile.zoom()).max().unwrap_or(0)
            })
            .collect();
        let scale_height = self.scale.as_ref().map_or(0, |_| 2 * line + BAR.1 + MARGIN);
        let content = MARGIN + widths.iter().map(|width| width + MARGIN).sum::<usize>();
        let width = content.max(Canvas::text_width(&self.title) + 2 * MARGIN);
        let rows_height: usize = heights.iter().map(|height| line + height + MARGIN).sum();
        let mut canvas = Canvas::new(width, MARGIN + line + rows_height + scale_height, PAPER);
        canvas.text(MARGIN as i64, MARGIN as i64 / 2, &self.title, INK);
        let mut y = MARGIN + line;
        for (row, height) in self.rows.iter().zip(&heights) {
            let mut x = MARGIN;
            for (tile, width) in row.iter().zip(&widths) {
                if let Some(tile) = tile {
                    canvas.text(x as i64, y as i64, &tile.label, INK);
                    canvas.paste(&tile.picture, x, y + line, tile.zoom());
                }
                x += width + MARGIN;
            }
            y += line + height + MARGIN;
        }
        if let Some(scale) = &self.scale {
            scale.draw_onto(&mut canvas, y);
        }
        Ok(canvas)
    }
}

impl Scale {
    fn draw_onto(&self, canvas: &mut Canvas, y: usize) {
        let line = Canvas::LINE_HEIGHT + 4;
        let (width, height) = BAR;
        canvas.text(MARGIN as i64, y as i64, &self.label, INK);
        let low = match self.palette {
            Palette::Error => 0.0,
            Palette::Signed => -self.limit,
        };
        for x in 0..width {
            let part = x as f32 / (width - 1) as f32;
            let color = self.palette.color(low + (self.limit - low) * part, self.limit);
            canvas.fill_rect(MARGIN + x, y + line, 1, height, color);
        }
        let below = (y + line + height + 4) as i64;
        canvas.text(MARGIN as i64, below, &short(low), INK);
        let high = short(self.limit);
        let right = (MARGIN + width - Canvas::text_width(&high).min(width)) as i64;
        canvas.text(right, below, &high, INK);
    }
}

/// A number with three significant digits.
fn short(value: f32) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = (2.0 - value.abs().log10().floor()).clamp(0.0, 9.0) as usize;
    format!("{value:.digits$}")
}
