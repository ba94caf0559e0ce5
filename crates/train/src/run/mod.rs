//! The run folder: what a run leaves behind, and how it continues after it was killed.

mod atomic;
mod checkpoint;
mod diff;
mod folder;
mod part;
mod weights;

pub use atomic::write_atomically;
pub use checkpoint::{BestEpoch, Checkpoint, CheckpointError, Header, History, NAMES};
pub use diff::differences;
pub use folder::{RunError, RunFolder, default_folder};
pub use part::Part;
pub use weights::{Differences, WeightsError, load_weights, parse_safetensors, read_safetensors, save_safetensors};
