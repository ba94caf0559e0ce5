//! Integration tests, one binary.

mod configuration;
mod initialisation;
mod modes;
mod names;
mod parity;
mod state;
mod support;
