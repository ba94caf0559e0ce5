//! Training: from a recipe and a data set to a summary.

mod batches;
mod curves;
mod finish;
mod plan;
mod semi;
mod session;

pub use curves::panels;
pub use plan::Plan;
pub use semi::CURVES;
pub use session::Session;
