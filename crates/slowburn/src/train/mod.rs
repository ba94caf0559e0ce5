//! Training with few labels: from a command line to a run with its summary.

mod choose;
mod cli;
mod compare;
mod curves;
mod encoder_views;
mod finish;
mod part;
mod plan;
mod pretrained;
pub mod recipe;
mod run;
mod session;
mod start;
mod summary;

use std::path::PathBuf;

use slowburn_train::run::Checkpoint;
use slowburn_train::task::SemiMetrics;

pub use choose::{SIDE, check_size};
pub use cli::Cli;
pub use curves::panels;
pub use plan::Plan;
pub use run::run;
pub use session::Session;
pub use summary::Summary;

/// The name of the baseline's part of a run.
pub const BASELINE_PHASE: &str = "baseline";

/// What a run has found out so far.
pub type History = slowburn_train::run::History<SemiMetrics>;

/// A checkpoint to continue from, and its file.
pub type Resume = (PathBuf, Checkpoint<SemiMetrics>);
