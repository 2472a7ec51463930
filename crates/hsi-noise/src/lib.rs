//! hsi-noise
