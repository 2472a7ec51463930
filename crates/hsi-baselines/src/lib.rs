//! hsi-baselines
