#![doc = include_str!("../README.md")]
mod atomic;
pub mod bands;
mod cube;
mod dataset;
mod error;
mod io;
mod loader;
mod meta;
mod normalize;
pub mod npy;
mod sample;
mod sidecar;
mod splits;
pub mod synthetic;
mod tiling;

pub use cube::Cube;
pub use dataset::{
    BandSelection, CutOptions, DataSpec, Dataset, DatasetOptions, HySpecNet, PatchDataset, Subset,
    SyntheticDataset,
};
pub use error::{Error, Result};
pub use io::{OpenOptions, SaveOptions, open, save};
pub use loader::{Loader, LoaderConfig, LoaderPanic, shuffled};
pub use meta::{Axes, CubeMeta, Format, GeoTags, SampleType, Source};
pub use normalize::{BandRange, NormMode};
pub use npy::MappedNpy;
pub use splits::{Split, SplitKind, SplitSource};
pub use synthetic::{SceneConfig, generate};
pub use tiling::{Blender, Overlap, Tile, Tiling};
