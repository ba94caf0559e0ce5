//! The training loop that every program shares: epochs, learning rate, checkpoints, progress, and what stops it.

mod costs;
mod error;
mod steps;
mod task;
mod trainer;

pub use costs::Costs;
pub use error::TrainError;
pub use steps::{Steps, mix, read_all};
pub use task::{Batches, Observed, Outcome, Task};
pub use trainer::Trainer;
