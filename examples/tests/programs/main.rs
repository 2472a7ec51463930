//! The programs, run as a user runs them.

mod adapters;
mod bad_checkpoints;
mod bad_input;
mod configuration;
mod denoise;
mod files;
mod help;
mod interruption;
mod place;
mod runs;
mod superres;
