//! Residual networks under torchvision's names.

mod block;
mod config;
mod network;

pub(crate) use block::BlockShape;
pub use block::ResidualBlock;
pub use config::{BlockKind, ResNetConfig, Stem};
pub use network::ResNet;
