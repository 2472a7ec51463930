#![doc = include_str!("../README.md")]

mod canvas;
mod chart;
mod color;
mod cube;
mod error;
mod gallery;

pub use canvas::{Canvas, Color};
pub use chart::{LineChart, Series};
pub use color::{error_color, series_color, signed_color};
pub use cube::{Comparison, FalseColor, Panel, Stretch};
pub use error::{Error, Result};
pub use gallery::{Gallery, Palette, Scale, Tile};
