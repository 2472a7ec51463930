//! Which pixels make one update.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, ArrayView3};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Which pixels of the low-resolution image make one update of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Batch {
    /// All of them.
    #[default]
    Whole,
    /// So many pixels, row after row.
    Pixels(usize),
    /// Square tiles with so many pixels along a side, row after row of tiles, those at the right
    /// and lower edge smaller: what the published program makes of its batch size.
    Tile(usize),
}

impl Batch {
    /// # Errors
    /// [`Error::Setting`] for a size of 0.
    pub fn validate(self) -> Result<()> {
        match self {
            Self::Pixels(0) | Self::Tile(0) => {
                Err(Error::setting("training_batch_size", "at least 1", 0))
            }
            _ => Ok(()),
        }
    }
}

/// Pixels in the order of training, and where the batches lie among them.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) pixels: Vec<(usize, usize)>,
    pub(crate) batches: Vec<Range<usize>>,
}

impl Order {
    /// The pixels of an image that are used, cut into batches.
    pub(crate) fn new(
        batch: Batch,
        (rows, cols): (usize, usize),
        used: impl Fn((usize, usize)) -> bool,
    ) -> Self {
        let side = match batch {
            Batch::Tile(side) => side.max(1),
            _ => rows.max(cols).max(1),
        };
        let mut order = Self { pixels: Vec::new(), batches: Vec::new() };
        for top in (0..rows).step_by(side) {
            for left in (0..cols).step_by(side) {
                let start = order.pixels.len();
                let (bottom, right) = ((top + side).min(rows), (left + side).min(cols));
                let tile = (top..bottom).flat_map(|row| (left..right).map(move |col| (row, col)));
                order.pixels.extend(tile.filter(|&at| used(at)));
                let end = order.pixels.len();
                let step = match batch {
                    Batch::Pixels(count) => count.max(1),
                    _ => (end - start).max(1),
                };
                let starts = (start..end).step_by(step);
                order.batches.extend(starts.map(|from| from..(from + step).min(end)));
            }
        }
        order
    }

    /// The values of the pixels, `[pixels, bands]`.
    pub(crate) fn gather(&self, image: ArrayView3<'_, f32>) -> Array2<f32> {
        gather(image, &self.pixels)
    }
}

/// The values of some pixels, `[pixels, bands]`.
pub(crate) fn gather(image: ArrayView3<'_, f32>, pixels: &[(usize, usize)]) -> Array2<f32> {
    let mut values = Array2::zeros((pixels.len(), image.dim().0));
    for (mut column, band) in values.columns_mut().into_iter().zip(image.outer_iter()) {
        column.iter_mut().zip(pixels).for_each(|(to, &at)| *to = band[at]);
    }
    values
}

/// Whether a pixel of a mask counts.
pub(crate) fn is_used(missing: Option<ArrayView2<'_, bool>>, at: (usize, usize)) -> bool {
    missing.is_none_or(|mask| !mask[at])
}
