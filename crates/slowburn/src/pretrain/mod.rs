//! Contrastive pre-training without labels: MoCo and the two methods that its paper compares it with.

mod choose;
mod cli;
mod defaults;
mod error;
mod part;
mod presets;
mod recipe;
mod run;
mod session;
mod summary;
mod table;

pub use cli::Cli;
pub use defaults::fashion;
pub use error::RecipeError;
pub use presets::{PRESETS, Preset, preset, preset_list};
pub use recipe::{Method, NetworkConfig, Recipe, Version};
pub use run::run;
pub use session::Session;
pub use summary::{Scored, Summary};

use std::path::PathBuf;

use slowburn_train::run::Checkpoint;
use slowburn_train::task::ContrastMetrics;

/// What a run has found out so far.
pub type History = slowburn_train::run::History<ContrastMetrics>;

/// A checkpoint to continue from, and its file.
pub type Resume = (PathBuf, Checkpoint<ContrastMetrics>);
