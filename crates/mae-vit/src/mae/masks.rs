//! Which patches are hidden.

use candle_core::{Device, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::config::kept_patches;
use crate::{Error, Result};

/// Which patches of each image of a batch are visible.
///
/// As in facebookresearch/mae, each image has an order of its patches; the first ones of it are
/// visible, and the encoder sees them in that order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masks {
    orders: Vec<Vec<u32>>,
    patches: usize,
    kept: usize,
}

impl Masks {
    /// Makes masks from an order of the patches for each image, of which the first `kept` are
    /// visible.
    ///
    /// # Errors
    /// [`Error::MaskOrder`] when an order does not hold each patch once, [`Error::Config`] when
    /// none or all patches would be visible.
    pub fn new(orders: Vec<Vec<u32>>, kept: usize) -> Result<Self> {
        let patches = orders.first().map_or(0, Vec::len);
        if kept == 0 || kept >= patches {
            let reason = format!("should be above 0 and below {patches} patches, got {kept}");
            return Err(Error::Config { field: "kept", reason });
        }
        for (sample, order) in orders.iter().enumerate() {
            let mut seen = vec![false; patches];
            let once = |&patch: &u32| {
                let slot = seen.get_mut(patch as usize);
                slot.is_some_and(|seen| !std::mem::replace(seen, true))
            };
            if order.len() != patches || !order.iter().all(once) {
                return Err(Error::MaskOrder { sample, patches });
            }
        }
        Ok(Self { orders, patches, kept })
    }

    /// Number of images.
    pub fn batch(&self) -> usize {
        self.orders.len()
    }

    /// Patches of an image.
    pub fn patches(&self) -> usize {
        self.patches
    }

    /// Visible patches of an image.
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// Returns the visible patches in the order in which the encoder sees them,
    /// `(batch, kept)`, u32.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn keep(&self, device: &Device) -> Result<Tensor> {
        let visible = self.orders.iter().flat_map(|order| &order[..self.kept]);
        Ok(Tensor::from_iter(visible.copied(), device)?.reshape((self.batch(), self.kept))?)
    }

    /// Returns the place of each patch in the order of its image, `(batch, patches)`, u32: a
    /// patch is visible if its place is below [`Masks::kept`].
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn restore(&self, device: &Device) -> Result<Tensor> {
        let places = self.orders.iter().flat_map(|order| places(order));
        Ok(Tensor::from_iter(places, device)?.reshape((self.batch(), self.patches))?)
    }

    /// Returns 1 for hidden and 0 for visible patches, `(batch, patches)`, f32.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn mask(&self, device: &Device) -> Result<Tensor> {
        let hidden = |place: u32| f32::from(u8::from(place as usize >= self.kept));
        let places = self.orders.iter().flat_map(|order| places(order));
        let mask = Tensor::from_iter(places.map(hidden), device)?;
        Ok(mask.reshape((self.batch(), self.patches))?)
    }

    /// The visible patches as rows of `(batch * patches, ..)`.
    pub(crate) fn visible_rows(&self, device: &Device) -> Result<Tensor> {
        let rows = self.orders.iter().enumerate().flat_map(|(sample, order)| {
            let first = sample * self.patches;
            order[..self.kept].iter().map(move |&patch| first as u32 + patch)
        });
        Ok(Tensor::from_iter(rows, device)?)
    }

    /// For each patch its row among the visible ones, `(batch * kept, ..)`; for hidden patches
    /// the row after them.
    pub(super) fn restored_rows(&self, device: &Device) -> Result<Tensor> {
        let hidden = (self.batch() * self.kept) as u32;
        let rows = self.orders.iter().enumerate().flat_map(|(sample, order)| {
            let first = (sample * self.kept) as u32;
            let row = move |place| {
                if (place as usize) < self.kept { first + place } else { hidden }
            };
            places(order).into_iter().map(row)
        });
        Ok(Tensor::from_iter(rows, device)?)
    }
}

/// The place of each patch in an order.
fn places(order: &[u32]) -> Vec<u32> {
    let mut places = vec![0; order.len()];
    for (place, &patch) in order.iter().enumerate() {
        places[patch as usize] = place as u32;
    }
    places
}

/// Draws masks for samples of a data set, given by their indices.
///
/// The order of a sample depends on the seed and its index alone: the ChaCha8 stream `index` of
/// `seed`. To hide other patches in each epoch, mix the epoch into the seed.
///
/// # Errors
/// [`Error::Config`] when the mask ratio is not above 0 and below 1, or there are fewer than
/// two patches.
pub fn random_masks(indices: &[u64], patches: usize, mask_ratio: f64, seed: u64) -> Result<Masks> {
    let kept = kept_patches(patches, mask_ratio)?;
    let order = |&index: &u64| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(index);
        let mut order: Vec<u32> = (0..patches as u32).collect();
        for last in (1..patches).rev() {
            order.swap(last, rng.random_range(0..=last as u32) as usize);
        }
        order
    };
    Ok(Masks { orders: indices.iter().map(order).collect(), patches, kept })
}
