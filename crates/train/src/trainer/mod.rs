//! How a method goes from its first step to its last: loop, learning rate, checkpoints, and what stops it.

mod config;
mod costs;
mod error;
mod finite;
mod fit;
mod optimizer;
mod phase;
mod record;
mod seed;
mod speed;
mod trained;

pub use config::TrainerConfig;
pub use error::{Stop, TrainError};
pub use fit::Trainer;
pub use optimizer::{Algorithm, OptimizerConfig, OptimizerState};
pub use phase::Phase;
pub use record::with_record;
pub use seed::{initialized, mix};
pub use speed::timeline_within;
pub use trained::Trained;
