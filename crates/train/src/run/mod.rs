//! The run folder: what a run leaves behind, and how it continues after it was killed.

mod atomic;
mod checkpoint;
mod diff;
mod folder;
mod metadata;
mod part;

pub use atomic::write_atomically;
pub use checkpoint::{BestEpoch, Checkpoint, CheckpointError, Header, History, NAMES};
pub use diff::differences;
pub use folder::{RunError, RunFolder, default_folder};
pub use metadata::metadata;
pub use part::Part;
