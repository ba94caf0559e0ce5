//! Integration tests.

// A test stops at the first thing that is not as it should be.
#![allow(clippy::unwrap_used)]

mod baselines;
#[cfg(feature = "train")]
mod burn_train;
mod errors;
mod features;
mod knn;
mod learning;
mod loss;
mod masked;
mod models;
mod no_negatives;
mod no_negatives_errors;
mod no_negatives_fixture;
mod order;
mod probe;
mod queue;
mod resume;
mod shuffle;
mod statistics;
mod support;
mod training_fixture;
