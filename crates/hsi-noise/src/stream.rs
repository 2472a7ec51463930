//! Random streams that are addressed, not drawn one after the other.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Keeps the keys of this crate apart from those of other users of the same seed.
const DOMAIN: [u8; 8] = *b"hsinoise";

/// The address of one model of one sample; its streams are independent `ChaCha8` key streams.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Address {
    pub(crate) seed: u64,
    pub(crate) index: u64,
    pub(crate) position: u64,
}

impl Address {
    /// Returns the stream of what is drawn once a cube.
    pub(crate) fn cube(self) -> ChaCha8Rng {
        self.stream(0)
    }

    /// Returns the stream of a band.
    pub(crate) fn band(self, band: usize) -> ChaCha8Rng {
        self.stream(band as u64 + 1)
    }

    fn stream(self, number: u64) -> ChaCha8Rng {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..16].copy_from_slice(&self.index.to_le_bytes());
        key[16..24].copy_from_slice(&self.position.to_le_bytes());
        key[24..].copy_from_slice(&DOMAIN);
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(number);
        rng
    }
}
