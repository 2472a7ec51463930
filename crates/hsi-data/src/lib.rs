#![doc = include_str!("../README.md")]
mod arrays;
mod atomic;
pub mod bands;
mod convert;
mod cube;
mod dataset;
mod enmap;
mod envi;
mod error;
mod fault;
mod hdf5;
mod io;
mod loader;
mod mat;
mod meta;
mod normalize;
pub mod npy;
mod sample;
mod samples;
mod sidecar;
mod splits;
mod statistics;
mod stream;
pub mod synthetic;
mod tiff;
mod tiling;

pub use crate::hdf5::Hdf5Backend;
pub use arrays::{StoredArray, contents, read_matrix};
pub use convert::{ConvertOptions, Converted, Scaling, convert};
pub use cube::Cube;
pub use dataset::{
    BandSelection, CutOptions, DataSpec, Dataset, DatasetOptions, HySpecNet, PatchDataset, Subset,
    SyntheticDataset,
};
pub use enmap::{Product, ProductLayer, QualityMask, product};
pub use error::{Error, Result};
pub use io::{OpenOptions, SaveOptions, create, open, open_reader, save};
pub use loader::{Loader, LoaderConfig, LoaderPanic, shuffled};
pub use meta::{Axes, Compression, CubeMeta, Extra, Format, GeoTags, SampleType, Source};
pub use normalize::{BandRange, NormMode};
pub use npy::MappedNpy;
pub use samples::{Element, Samples};
pub use splits::{Split, SplitKind, SplitSource};
pub use statistics::{Statistics, statistics};
pub use stream::{CubeReader, CubeWriter, rows_at_a_time};
pub use synthetic::{SceneConfig, generate};
pub use tiling::{Blender, Overlap, Tile, Tiling};
