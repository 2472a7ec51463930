//! hsi-data
