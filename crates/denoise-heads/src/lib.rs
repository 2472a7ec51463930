//! denoise-heads
