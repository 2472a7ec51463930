//! When a mask of dropout is drawn.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of the forward pass, shared by all layers of a model.
///
/// The mask of a layer is a function of seed, path of the layer and moment. A training loop sets
/// a moment of its own before every forward pass, for example the count of micro-batches since
/// the beginning; after an interruption it goes on with the number it had come to. Two forward
/// passes at the same moment drop the same elements.
#[derive(Debug, Clone, Default)]
pub struct Moment(Arc<AtomicU64>);

impl Moment {
    /// A cell at moment 0; clones show the same moment.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the moment of all clones.
    pub fn set(&self, moment: u64) {
        self.0.store(moment, Ordering::Relaxed);
    }

    /// The moment that was set last.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
