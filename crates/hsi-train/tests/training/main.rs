//! Training, checkpoints and use of small models on the CPU.

mod adapters;
mod common;
mod gradients;
mod interruption;
mod trainer;
mod use_of_models;
