//! Training: from a recipe and a data set to a summary.

mod batches;
mod evaluate;
mod plan;
mod semi;
mod session;

pub use evaluate::{TestSet, accuracy};
pub use plan::Plan;
pub use semi::CURVES;
pub use session::Session;
