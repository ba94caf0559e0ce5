//! Networks out as ONNX.

mod error;
mod export;
mod file;
mod graph;
mod options;

pub use error::OnnxError;
pub use export::{export, export_classifier, export_encoder, export_projector};
pub use file::Onnx;
pub use options::{Normalise, OnnxOptions, Output};
