//! hsi-train
