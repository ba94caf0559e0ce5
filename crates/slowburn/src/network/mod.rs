//! The networks a program can train, behind one type.

mod backbone;
mod classifier;
mod fixed;
mod projector;

pub use backbone::{Arch, Backbone, BackboneConfig, Normalization};
pub use classifier::NetworkConfig;
pub use fixed::Fixed;
pub use projector::{ContrastConfig, Head};
