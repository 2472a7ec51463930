//! hsi-metrics
