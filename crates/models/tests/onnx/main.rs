//! Networks out as ONNX, read and run by another program.

// A test stops at the first thing that is not as it should be.
#![allow(clippy::unwrap_used)]

mod burn_facts;
mod files;
mod networks;
mod own;
mod refused;
mod support;
