//! Every backend built into this program does what Burn's CPU backend does.
//!
//! `flex` is what the others are held against, and is itself held against scalar loops and PyTorch in each crate.
//! `ndarray` is always here. For a GPU:
//!
//! ```sh
//! cargo test -p slowburn-examples --no-default-features --features flex,cuda --test backends
//! ```
//!
//! `wgpu`, `vulkan` and `metal` want `CUBECL_WGPU_MAX_TASKS=1` in the environment: cubecl-wgpu 0.11.3 otherwise loses the
//! order of uploads and kernels that it submits together, and averages come out wrong whichever way they are computed.
//!
//! Tolerances are relative to the largest value of a tensor: another order of summation, and multiplications and
//! additions in one, are all that may differ.

// A test stops at the first thing that is not as it should be.
#![allow(clippy::unwrap_used)]

mod average;
mod loss;
mod queue;
mod steps;
mod support;
mod views;
