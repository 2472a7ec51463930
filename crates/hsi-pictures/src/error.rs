//! What can go wrong while a picture is made.

use std::path::PathBuf;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Errors of drawing and writing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A band of the false colour does not exist.
    #[error("band {band} does not exist, the cube has {bands}")]
    Band {
        /// The band that was asked for, from 0.
        band: usize,
        /// Bands of the cube.
        bands: usize,
    },
    /// Two cubes that should be shown side by side differ in shape.
    #[error("panel `{label}` should have the shape {expected:?}, got {got:?}")]
    Shape {
        /// Caption of the panel.
        label: String,
        /// Shape of the first panel.
        expected: [usize; 3],
        /// Shape of this panel.
        got: [usize; 3],
    },
    /// There is nothing to draw.
    #[error("nothing to draw: {0}")]
    Empty(&'static str),
    /// The file could not be written.
    #[error("`{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The PNG encoder failed.
    #[error("`{}`: {source}", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: png::EncodingError,
    },
}
