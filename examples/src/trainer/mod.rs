//! The training loop that every program shares: epochs, learning rate, checkpoints, progress, and what stops it.

mod costs;
mod epochs;
mod error;
mod finite;
mod steps;
mod task;

pub use costs::Costs;
pub use epochs::Trainer;
pub use error::TrainError;
pub use steps::{Steps, mix, read_all};
pub use task::{Batches, Observed, Outcome, Task};
