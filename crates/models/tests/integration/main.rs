//! Integration tests, one binary.

// A test stops at the first thing that is not as it should be.
#![allow(clippy::unwrap_used)]

mod configuration;
mod initialisation;
mod mlp_head;
mod modes;
mod names;
mod parity;
mod projection;
mod split_batch_norm;
mod state;
mod support;
mod whitening;
