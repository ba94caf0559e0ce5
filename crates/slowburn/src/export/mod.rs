//! `export RUN`: a trained network for other programs, as ONNX or as safetensors.

mod cli;
mod graph;
mod tensors;

pub use cli::{Cli, run};
