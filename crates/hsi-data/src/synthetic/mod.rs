//! Synthetic scenes: reflectance cubes with realistic spectra and spatial structure.
//!
//! A scene is a landscape seen from above: fields with straight edges, woods, settlements, lakes,
//! roads and buildings, each pixel a linear mixture of the scene's materials. The spectra come
//! from parametric models (red edge and water absorptions of plants, iron, clay and carbonate
//! features of soils, water dark in the infrared, roofs, pavements, and random smooth curves)
//! whose parameters are drawn for every scene, as are the layout, the texture, the shadows and the
//! point spread of the sensor. No measured spectrum is contained.

mod config;
mod field;
mod ground;
mod landscape;
mod render;
mod spectra;

pub use config::{LandCover, SceneConfig};
pub use render::generate;
