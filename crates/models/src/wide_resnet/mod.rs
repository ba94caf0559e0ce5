//! Wide residual networks.

mod block;
mod config;
mod network;

pub use block::WideBlock;
pub use config::{ProjectionInput, WideResNetConfig};
pub use network::WideResNet;
