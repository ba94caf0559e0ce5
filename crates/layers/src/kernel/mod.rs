//! The kernels: plain functions on slices of `f32`, without Burn.
//!
//! Feature maps are channels-last, `[images, height, width, channels]`, so that the lanes of a vector are channels in every
//! kernel; weights are `[channels out, channels in, height, width]`. Work is dealt out over rayon's threads. What a sum is
//! cut into depends on shapes alone, so that results have the same bits for any number of threads.
#![allow(clippy::needless_range_loop)] // loops over lanes index several arrays, which the compiler keeps in registers

pub mod conv;
pub mod dropout;
pub mod isa;
pub mod layout;
pub mod norm;
pub mod pool;
mod product;
mod scratch;
mod shape;
pub(crate) mod threads;
mod turn;

pub use crate::arithmetic::Arithmetic;
pub use norm::Rectifier;
pub use shape::ConvShape;
