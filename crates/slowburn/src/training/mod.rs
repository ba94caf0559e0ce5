//! Training: from a recipe and a data set to a summary.

mod curves;
mod finish;
mod plan;
mod session;
mod summary;

use std::path::PathBuf;

use slowburn_train::run::Checkpoint;
use slowburn_train::task::SemiMetrics;

pub use curves::panels;
pub use plan::Plan;
pub use session::Session;
pub use summary::Summary;

/// The name of the baseline's part of a run.
pub const BASELINE_PHASE: &str = "baseline";

/// What a run has found out so far.
pub type History = slowburn_train::run::History<SemiMetrics>;

/// A checkpoint to continue from, and its file.
pub type Resume = (PathBuf, Checkpoint<SemiMetrics>);
