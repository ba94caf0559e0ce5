//! What the examples share: where the images are, and the tables and pictures of the two studies.

pub mod curves;
pub mod moons;
mod picture;
pub mod regions;
pub mod settings;
pub mod table;

/// A part of Fashion-MNIST that comes with the repository: 10,000 training and 10,000 test images in ten classes.
pub const FASHION_MNIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/slowburn/data/fashion-mnist");
