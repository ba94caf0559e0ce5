//! Integration tests.

// A test stops at the first thing that is not as it should be.
#![allow(clippy::unwrap_used)]

mod autodiff;
mod batch_norm;
mod burn_facts;
mod convolution;
mod drop_in;
mod dropout;
mod fallback;
mod groups;
mod maps;
mod mean_only;
mod paths;
mod pooling;
mod split_batch_norm;
mod support;
