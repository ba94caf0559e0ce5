//! The networks a program can train, behind one type.

mod backbone;
mod classifier;
mod projector;
mod weights;

pub use backbone::{Arch, Backbone, BackboneConfig, Normalization};
pub use classifier::NetworkConfig;
pub use projector::ContrastConfig;
pub use weights::{Differences, WeightsError, load_weights, parse_safetensors, read_safetensors, save_safetensors};
