//! Every backend built into this program does what Burn's CPU backend does.
//!
//! `flex` is what the others are held against, and is itself held against scalar loops and PyTorch in each crate.
//! The feature `ndarray`, which takes long to compile, has them built; with a GPU beside it:
//!
//! ```sh
//! cargo test -p slowburn-examples --no-default-features --features flex,ndarray,cuda --test backends
//! ```
//!
//! Tolerances are relative to the largest value of a tensor: another order of summation, and multiplications and
//! additions in one, are all that may differ.

// A test stops at the first thing that is not as it should be.
#![allow(clippy::unwrap_used)]

mod average;
mod devices;
mod layers;
mod loss;
mod queue;
mod steps;
mod support;
mod views;
