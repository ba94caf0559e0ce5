//! The run folder: what a run leaves behind, and how it goes on after it was killed.

mod atomic;
mod checkpoint;
mod folder;
mod metrics;
mod part;

pub use atomic::write_atomically;
pub use checkpoint::{Checkpoint, CheckpointError, Header, NAMES, Progress};
pub use folder::{BASELINE_PHASE, RunError, RunFolder, default_folder};
pub use metrics::{EpochMetrics, Summary};
pub use part::Part;
