//! Training: from a recipe and a data set to a summary.

mod batches;
mod evaluate;
mod phase;
mod plan;
mod session;

pub use evaluate::{TestSet, accuracy};
pub use phase::TrainError;
pub use plan::Plan;
pub use session::Session;
