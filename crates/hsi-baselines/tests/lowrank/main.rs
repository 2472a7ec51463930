//! BM3D, the methods that apply it to the eigenimages of a cube, and those against mixed noise.
#![allow(clippy::unwrap_used)]

mod bm3d;
mod common;
mod fasthyde;
mod mixed;
mod sparse;
