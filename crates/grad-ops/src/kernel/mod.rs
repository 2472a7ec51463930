//! What the operations share on the CPU: number types, vector code, matrix products, storage.

pub(crate) mod affine;
pub(crate) mod gemm;
pub(crate) mod parallel;
pub(crate) mod real;
pub(crate) mod rows;
pub(crate) mod simd;
pub(crate) mod storage;
pub(crate) mod tiles;
pub(crate) mod unary;

pub(crate) use real::Real;
