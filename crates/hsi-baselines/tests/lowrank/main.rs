//! BM3D and the methods that apply it to the eigenimages of a cube.

mod bm3d;
mod common;
