//! Synthetic scenes as a dataset.

use ndarray::Array3;

use super::Dataset;
use crate::error::{Error, Result};
use crate::synthetic::{SceneConfig, generate};

/// Scenes at most: lists of indices are made of them.
const MOST_SCENES: usize = 10_000_000;

/// Scenes made when they are asked for, each of its own seed.
#[derive(Clone, Debug)]
pub struct SyntheticDataset {
    config: SceneConfig,
    count: usize,
    seed: u64,
}

impl SyntheticDataset {
    /// A number of scenes; scene `i` depends on the configuration, the seed and `i` alone.
    ///
    /// # Errors
    /// [`Error::Config`] if the configuration makes no sense or no scene, or more than
    /// ten million, are asked for.
    pub fn new(config: SceneConfig, count: usize, seed: u64) -> Result<Self> {
        config.validate()?;
        if count == 0 {
            let reason = "there should be at least one scene";
            return Err(Error::Config { field: "count", value: "0".to_owned(), reason });
        }
        if count > MOST_SCENES {
            let reason = "at most ten million scenes can be listed";
            return Err(Error::Config { field: "count", value: count.to_string(), reason });
        }
        Ok(Self { config, count, seed })
    }

    /// What the scenes look like.
    pub fn config(&self) -> &SceneConfig {
        &self.config
    }
}

impl Dataset for SyntheticDataset {
    fn len(&self) -> usize {
        self.count
    }

    fn bands(&self) -> usize {
        self.config.bands()
    }

    fn size(&self) -> (usize, usize) {
        (self.config.rows, self.config.cols)
    }

    fn get(&self, index: usize) -> Result<Array3<f32>> {
        if index >= self.count {
            return Err(Error::SampleIndex { index, len: self.count });
        }
        // An odd multiplier spreads neighbouring seeds and scenes over all 64 bits.
        let seed = self.seed.wrapping_add((index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Ok(generate(&self.config, seed)?.into_array())
    }

    fn name(&self, index: usize) -> String {
        if index < self.count { format!("synthetic-{index:05}") } else { String::new() }
    }

    /// Every scene is a place of its own.
    fn group(&self, index: usize) -> String {
        self.name(index)
    }

    fn wavelengths_nm(&self) -> Option<Vec<f32>> {
        Some(self.config.wavelengths_nm.clone())
    }
}
