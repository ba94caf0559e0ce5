//! Integration tests, one binary.

mod configuration;
mod initialisation;
mod modes;
mod names;
mod parity;
mod projection;
mod split_batch_norm;
mod state;
mod support;
