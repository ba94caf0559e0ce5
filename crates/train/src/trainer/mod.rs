//! How a method goes from its first step to its last: loop, learning rate, checkpoints, and what stops it.

mod config;
mod costs;
mod error;
mod finite;
mod fit;
mod optimizer;
mod phase;
mod seed;
mod speed;

pub use config::TrainerConfig;
pub use error::{Stop, TrainError};
pub use fit::{Trained, Trainer};
pub use optimizer::{Algorithm, OptimizerConfig, OptimizerState};
pub use phase::Phase;
pub use seed::{initialized, mix};
