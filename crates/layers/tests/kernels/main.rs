//! The kernels beside scalar loops in f64 and beside PyTorch.
//!
//! A program of its own: it limits the instruction set of its process, and others compare bits meanwhile.

// Without its kernels the crate has nothing to test here. A test stops at the first thing that is not as it should be.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

mod bf16;
mod conv_non_finite;
mod fixture;
mod fixture_layers;
mod norm_definition;
mod oracle_conv;
mod oracle_norm;
mod oracle_pool;
mod support;
